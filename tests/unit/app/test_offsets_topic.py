import pytest

from everlog.model.errors import CorruptionError
from everlog.records.batch import CONTROL
from everlog.records.builder import Record, build_batch
from service.app.offsets_topic import PartitionOffsetsLog, _records_of
from service.groups.partitioning import OFFSETS_TOPIC
from service.partition.disk_pressure import DiskLevel, DiskRoom, Pressure
from service.partition.errors import DiskCrowdedError
from tests.unit.broker.handlers.town import town


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


async def test_committed_offsets_are_taken_to_the_reserve_while_producers_are_refused() -> None:
    async with town() as place:
        led = await place.topic(OFFSETS_TOPIC, cleanup_policy="compact")
        log = PartitionOffsetsLog(
            partitions=place.table,
            images=place.stage.images,
            disk=place.gate,
            contact=place.contact,
            clock=place.clock,
        )
        room = DiskRoom(high=-100, high_step=1, critical=-10, critical_step=1, reserve=110)
        place.gate.adjust(Pressure(level=DiskLevel.REFUSE), room)
        pair = [(b"key", b"value")]
        await log.append(0, pair, leader_epoch=led.leader_epoch, timeout_ms=1000)
        assert led.high_watermark == 1
        with pytest.raises(DiskCrowdedError):
            await log.append(0, pair, leader_epoch=led.leader_epoch, timeout_ms=1000)
        assert led.hot.next_offset == 1
