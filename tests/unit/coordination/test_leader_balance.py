"""Leaders go back to where they are preferred, once too many of a broker's are elsewhere."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from everlog.model.ids import NodeId, TopicId, TopicName
from service.coordination.asked_elections import LeaderElections
from service.coordination.leader_balance import LeaderBalance, misplaced
from service.coordination.leadership import ElectionStats, default_rules
from service.coordination.registration import register_broker
from service.model.cluster import EMPTY_IMAGE, Broker, ClusterImage, PartitionState, TopicImage
from tests.unit.coordination.stage import description, founded, open_server, running
from tests.unit.coordination.test_elections import STATE, nodes

T = TopicName("t")


def broker(number: int, *, draining: bool = False) -> Broker:
    return Broker(
        id=NodeId(number),
        epoch=10,
        endpoints=(),
        directory_id=bytes(16),
        boot_id="boot",
        rack=None,
        draining=draining,
    )


def image(brokers: Sequence[Broker], *states: PartitionState) -> ClusterImage:
    topic = TopicImage(name=T, topic_id=TopicId(bytes(16)), config={}, partitions=states, version=0)
    return replace(EMPTY_IMAGE, brokers={each.id: each for each in brokers}, topics={T: topic})


ELSEWHERE = replace(STATE, leader=NodeId(1))


def test_a_tenth_may_be_elsewhere() -> None:
    brokers = [broker(0), broker(1)]
    nine = [STATE] * 9
    assert misplaced(image(brokers, *nine, ELSEWHERE), percentage=10) == []
    assert misplaced(image(brokers, *nine[1:], ELSEWHERE), percentage=10) == [(T, 8)]
    assert misplaced(image(brokers, *nine, ELSEWHERE), percentage=0) == [(T, 9)]


def test_only_what_its_broker_can_lead_goes_back() -> None:
    behind = replace(ELSEWHERE, isr=nodes(1, 2))
    assert misplaced(image([broker(0), broker(1)], behind, ELSEWHERE), percentage=10) == [(T, 1)]
    assert misplaced(image([broker(1)], ELSEWHERE), percentage=10) == []
    drains = [broker(0, draining=True), broker(1)]
    assert misplaced(image(drains, ELSEWHERE), percentage=10) == []


def test_each_broker_is_looked_at_by_itself() -> None:
    other = replace(STATE, replicas=nodes(1, 0, 2), leader=NodeId(1))
    brokers = [broker(0), broker(1)]
    assert misplaced(image(brokers, ELSEWHERE, *[other] * 90), percentage=10) == [(T, 0)]


async def test_the_controller_moves_leaders_back_by_itself() -> None:
    server = await open_server()
    async with running(server) as stage:
        other = await founded(server)
        await register_broker(other, description(2))
        await stage.images.wait_for(lambda found: NodeId(2) in found.brokers)
        elections = LeaderElections(
            store=stage.store,
            images=stage.images,
            controller=stage.controller,
            rules_of=default_rules,
            stats=ElectionStats(),
        )
        balance = LeaderBalance(
            images=stage.images,
            controller=stage.controller,
            elections=elections,
            interval_seconds=0.001,
            percentage=10,
        )
        await stage.create("u", assignment={0: (NodeId(2), NodeId(1))})
        # Another one was elected while it was away, and it is in sync again.
        state = stage.topic("u").partitions[0]
        led = replace(state, leader=NodeId(1), leader_broker_epoch=0, version=1)
        await stage.write_state("u", led)
        balancing = asyncio.ensure_future(balance.run())
        await stage.images.wait_for(lambda _: stage.topic("u").partitions[0].leader == 2)
        balancing.cancel()
        await asyncio.gather(balancing, return_exceptions=True)
        assert stage.topic("u").partitions[0].leader_epoch == led.leader_epoch + 1
