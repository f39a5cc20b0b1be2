import pytest

from everlog.model.errors import CorruptionError
from everlog.records.batch import CONTROL
from everlog.records.builder import Record, build_batch
from service.app.offsets_topic import _records_of


def batch(*pairs: tuple[bytes | None, bytes | None], base: int, attributes: int = 0) -> bytearray:
    records = [Record(key=key, value=value, timestamp_ms=5) for key, value in pairs]
    return build_batch(records, base_offset=base, attributes=attributes)


def test_a_replay_tells_keys_and_values_of_all_batches_but_markers() -> None:
    data = b"".join(
        (
            batch((b"a", b"1"), (b"b", None), base=7),
            batch((b"marker", b"x"), base=20, attributes=CONTROL),
            batch((b"a", b""), base=30),
        )
    )
    records, next_offset = _records_of(memoryview(data))
    assert records == [(b"a", b"1"), (b"b", None), (b"a", b"")]
    assert next_offset == 31


def test_a_record_without_a_key_is_damage() -> None:
    with pytest.raises(CorruptionError, match="offset 8 of __consumer_offsets has no key"):
        _records_of(memoryview(batch((b"a", b"1"), (None, b"1"), base=7)))
