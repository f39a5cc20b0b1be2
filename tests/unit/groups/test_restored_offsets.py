"""Offsets of a cut fit what is restored: set back, or left out where all records are gone."""

from everlog.format.cut import CutOffset
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.groups.offset_record import decode_offset_key, decode_offset_value
from service.groups.partitioning import group_partition
from service.groups.restored_offsets import (
    GroupsInCut,
    RestoredEnds,
    offsets_records,
    offsets_that_hold,
)

A, B, GONE = (TopicId(name * 16) for name in (b"a", b"b", b"g"))
TOPICS = {
    A: RestoredEnds(name=TopicName("a"), ends=[Offset(100), Offset(0)]),
    B: RestoredEnds(name=TopicName("b-renamed"), ends=[Offset(5)]),
}
NOW_MS = 1_000


def row(partition: int, offset: int, retention_ms: int | None = None) -> CutOffset:
    return CutOffset(partition, Offset(offset), LeaderEpoch(3), "noted", retention_ms)


def test_an_offset_up_to_the_end_stays_and_one_beyond_is_set_back_to_it() -> None:
    groups: GroupsInCut = {"g": {A: [row(0, 100), row(1, 1)], B: [row(0, 6)]}}
    found = offsets_that_hold(groups, TOPICS)
    assert (found.restored, found.clamped, found.dropped) == (3, 2, 0)
    assert found.groups == {
        "g": {
            A: [row(0, 100), CutOffset(1, Offset(0), None, "noted", None)],
            B: [CutOffset(0, Offset(5), None, "noted", None)],
        }
    }


def test_offsets_in_what_does_not_come_back_are_left_out_and_counted() -> None:
    groups: GroupsInCut = {"g": {A: [row(0, 1), row(2, 1)]}, "h": {GONE: [row(0, 1), row(1, 1)]}}
    found = offsets_that_hold(groups, TOPICS)
    assert (found.restored, found.clamped, found.dropped) == (1, 0, 3)
    assert found.groups == {"g": {A: [row(0, 1)]}}


def test_records_are_in_the_partition_of_their_group_under_the_names_of_now() -> None:
    groups: GroupsInCut = {"g": {A: [row(0, 1, 50)], B: [row(0, 2)]}, "other": {A: [row(0, 3)]}}
    records = offsets_records(
        offsets_that_hold(groups, TOPICS), TOPICS, partitions=7, now_ms=NOW_MS
    )
    assert records.keys() == {group_partition("g", 7), group_partition("other", 7)}
    read = [
        (decode_offset_key(key), decode_offset_value(value or b""))
        for key, value in records[group_partition("g", 7)]
    ]
    assert [(key.group_id, key.topic, value.offset) for key, value in read] == [
        ("g", "a", 1),
        ("g", "b-renamed", 2),
    ]
    # As if committed now: a cluster that was away for a month has not forgotten them.
    assert {value.committed_ms for _, value in read} == {NOW_MS}
    assert [value.expires_ms for _, value in read] == [NOW_MS + 50, None]
    # The format for a retention of its own knows no epochs.
    assert [(value.leader_epoch, value.metadata) for _, value in read] == [
        (None, "noted"),
        (3, "noted"),
    ]
