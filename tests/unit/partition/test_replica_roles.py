"""What a broker is to a partition, and how its log goes from role to role."""

import asyncio
from dataclasses import replace

import pytest

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import stamp
from service.coordination.image_delta import compare
from service.model.topic_config import TopicConfig
from service.partition.follower import FollowerPartition
from service.partition.partition import Partition
from service.partition.replica_roles import Held
from service.replication.fetching import FetchAnswer
from tests.unit.broker.handlers.town import Town, town
from tests.unit.partition.ground import batch, settled

OTHER = NodeId(9)


async def followed(place: Town) -> FollowerPartition:
    """Lead a topic of one record, and follow another broker from then on."""
    partition = await place.topic("t")
    partition.append(batch())
    await settled(partition)
    await place.keeper._roles.follow(held(partition, OTHER, 7), partition.config)
    (found,) = place.keeper._roles._fetching.partitions
    return found


def held(partition: Partition, leader: NodeId, epoch: int) -> Held:
    me = partition.replicas.state.replicas[0]
    state = replace(
        partition.replicas.state,
        replicas=(me, OTHER),
        isr=(me, OTHER),
        leader=leader,
        leader_epoch=LeaderEpoch(epoch),
    )
    return Held(partition.topic, partition.id, state)


async def test_a_leader_that_follows_keeps_its_log_and_what_it_knows_to_be_committed() -> None:
    async with town() as place:
        follower = await followed(place)
        assert len(place.table) == 0
        assert place.tiers.events[-1][0] == "close"
        assert (follower.hot.log_end, follower.high_watermark) == (1, 1)


async def test_a_follower_that_leads_serves_what_it_has() -> None:
    async with town() as place:
        partition = await place.topic("t")
        me = partition.replicas.state.replicas[0]
        roles = place.keeper._roles
        await roles.follow(held(partition, OTHER, 7), partition.config)
        await roles.lead(held(partition, me, 8), partition.config)
        again = place.table.led("t", 0)
        assert again is not partition
        assert (again.leader_epoch, again.hot) == (8, partition.hot)
        assert list(roles._fetching.partitions) == []


async def test_a_new_term_of_the_same_leader_is_led_on() -> None:
    async with town() as place:
        partition = await place.topic("t")
        me = partition.replicas.state.replicas[0]
        await place.keeper._roles.lead(held(partition, me, 8), partition.config)
        assert place.table.led("t", 0) is partition
        assert partition.leader_epoch == 8
        assert [event for event, _ in place.tiers.events] == ["open", "close", "open"]


async def test_a_follower_whose_disk_has_refused_is_opened_again() -> None:
    async with town() as place:
        follower = await followed(place)
        made = batch()
        stamp(made, base_offset=1, leader_epoch=LeaderEpoch(7))
        place.disk.room = 10
        await follower.take(
            FetchAnswer(asked=follower.ask(), records=made, high_watermark=follower.hot.log_end)
        )
        while follower.hot.is_busy:
            await asyncio.sleep(0.001)
        assert follower.hot.failure is not None
        place.disk.heal()
        await place.keeper._reopen_failed()
        (again,) = place.keeper._roles._fetching.partitions
        assert again is not follower
        assert again.hot.failure is None
        assert (again.ask().offset, again.high_watermark, place.broken) == (1, 1, [])


async def test_what_was_committed_before_an_unclean_leader_may_be_cut() -> None:
    async with town() as place:
        follower = await followed(place)
        roles = place.keeper._roles
        partition = Held(follower.topic, follower.id, follower.state)
        config = TopicConfig.resolve({})
        for epoch, unclean_epoch, committed in ((8, 7, 1), (9, 9, 0)):
            state = replace(
                partition.state,
                leader_epoch=LeaderEpoch(epoch),
                unclean_epoch=LeaderEpoch(unclean_epoch),
            )
            await roles.follow(replace(partition, state=state), config)
            (found,) = roles._fetching.partitions
            assert (found.leader_epoch, found.high_watermark) == (epoch, committed)
        told = from_nothing(found)
        await found.take(told)
        assert found.hot.log_end == 0


def from_nothing(follower: FollowerPartition) -> FetchAnswer:
    """Return the answer of a leader that has nothing."""
    return FetchAnswer(
        asked=follower.ask(), diverging=(LeaderEpoch(-1), Offset(0)), high_watermark=Offset(0)
    )


@pytest.mark.rule("REL-C9")
async def test_nobody_waits_for_brokers_that_have_gone_or_drain() -> None:
    async with town() as place:
        partition = await place.topic("t")
        me = place.stage.broker
        await place.keeper._roles.lead(held(partition, me.id, 8), partition.config)
        other = replace(me, id=OTHER)
        image = place.stage.image
        for brokers, away in (
            ((me,), {OTHER}),
            ((me, other), set()),
            ((me, replace(other, draining=True)), {OTHER}),
        ):
            after = replace(image, brokers={each.id: each for each in brokers})
            place.keeper.follow(compare(image, after, ()))
            await place.keeper.settled()
            assert partition.replicas.away == away
            image = after
