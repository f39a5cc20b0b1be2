"""A broker that is about to stop says so once, and nothing is built on it from then on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from everlog.model.ids import NodeId, PartitionId
from service.coordination.draining import (
    RegistrationEndedError,
    begin_draining,
    is_relieved,
    seats_held,
)
from service.coordination.embedded.store import EmbeddedStore
from service.coordination.image_reading import read_live_brokers, read_registered
from service.coordination.isr_changes import IsrChange, IsrChanges
from service.coordination.registration import end_registration, register_broker
from service.model.cluster import Broker, PartitionState
from tests.unit.coordination.stage import Stage, description, open_server, running

THIRD = NodeId(3)


@dataclass
class Town:
    """Broker 1 is the controller; 2 and 3 are registered, and nothing else of them runs."""

    stage: Stage
    second_store: EmbeddedStore
    second: Broker
    third_store: EmbeddedStore
    third: Broker

    async def drain_third(self) -> Broker:
        drained = await begin_draining(self.third_store, self.third)
        await self.stage.images.wait_for(lambda image: image.brokers[THIRD].draining)
        return drained

    async def state(self, topic: str, *isr: int) -> PartitionState:
        def current() -> PartitionState:
            return self.stage.topic(topic).partitions[0]

        await self.stage.images.wait_for(lambda _: current().isr == isr)
        return current()

    async def create(self, topic: str, *replicas: int) -> PartitionState:
        assignment = {0: tuple(NodeId(each) for each in replicas)}
        return (await self.stage.create(topic, assignment=assignment)).partitions[0]


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    server = await open_server()
    async with running(server) as stage:
        stores = [await EmbeddedStore.connect(server) for _ in range(2)]
        second = await register_broker(stores[0], description(2))
        third = await register_broker(stores[1], description(3))
        await stage.images.wait_for(lambda image: len(image.brokers) == 3)
        yield Town(stage, stores[0], second, stores[1], third)


@pytest.mark.rule("REL-C9")
async def test_everybody_hears_that_a_broker_drains(town: Town) -> None:
    drained = await town.drain_third()
    assert drained == replace(town.third, draining=True)
    assert town.stage.image.brokers[THIRD] == drained
    assert town.stage.deltas[-1].brokers_changed
    assert THIRD not in await read_live_brokers(town.stage.store)
    assert drained in await read_registered(town.stage.store)
    assert await begin_draining(town.third_store, town.third) == drained, "it is safe to repeat"


@pytest.mark.rule("REL-C9")
async def test_what_it_leads_is_given_to_the_first_other_that_is_in_sync(town: Town) -> None:
    before = await town.create("t", 3, 2, 1)
    assert before.leader == THIRD
    await town.drain_third()
    after = await town.state("t", 2, 1)
    assert (after.leader, after.leader_epoch) == (2, before.leader_epoch + 1)
    assert is_relieved(town.stage.image, town.third)


@pytest.mark.rule("REL-C9")
async def test_it_leaves_the_isr_of_what_others_lead(town: Town) -> None:
    before = await town.create("t", 2, 3, 1)
    await town.drain_third()
    after = await town.state("t", 2, 1)
    assert (after.leader, after.leader_epoch) == (2, before.leader_epoch)


@pytest.mark.rule("REL-C9")
async def test_nobody_takes_it_in_by_what_it_has_fetched(town: Town) -> None:
    await town.create("t", 1, 3)
    await town.drain_third()
    state = await town.state("t", 1)
    changes = IsrChanges(store=town.stage.store, broker=town.stage.broker)
    change = IsrChange(
        partition=PartitionId(town.stage.topic("t").topic_id, 0),
        state=replace(state, isr=(NodeId(1), THIRD), version=state.version + 1),
        joiners={THIRD: town.third.epoch},
    )
    assert await changes.write(change) == state


@pytest.mark.rule("REL-C9")
async def test_what_only_it_can_lead_stays_with_it_until_another_one_can(town: Town) -> None:
    await town.create("t", 3, 2)
    partition = PartitionId(town.stage.topic("t").topic_id, 0)
    changes = IsrChanges(store=town.third_store, broker=town.third)
    alone = replace(town.stage.topic("t").partitions[0], isr=(THIRD,), version=1)
    assert await changes.write(IsrChange(partition=partition, state=alone, joiners={})) == alone
    await town.state("t", 3)
    drained = await town.drain_third()
    await town.stage.controller.perform(_nothing)
    assert town.stage.topic("t").partitions[0] == alone
    assert is_relieved(town.stage.image, town.third), "nobody else can help"
    changes.broker = drained
    joined = replace(alone, isr=(THIRD, NodeId(2)), version=2)
    change = IsrChange(partition=partition, state=joined, joiners={NodeId(2): town.second.epoch})
    assert await changes.write(change) == joined, "while it leads, it keeps the ISR"
    assert (await town.state("t", 2)).leader == 2


async def test_new_replicas_are_not_placed_on_it(town: Town) -> None:
    await town.drain_third()
    created = await town.stage.create("t", partitions=6, replication_factor=2)
    assert all(THIRD not in state.replicas for state in created.partitions)


async def test_what_it_still_has_is_counted(town: Town) -> None:
    await town.create("led", 3, 2)
    await town.create("followed", 2, 3)
    await town.create("alone", 3)
    await town.create("others", 2, 1)
    assert seats_held(town.stage.image, town.third) == 2
    assert not is_relieved(town.stage.image, town.third)


async def test_who_is_started_anew_drains_no_more(town: Town) -> None:
    drained = await town.drain_third()
    former = await end_registration(town.third_store, description(3))
    assert former is not None
    assert former.epoch > drained.stored_epoch
    with pytest.raises(RegistrationEndedError):
        await begin_draining(town.third_store, town.third)
    back = await register_broker(town.third_store, description(3))
    assert not back.draining
    await town.stage.images.wait_for(lambda image: image.brokers.get(THIRD) == back)
    with pytest.raises(RegistrationEndedError, match="anew"):
        await begin_draining(town.third_store, town.third)


async def _nothing(_term: object) -> None:
    return
