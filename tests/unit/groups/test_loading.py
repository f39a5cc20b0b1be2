import pytest

from everlog.model.errors import CorruptionError
from everlog.model.ids import TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.groups.group_record import StoredGroup, encode_group_key, encode_group_value
from service.groups.hosted import HostedGroup
from service.groups.loading import load
from service.groups.moment import Moment
from service.groups.offset_record import CommittedOffset, encode_offset_key, encode_offset_value
from service.groups.ports import OffsetsRecord
from tests.unit.groups.fakes import FakeOffsetsLog

T = TopicName("t")
NOW = Moment(1, 1)


def _offset(group: str, partition: int, offset: int | None) -> OffsetsRecord:
    key = encode_offset_key(group, T, partition)
    if offset is None:
        return key, None
    return key, encode_offset_value(CommittedOffset(offset=Offset(offset), committed_ms=0))


def _group(group: str, generation: int | None) -> OffsetsRecord:
    if generation is None:
        return encode_group_key(group), None
    stored = StoredGroup(
        protocol_type="consumer",
        generation=generation,
        protocol=None,
        leader=None,
        state_changed_ms=7,
        members=(),
    )
    return encode_group_key(group), encode_group_value(stored)


async def _load(*records: OffsetsRecord) -> dict[str, HostedGroup]:
    log = FakeOffsetsLog()
    log.records[0] = list(records)
    return await load(log, 0, LeaderEpoch(1), lambda: NOW)


async def test_the_last_record_of_a_key_counts() -> None:
    groups = await _load(
        _offset("a", 0, 1), _group("a", 1), _offset("a", 0, 2), _group("a", 2), _offset("b", 0, 9)
    )
    assert groups["a"].group.generation == 2
    assert groups["a"].offsets.get(T, 0) == CommittedOffset(offset=Offset(2), committed_ms=0)
    assert groups["b"].group.protocol_type is None
    assert groups["b"].group.state_changed_ms is None


async def test_what_was_removed_is_gone() -> None:
    groups = await _load(
        _offset("a", 0, 1), _group("b", 1), _offset("a", 0, None), _group("b", None)
    )
    assert groups == {}


async def test_what_was_removed_and_came_back_is_there() -> None:
    groups = await _load(_offset("a", 0, 1), _offset("a", 0, None), _offset("a", 0, 3))
    assert groups["a"].offsets.count == 1


async def test_records_of_other_kinds_are_left_alone() -> None:
    """As those of KIP-848: key types 3 and above."""
    foreign = [(bytes((0, kind)) + b"whatever", b"whatever") for kind in range(3, 20)]
    groups = await _load(*foreign, _offset("a", 0, 1))
    assert set(groups) == {"a"}


async def test_keys_of_old_brokers_give_way_to_those_of_new_ones() -> None:
    key, value = _offset("a", 0, 5)
    _, old_value = _offset("a", 0, 4)
    groups = await _load((key, value), (b"\0\0" + key[2:], old_value))
    committed = groups["a"].offsets.get(T, 0)
    assert committed is not None
    assert committed.offset == 5


@pytest.mark.parametrize(
    "record",
    [
        (b"", b""),
        (b"\0", b""),
        (b"\0\1\0", b""),
        (b"\0\2\0\5ab", None),
        (encode_offset_key("a", T, 0), b""),
        (encode_group_key("a"), b"\0\3"),
    ],
)
async def test_damaged_records_are_never_skipped(record: OffsetsRecord) -> None:
    with pytest.raises(CorruptionError):
        await _load(_offset("a", 0, 1), record)


async def test_many_keys_are_read_in_turns() -> None:
    groups = await _load(*(_offset(f"g{number % 50}", number, number) for number in range(5_000)))
    assert sum(hosted.offsets.count for hosted in groups.values()) == 5_000
