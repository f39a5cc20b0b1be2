"""One loop for each leader copies what it leads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import stamp
from service.hot.leader_epochs import LeaderEpochs
from service.hot.log import HotLog
from service.hot.producer_state import ProducerStates
from service.hot.restart import LogRestart
from service.model.topic_config import TopicConfig
from service.partition.follower import FollowerPartition
from service.partition.replica_fetching import ReplicaFetching
from service.partition.replication_throttle import ReplicationThrottle
from service.partition.topic_rules import hot_config
from service.replication.fetching import (
    NO_RECORDS,
    FetchAnswer,
    FetchAsk,
    FetchFault,
    LeaderChannel,
    LeaderLostError,
)
from tests.unit.partition.ground import batch, grounded, topic_id
from tests.unit.partition.test_follower import LEADER, ME, STATE, TERM
from tests.unit.partition.test_replication_throttle import limit
from tests.unit.partition.unlimited import unlimited

Reply = Callable[[FetchAsk], FetchAnswer]


@dataclass
class Leader:
    """A `LeaderChannel` that answers as a test says, one request at a time; in haste, nothing."""

    asked: "asyncio.Queue[Sequence[FetchAsk]]" = field(default_factory=asyncio.Queue)
    answers: "asyncio.Queue[Reply | LeaderLostError]" = field(default_factory=asyncio.Queue)
    asked_in_haste: list[int] = field(default_factory=list)
    is_asked: bool = False
    is_closed: bool = False

    async def fetch(self, asks: Sequence[FetchAsk], *, is_hasty: bool = False) -> list[FetchAnswer]:
        if is_hasty:
            self.asked_in_haste = [each.partition.partition for each in asks]
            await asyncio.sleep(0.001)
            return [nothing(ask) for ask in asks]
        self.is_asked = True
        self.asked.put_nowait(asks)
        reply = await self.answers.get()
        if isinstance(reply, LeaderLostError):
            raise reply
        return [reply(ask) for ask in asks]

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Archive:
    """Tells where logs begin, as a test says."""

    asked: "asyncio.Queue[HotLog]" = field(default_factory=asyncio.Queue)
    ends: "asyncio.Queue[int | EverlogError]" = field(default_factory=asyncio.Queue)

    async def find_start(self, hot: HotLog) -> LogRestart:
        self.asked.put_nowait(hot)
        end = await self.ends.get()
        if isinstance(end, EverlogError):
            raise end
        return LogRestart(
            offset=Offset(end),
            log_start=Offset(0),
            epochs=LeaderEpochs([(1, 0)]),
            producers=ProducerStates(),
        )


@dataclass
class Place:
    fetching: ReplicaFetching
    leaders: list[Leader]
    broken: list[EverlogError]
    archive: "Archive"
    new: "Callable[[int], asyncio.Task[FollowerPartition]]"

    @property
    def patient(self) -> list[Leader]:
        """The channels of loops, without those of lanes."""
        return [each for each in self.leaders if each.is_asked]

    async def asks(self) -> Sequence[FetchAsk]:
        async with asyncio.timeout(10):
            while all(each.asked.empty() for each in self.leaders):
                await asyncio.sleep(0)
        return self.patient[-1].asked.get_nowait()

    def reply(self, reply: Reply | LeaderLostError) -> None:
        self.patient[-1].answers.put_nowait(reply)


@asynccontextmanager
async def _place(throttle: ReplicationThrottle | None = None) -> AsyncIterator[Place]:
    async with grounded() as ground, asyncio.TaskGroup() as tasks:
        leaders: list[Leader] = []
        broken: list[EverlogError] = []

        def connect(_leader: NodeId) -> LeaderChannel:
            leaders.append(Leader())
            return leaders[-1]

        async def follow(number: int) -> FollowerPartition:
            partition = PartitionId(topic_id("t"), number)
            hot = await ground.store.open(partition, hot_config(TopicConfig.resolve({})))
            followed = FollowerPartition(
                topic=TopicName("t"),
                partition_id=partition,
                state=STATE,
                hot=hot,
                store=ground.store,
                committed=Offset(0),
            )
            fetching.follow(followed)
            return followed

        archive = Archive()
        fetching = ReplicaFetching(
            me=ME,
            connect=connect,
            backoff_seconds=0.01,
            spawn=tasks.create_task,
            on_broken=lambda _, error: broken.append(error),
            find_start=archive.find_start,
            throttle=throttle or unlimited(),
        )
        yield Place(fetching, leaders, broken, archive, lambda n: tasks.create_task(follow(n)))
        await fetching.close()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with _place() as place:
        yield place


def records(base: int, *, term: int = TERM) -> memoryview:
    made = batch()
    stamp(made, base_offset=base, leader_epoch=LeaderEpoch(term))
    return memoryview(made)


def nothing(ask: FetchAsk) -> FetchAnswer:
    return FetchAnswer(asked=ask, high_watermark=Offset(0), log_start=Offset(0))


def next_one(ask: FetchAsk) -> FetchAnswer:
    return replace(nothing(ask), records=records(ask.offset))


async def test_each_request_tells_what_the_one_before_has_brought(place: Place) -> None:
    await place.new(0)
    for number in range(3):
        (ask,) = await place.asks()
        assert (ask.offset, ask.durable_end) == (number, number), "it is safe before it asks again"
        place.reply(next_one)


async def test_all_that_one_broker_leads_is_asked_for_at_once(place: Place) -> None:
    await place.new(0)
    await place.asks()
    await place.new(1)
    place.reply(nothing)
    assert {each.partition.partition for each in await place.asks()} == {0, 1}
    assert len(place.patient) == 1


async def test_what_is_followed_meanwhile_does_not_wait_for_an_old_request(place: Place) -> None:
    await place.new(0)
    await place.asks()
    await place.new(1)
    while not place.leaders[-1].asked_in_haste:
        await asyncio.sleep(0)
    assert place.leaders[-1].asked_in_haste == [1]
    assert place.patient == place.leaders[:1], "the old request is still on its way"
    place.reply(nothing)
    assert {each.partition.partition for each in await place.asks()} == {0, 1}
    assert place.leaders[-1].is_closed


async def test_who_comes_when_the_others_in_the_lane_have_gone_is_asked_for_as_well(
    place: Place,
) -> None:
    await place.new(0)
    await place.asks()
    for number in (1, 2):
        followed = await place.new(number)
        while place.leaders[-1].asked_in_haste != [number]:
            await asyncio.sleep(0)
        place.fetching.leave(followed.id)
        while not place.leaders[-1].is_closed:
            await asyncio.sleep(0.001)
    assert place.patient == place.leaders[:1]


async def test_a_leader_that_is_lost_is_asked_again_over_another_connection(place: Place) -> None:
    await place.new(0)
    await place.asks()
    place.reply(LeaderLostError("gone"))
    first = place.leaders[0]
    while len(place.leaders) < 2:
        await asyncio.sleep(0.001)
    assert first.is_closed
    await place.asks()


async def test_one_that_was_damaged_rests_and_the_others_go_on(place: Place) -> None:
    await place.new(0)
    await place.asks()
    await place.new(1)
    place.reply(nothing)
    await place.asks()

    def spoil_one(ask: FetchAsk) -> FetchAnswer:
        spoiled = memoryview(bytes(records(0)[:-1]) + b"!")
        return replace(nothing(ask), records=NO_RECORDS if ask.partition.partition else spoiled)

    place.reply(spoil_one)
    assert [ask.partition.partition for ask in await place.asks()] == [1]
    while True:
        place.reply(nothing)
        if len(await place.asks()) == 2:
            return


@pytest.mark.rule("TIER-28")
async def test_one_that_cannot_be_copied_is_told_and_left_and_the_others_go_on(
    place: Place,
) -> None:
    await place.new(0)
    await place.asks()
    await place.new(1)
    place.reply(next_one)
    await place.asks()

    def contradict_one(ask: FetchAsk) -> FetchAnswer:
        fault = None if ask.partition.partition else FetchFault.OUT_OF_RANGE
        return replace(nothing(ask), fault=fault)

    place.reply(contradict_one)
    assert [ask.partition.partition for ask in await place.asks()] == [1]
    assert len(place.broken) == 1
    assert place.fetching.get(PartitionId(topic_id("t"), 0)) is None


async def test_what_was_left_is_not_asked_for_and_its_answer_changes_nothing(place: Place) -> None:
    followed = await place.new(0)
    await place.asks()
    assert place.fetching.leave(followed.id) is followed
    hot = await followed.release()
    place.reply(next_one)
    await asyncio.sleep(0.01)
    assert hot.next_offset == 0
    assert place.leaders[0].asked.empty()


async def test_nobody_follows_a_broker_that_is_itself(place: Place) -> None:
    followed = await place.new(0)
    await place.asks()
    for leader in (ME, None):
        state = replace(STATE, leader=leader)
        place.fetching.follow(
            FollowerPartition(
                topic=followed.topic,
                partition_id=followed.id,
                state=state,
                hot=followed.hot,
                store=followed._store,
                committed=Offset(0),
            )
        )
    assert [each.leader for each in place.fetching.partitions] == [None]
    assert LEADER != ME
    assert len(place.patient) == 1


@pytest.mark.rule("KIP-73")
async def test_a_partition_that_is_over_its_rate_keeps_no_others_waiting() -> None:
    throttle, _ = limit("0:2", rate=1)
    async with _place(throttle) as place:
        limited, free = await place.new(0), await place.new(1)
        asks = await place.asks()
        while len(asks) < 2:
            place.reply(nothing)
            asks = await place.asks()
        place.reply(next_one)
        assert [each.partition for each in await place.asks()] == [free.id]
        assert limited.hot.log_end > 0, "it is limited by what it has copied"
