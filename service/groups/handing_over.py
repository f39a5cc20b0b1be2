"""The committed offsets of all groups that this broker coordinates, for whoever makes a cut."""

import asyncio
from collections.abc import Iterable, Mapping

from everlog.format.cut import CutOffset
from everlog.model.ids import TopicName
from service.groups.errors import CoordinatorLoadingError
from service.groups.offset_record import CommittedOffset
from service.groups.shard import Shard
from service.model.committed_offsets import CommittedOffsets

OFFSETS_PER_TURN = 2_000
"""How many offsets are copied before other work gets its turn; a few milliseconds."""


async def hand_over(shards: Iterable[Shard]) -> CommittedOffsets:
    """Copy what is durable of each group at the moment that its turn comes.

    Raises:
        CoordinatorLoadingError: A partition is not read yet, or another term has begun meanwhile.
    """
    partitions: set[int] = set()
    groups: dict[str, dict[TopicName, list[CutOffset]]] = {}
    seen = 0
    for shard in list(shards):
        for group_id in list(shard.groups):
            hosted = shard.groups.get(group_id)
            if hosted is not None and hosted.offsets.count:
                groups[group_id] = _offsets(hosted.offsets.topics)
                seen += hosted.offsets.count
            if seen >= OFFSETS_PER_TURN:
                seen = 0
                await asyncio.sleep(0)
        if not shard.is_active:
            raise CoordinatorLoadingError
        partitions.add(shard.partition)
    return CommittedOffsets(partitions=frozenset(partitions), groups=groups)


def _offsets(
    topics: Mapping[TopicName, Mapping[int, CommittedOffset]],
) -> dict[TopicName, list[CutOffset]]:
    return {
        topic: [
            CutOffset(
                partition,
                each.offset,
                each.leader_epoch,
                each.metadata,
                None if each.expires_ms is None else max(0, each.expires_ms - each.committed_ms),
            )
            for partition, each in sorted(partitions.items())
        ]
        for topic, partitions in topics.items()
    }
