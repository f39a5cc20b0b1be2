"""A replica reads what is not committed yet, and tells how far it is."""

from dataclasses import replace
from typing import Any

import pytest

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import walk
from service.hot.leader_epochs import LeaderEpochs
from service.hot.producer_state import ProducerStates
from service.hot.restart import LogRestart
from service.model.log import LogSlice, ReadBounds, TimestampOffset
from service.model.serving import Deferred
from service.partition.partition import Partition
from service.partition.replication_throttle import ReplicationThrottle, Side
from service.partition.unified_log import UnifiedLog
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    PartitionData,
    ReplicaState,
)
from service.replication.leader import LeaderReplicas
from tests.unit.broker.handlers.test_fetch import answered, filled, only
from tests.unit.broker.handlers.town import Town, context, town

VERSION = 17
FOLLOWER = NodeId(2)
TERM = LeaderEpoch(4)


class Archived:
    """The archive of offsets 0 to 4."""

    start, end = Offset(0), Offset(5)

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice:
        raise AssertionError("no replica reads from the archive")

    async def newest_timestamp(self) -> int | None:
        return None

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        return None


async def led(place: Town, topic: str = "t") -> Partition:
    """Lead a topic of two replicas, both in sync, in a later term than its creation."""
    partition = await place.topic(topic)
    me = place.stage.broker.id
    state = replace(
        partition.replicas.state,
        replicas=(me, FOLLOWER),
        isr=(me, FOLLOWER),
        leader_epoch=TERM,
    )
    partition.begin_term(
        LeaderReplicas(
            state,
            me=me,
            term_start=partition.hot.next_offset,
            isr_min=2,
            lag_seconds_max=10.0,
            now=place.clock.monotonic(),
        )
    )
    return partition


def asking(partition: Partition, offset: int, *, epoch: int = 7, **fields: Any) -> FetchRequest:
    asked = {"current_leader_epoch": TERM, "partition_max_bytes": 1 << 20, **fields}
    wanted = FetchPartition(fetch_offset=offset, **asked)
    return FetchRequest(
        replica_state=ReplicaState(replica_id=FOLLOWER, replica_epoch=epoch),
        topics=[FetchTopic(topic_id=partition.id.topic_id, partitions=[wanted])],
    )


async def told(place: Town, request: FetchRequest) -> PartitionData:
    return only(await answered(place.fetch_handler()(context(VERSION), request)))


def offsets(result: PartitionData) -> list[int]:
    assert isinstance(result.records, memoryview | bytes)
    return [header.base_offset for _, header in walk(result.records)]


async def test_a_replica_reads_to_the_end_of_the_log() -> None:
    async with town() as place:
        partition = await led(place)
        await filled(partition, 3, 2)
        assert partition.high_watermark == 0
        assert offsets(await told(place, asking(partition, 0))) == [0, 3]


@pytest.mark.rule("REL-I1")
async def test_what_it_has_safely_is_committed_and_it_hears_so_at_once() -> None:
    async with town() as place:
        partition = await led(place)
        await filled(partition, 3)
        result = await told(place, asking(partition, 3, synced_end=2))
        assert (partition.high_watermark, result.high_watermark) == (2, 2)
        assert result.local_start == partition.local_start == 0
        await told(place, asking(partition, 3))
        assert partition.high_watermark == 3, "who does not say has what it asks behind"


@pytest.mark.rule("REL-I3")
@pytest.mark.rule("TIER-19")
async def test_a_fetch_of_another_term_tells_nothing() -> None:
    async with town() as place:
        partition = await led(place)
        await filled(partition, 3)
        for term, code in (
            (TERM - 1, ErrorCode.FENCED_LEADER_EPOCH),
            (TERM + 1, ErrorCode.UNKNOWN_LEADER_EPOCH),
        ):
            result = await told(place, asking(partition, 3, current_leader_epoch=term))
            assert result.error_code == code
        assert partition.high_watermark == 0


@pytest.mark.rule("REL-2.5")
async def test_an_earlier_start_of_the_replica_is_refused() -> None:
    async with town() as place:
        partition = await led(place)
        await told(place, asking(partition, 0, epoch=8))
        result = await told(place, asking(partition, 0, epoch=7))
        assert result.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER


@pytest.mark.rule("REL-T1")
async def test_a_replica_whose_terms_are_all_older_than_the_leaders_begins_again() -> None:
    async with town() as place:
        partition = await led(place)
        await filled(partition, 3)
        result = await told(place, asking(partition, 1, last_fetched_epoch=TERM - 2))
        assert result.error_code == ErrorCode.NONE
        assert (result.diverging_epoch.epoch, result.diverging_epoch.end_offset) == (-1, 0)
        assert partition.replicas.followers[FOLLOWER].durable_end == -1, "it may have to cut"


