"""Pure: what a restore makes of the offsets in a cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everlog.format.cut import CutOffset
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import Offset
from service.groups.offset_record import CommittedOffset, encode_offset_key, encode_offset_value
from service.groups.partitioning import group_partition
from service.groups.ports import OffsetsRecord

GroupsInCut = Mapping[str, Mapping[TopicId, Sequence[CutOffset]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredEnds:
    """A topic that is restored with its records.

    Attributes:
        ends: Where each partition ends.
    """

    name: TopicName
    ends: Sequence[Offset]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredOffsets:
    """Offsets as they hold after the restore.

    Attributes:
        groups: By group and topic; groups of which nothing is left are left out.
        restored: How many offsets there are, those that are clamped included.
        clamped: How many were beyond what is restored of their partition, and are at its end now.
        dropped: How many are left out: of topics that come back without records, or not at all.
    """

    groups: GroupsInCut
    restored: int = 0
    clamped: int = 0
    dropped: int = 0


NO_OFFSETS = RestoredOffsets(groups={})


def offsets_that_hold(
    groups: GroupsInCut, topics: Mapping[TopicId, RestoredEnds]
) -> RestoredOffsets:
    """Fit offsets to what is restored of the topics."""
    kept: dict[str, dict[TopicId, list[CutOffset]]] = {}
    restored = clamped = dropped = 0
    for group_id, by_topic in groups.items():
        for topic_id, rows in by_topic.items():
            topic = topics.get(topic_id)
            ends = () if topic is None else topic.ends
            holds = [row for row in rows if row.partition < len(ends)]
            fitting = [_fitted(row, ends[row.partition]) for row in holds]
            restored += len(fitting)
            dropped += len(rows) - len(fitting)
            clamped += sum(row is not each for row, each in zip(holds, fitting, strict=True))
            if fitting:
                kept.setdefault(group_id, {})[topic_id] = fitting
    return RestoredOffsets(groups=kept, restored=restored, clamped=clamped, dropped=dropped)


def offsets_records(
    offsets: RestoredOffsets,
    topics: Mapping[TopicId, RestoredEnds],
    *,
    partitions: int,
    now_ms: int,
) -> dict[int, list[OffsetsRecord]]:
    """Return the records of each partition of the offsets topic that has any.

    Args:
        offsets: What to write down.
        topics: Their names.
        partitions: How many the offsets topic has.
        now_ms: When the offsets count as committed: a cluster that was away for longer than offsets
            are kept must not forget them at its first look.
    """
    found: dict[int, list[OffsetsRecord]] = {}
    for group_id, by_topic in offsets.groups.items():
        records = found.setdefault(group_partition(group_id, partitions), [])
        for topic_id, rows in by_topic.items():
            name = topics[topic_id].name
            for row in rows:
                key = encode_offset_key(group_id, name, row.partition)
                records.append((key, encode_offset_value(_committed(row, now_ms))))
    return found


def _fitted(row: CutOffset, end: Offset) -> CutOffset:
    # The records of that epoch are gone: with it a client would look for where they have diverged.
    return row._replace(offset=end, leader_epoch=None) if row.offset > end else row


def _committed(row: CutOffset, now_ms: int) -> CommittedOffset:
    return CommittedOffset(
        offset=row.offset,
        leader_epoch=row.leader_epoch,
        metadata=row.metadata,
        committed_ms=now_ms,
        expires_ms=None if row.retention_ms is None else now_ms + row.retention_ms,
    )
