"""One partition that this broker copies from its leader."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from everlog.model.errors import CorruptionError
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import stamp
from service.hot.log import HotLog
from service.hot.rolling import RollLimits
from service.model.cluster import PartitionState
from service.model.topic_config import TopicConfig
from service.partition.follower import FollowerPartition
from service.partition.topic_rules import hot_config
from service.replication.fetching import FetchAnswer, FetchAsk, FetchFault
from tests.unit.partition.ground import Ground, batch, grounded, topic_id

LEADER, ME = NodeId(1), NodeId(2)
TERM = LeaderEpoch(5)

STATE = PartitionState(
    replicas=(LEADER, ME),
    leader=LEADER,
    leader_epoch=TERM,
    leader_broker_epoch=1,
    isr=(LEADER, ME),
    controller_epoch=1,
    version=1,
)


@dataclass
class Follower:
    """What a leader says, and what becomes of it."""

    ground: Ground
    followed: FollowerPartition

    @property
    def hot(self) -> HotLog:
        return self.followed.hot

    async def told(
        self,
        *bases: int,
        high_watermark: int = 0,
        log_start: int = 0,
        term: int = TERM,
        asked: FetchAsk | None = None,
        fault: FetchFault | None = None,
        local_start: int = 0,
        diverging: tuple[int, int] | None = None,
    ) -> None:
        """Answer what was asked, with a batch of one record at each of some offsets."""
        records = bytearray()
        for base in bases:
            made = batch()
            stamp(made, base_offset=base, leader_epoch=LeaderEpoch(term))
            records += made
        answer = FetchAnswer(
            asked=asked or self.followed.ask(),
            fault=fault,
            high_watermark=Offset(high_watermark),
            log_start=Offset(log_start),
            local_start=Offset(local_start),
            diverging=diverging,
            records=memoryview(records),
        )
        await self.followed.take(answer)
        while self.hot.is_busy:
            await asyncio.sleep(0.001)


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    async with grounded() as ground:
        partition = PartitionId(topic_id("t"), 0)
        hot = await ground.store.open(partition, hot_config(TopicConfig.resolve({})), term=TERM)
        followed = FollowerPartition(
            topic=TopicName("t"),
            partition_id=partition,
            state=STATE,
            hot=hot,
            store=ground.store,
            committed=Offset(0),
        )
        yield Follower(ground, followed)


async def test_it_asks_for_what_it_lacks_and_says_what_it_has(follower: Follower) -> None:
    assert follower.followed.ask() == FetchAsk(
        partition=follower.followed.id,
        leader_epoch=TERM,
        offset=Offset(0),
        last_epoch=None,
        log_start=Offset(0),
        durable_end=Offset(0),
        local_start=Offset(0),
        skips_archived=True,
    )
    await follower.told(0, 1, term=3)
    asked = follower.followed.ask()
    assert not asked.skips_archived, "what is there already goes on"
    assert (asked.offset, asked.last_epoch, asked.durable_end) == (2, 3, 2)
    assert follower.followed.is_settled


@pytest.mark.rule("BP-5")
async def test_its_high_watermark_is_the_leaders_as_far_as_it_has_come(follower: Follower) -> None:
    await follower.told(0, 1, high_watermark=9)
    assert follower.followed.high_watermark == 2
    await follower.told(2, high_watermark=1)
    assert follower.followed.high_watermark == 2, "it never goes back"


@pytest.mark.rule("REL-T2")
async def test_an_answer_of_a_term_that_is_over_says_nothing(follower: Follower) -> None:
    asked = replace(follower.followed.ask(), leader_epoch=LeaderEpoch(TERM - 1))
    await follower.told(0, 1, high_watermark=2, asked=asked)
    assert (follower.hot.next_offset, follower.followed.high_watermark) == (0, 0)


@pytest.mark.rule("REL-T1")
async def test_a_log_that_has_gone_another_way_is_cut_and_asks_again(follower: Follower) -> None:
    await follower.told(0, 1, term=2)
    await follower.told(2, 3, 4, term=3)
    await follower.told(diverging=(3, 4))
    assert follower.followed.ask().offset == 4
    await follower.told(diverging=(2, 2))
    assert (follower.followed.ask().offset, follower.followed.ask().last_epoch) == (2, 2)
    await follower.told(2, term=TERM, high_watermark=3)
    assert list(follower.hot.epochs) == [(2, 0), (TERM, 2)]
    assert follower.followed.high_watermark == 3


async def test_what_is_committed_is_never_cut(follower: Follower) -> None:
    await follower.told(0, 1, 2, term=3, high_watermark=3)
    with pytest.raises(CorruptionError, match="lacks what is committed"):
        await follower.told(diverging=(3, 2))
    assert follower.hot.next_offset == 3


@pytest.mark.rule("REL-T7")
async def test_a_log_that_ends_before_the_leaders_starts_begins_anew_there(
    follower: Follower,
) -> None:
    await follower.told(0, 1)
    await follower.told(fault=FetchFault.OUT_OF_RANGE, log_start=7)
    assert (follower.hot.log_start, follower.followed.ask().offset) == (7, 7)
    await follower.told(7, high_watermark=8, log_start=7)
    assert follower.followed.high_watermark == 8


async def test_a_leader_that_knows_none_of_its_terms_is_not_obeyed(follower: Follower) -> None:
    await follower.told(0, 1)
    with pytest.raises(CorruptionError, match="knows nothing"):
        await follower.told(fault=FetchFault.OUT_OF_RANGE, log_start=1)
    assert follower.hot.next_offset == 2


async def test_the_log_start_rises_with_the_leaders(follower: Follower) -> None:
    await follower.told(0, 1, 2, high_watermark=3)
    await follower.told(high_watermark=3, log_start=2)
    assert follower.hot.log_start == 2


async def test_what_the_leader_has_released_is_released_here_as_far_as_it_is_committed(
    follower: Follower,
) -> None:
    small = RollLimits(segment_bytes=100, segment_ms=600_000)
    follower.hot.config = replace(follower.hot.config, roll=small)
    for base in range(6):
        await follower.told(base, high_watermark=4)
    assert len(follower.hot.segments) > 4
    await follower.told(high_watermark=4, local_start=6)
    assert follower.hot.local_start == 4
    assert follower.hot.log_start == 0, "the archive has it"
    hot = await follower.followed.release()
    follower.ground.store.abandon(hot.partition)
    again = await follower.ground.store.open(hot.partition, hot.config, term=TERM)
    assert (again.log_start, again.local_start) == (0, 4), "also for whoever leads next"


async def test_a_log_that_was_given_away_is_not_touched_any_more(follower: Follower) -> None:
    asked = follower.followed.ask()
    hot = await follower.followed.release()
    await follower.told(0, 1, asked=asked)
    assert hot.next_offset == 0


async def test_settings_of_the_topic_reach_its_log(follower: Follower) -> None:
    follower.followed.reconfigure(TopicConfig.resolve({"flush.messages": "1000"}))
    assert not follower.hot.config.flush_always
