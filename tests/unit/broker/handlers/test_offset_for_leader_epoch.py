"""OffsetForLeaderEpoch: where a term ended."""

from service.broker.handlers.offset_for_leader_epoch import OffsetForLeaderEpochHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.unit.broker.handlers.town import Town, context, town
from tests.unit.partition.ground import batch, settled
from tests.unit.replication.lone import lone_replica


async def ask(
    place: Town, epoch: int, *, current: int = -1, index: int = 0
) -> tuple[int, int, int]:
    wanted = OffsetForLeaderPartition(
        partition=index, current_leader_epoch=current, leader_epoch=epoch
    )
    topics = [OffsetForLeaderTopic(topic="t", partitions=[wanted])]
    handler = OffsetForLeaderEpochHandler(partitions=place.table)
    response = await handler(context(4), OffsetForLeaderEpochRequest(topics=topics))
    (found,) = response.topics[0].partitions
    return found.error_code, found.leader_epoch, found.end_offset


async def test_terms_end_where_the_next_began() -> None:
    async with town() as place:
        partition = await place.topic("t")
        first = partition.leader_epoch
        assert await ask(place, first) == (0, first, 0)
        partition.append(batch(3))
        await settled(partition)
        partition.begin_term(lone_replica(first + 2))
        partition.append(batch(2))
        await settled(partition)
        assert await ask(place, first) == (0, first, 3)
        assert await ask(place, first + 1) == (0, first, 3)
        assert await ask(place, first + 2) == (0, first + 2, 5)
        assert await ask(place, first + 3) == (0, -1, -1)


async def test_the_askers_own_term_is_compared() -> None:
    async with town() as place:
        partition = await place.topic("t")
        epoch = partition.leader_epoch
        assert (await ask(place, 0, current=epoch + 1))[0] == ErrorCode.UNKNOWN_LEADER_EPOCH
        partition.begin_term(lone_replica(epoch + 1))
        assert (await ask(place, 0, current=epoch))[0] == ErrorCode.FENCED_LEADER_EPOCH
        assert (await ask(place, 0, index=9))[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
