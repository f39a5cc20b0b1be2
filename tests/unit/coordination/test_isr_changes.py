"""A leader changes the ISR of its partition in one transaction, without the controller."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from everlog.model.ids import NodeId, PartitionId
from service.coordination.embedded.store import EmbeddedStore
from service.coordination.isr_changes import IsrChange, IsrChanges
from service.coordination.registration import register_broker
from service.model.cluster import Broker, PartitionState
from tests.unit.coordination.stage import Stage, description, open_server, running

OTHER = 2


@dataclass
class Led:
    """A partition that broker 1 leads; broker 2 has fetched with its registration."""

    stage: Stage
    changes: IsrChanges
    other_store: EmbeddedStore
    other: Broker
    partition: PartitionId

    @property
    def stored(self) -> PartitionState:
        return self.stage.topic("t").partitions[0]

    def change(self, *isr: int) -> IsrChange:
        members = tuple(NodeId(each) for each in isr)
        state = replace(self.stored, isr=members, version=self.stored.version + 1)
        joiners = {self.other.id: self.other.epoch} if OTHER in isr else {}
        return IsrChange(partition=self.partition, state=state, joiners=joiners)

    async def heard(self, isr: tuple[int, ...]) -> None:
        await self.stage.images.wait_for(lambda _: self.stored.isr == isr)


@pytest.fixture
async def led() -> AsyncIterator[Led]:
    server = await open_server()
    async with running(server) as stage:
        other_store = await EmbeddedStore.connect(server)
        other = await register_broker(other_store, description(OTHER))
        await stage.images.wait_for(lambda image: OTHER in image.brokers)
        await stage.create("t", assignment={0: (NodeId(1), NodeId(OTHER))})
        changes = IsrChanges(store=stage.store, broker=stage.broker)
        partition = PartitionId(stage.topic("t").topic_id, 0)
        yield Led(stage, changes, other_store, other, partition)


async def test_everybody_hears_of_a_change(led: Led) -> None:
    assert led.stored.isr == (1, OTHER)
    change = led.change(1)
    assert await led.changes.write(change) == change.state
    await led.heard((1,))
    back = led.change(1, OTHER)
    assert await led.changes.write(back) == back.state
    await led.heard((1, OTHER))
    assert led.stored.leader_epoch == change.state.leader_epoch, "the term is the same"


@pytest.mark.rule("REL-2.5")
async def test_a_follower_that_was_started_anew_does_not_join_by_what_it_told_before(
    led: Led,
) -> None:
    await led.changes.write(led.change(1))
    await led.heard((1,))
    change = led.change(1, OTHER)
    await register_broker(led.other_store, description(OTHER))
    stored = await led.changes.write(change)
    assert stored is not None
    assert stored.isr == (1,)


@pytest.mark.rule("REL-2.5")
async def test_a_state_that_somebody_has_written_since_stays(led: Led) -> None:
    first, second = led.change(1), led.change(1)
    assert await led.changes.write(first) == first.state
    newer = replace(second, state=replace(second.state, elr=(NodeId(OTHER),)))
    assert await led.changes.write(newer) == first.state


async def test_a_change_that_was_made_already_is_found_made(led: Led) -> None:
    change = led.change(1)
    await led.changes.write(change)
    assert await led.changes.write(change) == change.state


@pytest.mark.rule("BP-7")
async def test_an_earlier_start_of_the_leader_changes_nothing(led: Led) -> None:
    before = led.stored
    await register_broker(led.stage.store, description(1))
    stored = await led.changes.write(led.change(1))
    assert stored is not None
    assert stored.isr == before.isr