@pytest.mark.rule("REL-T8")
async def test_below_the_log_start_it_hears_that_first() -> None:
    async with town() as place:
        partition = await led(place)
        await filled(partition, 3)
        await place.store.set_log_start(partition.hot, Offset(2))
        result = await told(place, asking(partition, 1, last_fetched_epoch=TERM - 2))
        assert result.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        assert result.log_start_offset == 2


@pytest.mark.rule("KIP-405")
async def test_a_replica_is_told_what_it_gets_from_the_archive_only() -> None:
    async with town() as place:
        partition = await led(place)
        restart = LogRestart(
            offset=Offset(5),
            log_start=Offset(0),
            epochs=LeaderEpochs([(1, 0)]),
            producers=ProducerStates(),
        )
        hot = await place.store.restart(partition.hot, restart)
        partition.hot, partition.log = hot, UnifiedLog(hot=hot, cold=Archived())
        result = await told(place, asking(partition, 4))
        assert result.error_code == ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE
        assert (result.log_start_offset, result.local_start) == (0, 5)
        result = await told(place, asking(partition, 5))
        assert result.error_code == ErrorCode.NONE


@pytest.mark.rule("KIP-1023")
async def test_a_replica_that_has_nothing_is_not_sent_what_is_archived() -> None:
    async with town() as place:
        partition = await led(place)
        await filled(partition, 5, 2)
        partition.log = UnifiedLog(hot=partition.hot, cold=Archived())
        for offset, code in (
            (0, ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE),
            (4, ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE),
            (5, ErrorCode.NONE),
        ):
            result = await told(place, asking(partition, offset, skips_archived=True))
            assert (result.error_code, result.local_start) == (code, 0)
        assert offsets(await told(place, asking(partition, 0))) == [0, 5]


async def test_a_replica_that_waits_is_woken_by_what_is_written_and_not_committed() -> None:
    async with town() as place:
        partition = await led(place)
        request = asking(partition, 0)
        request.min_bytes, request.max_wait_ms = 1, 60_000
        waiting = place.fetch_handler()(context(VERSION), request)
        await filled(partition, 1)
        assert offsets(only(await answered(waiting))) == [0]
        assert partition.high_watermark == 0


@pytest.mark.rule("KIP-392")
async def test_a_replica_that_tells_what_it_knows_to_be_committed_hears_of_more_at_once() -> None:
    async with town() as place:
        partition = await led(place)
        await filled(partition, 1)
        request = asking(partition, 1, synced_end=0, high_watermark=0)
        request.min_bytes, request.max_wait_ms = 1, 60_000
        waiting = place.fetch_handler()(context(VERSION), request)
        assert isinstance(waiting, Deferred)
        await told(place, asking(partition, 1, synced_end=1))
        assert only(await answered(waiting)).high_watermark == 1


@pytest.mark.rule("TIER-19")
async def test_a_deposed_leader_commits_nothing_any_more() -> None:
    """It has not heard of its successor; its follower has, and fetches in the later term."""
    async with town() as place:
        partition = await led(place)
        acknowledged: list[object] = []
        partition.append_waiters.add(1, acknowledged.append)
        await filled(partition, 1)
        for offset in (0, 1):
            request = asking(partition, offset, current_leader_epoch=TERM + 1)
            assert (await told(place, request)).error_code == ErrorCode.UNKNOWN_LEADER_EPOCH
        assert (partition.high_watermark, acknowledged) == (0, [])


@pytest.mark.rule("KIP-73")
async def test_a_replica_that_is_over_its_rate_gets_the_other_partitions_alone() -> None:
    async with town() as place:
        limited, free = await led(place), await led(place, "u")
        await filled(limited, 3)
        await filled(free, 3)
        await place.stage.topics.alter_topic_config(
            limited.topic, lambda _: {Side.LEADER.replicas_setting: "*"}
        )
        throttle = ReplicationThrottle(
            Side.LEADER, image=place.images, rate=lambda: 1, clock=place.clock
        )
        handler = place.fetch_handler(throttle=throttle)
        request = asking(limited, 0)
        request.topics += asking(free, 0).topics
        for expected in ([True, True], [False, True]):
            response = await answered(handler(context(VERSION), request))
            found = [bool(topic.partitions[0].records) for topic in response.responses]
            assert found == expected
            codes = {topic.partitions[0].error_code for topic in response.responses}
            assert codes == {ErrorCode.NONE}
