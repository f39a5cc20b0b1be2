"""The ISR of what this broker leads is written as it should be."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from everlog.model.errors import RetriableError
from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch, Offset
from service.coordination.isr_changes import IsrChange
from service.model.cluster import PartitionState
from service.partition.isr_keeping import IsrKeeping
from service.partition.partition import Partition
from service.replication.leader import LeaderReplicas
from tests.unit.partition.ground import Ground, batch, grounded, settled
from tests.unit.replication.test_isr import STATE, A, B

LAG = 10.0


@dataclass
class Led:
    """A partition of two replicas, and what becomes of the changes of its ISR."""

    ground: Ground
    partition: Partition
    changes: "asyncio.Queue[IsrChange]"
    answers: "asyncio.Queue[PartitionState | RetriableError | None]"

    async def write(self, change: IsrChange) -> PartitionState | None:
        self.changes.put_nowait(change)
        answer = await self.answers.get()
        if isinstance(answer, RetriableError):
            raise answer
        return answer

    async def next_change(self) -> IsrChange:
        async with asyncio.timeout(10):
            return await self.changes.get()

    def fetch(self, end: int) -> None:
        self.partition.fetched(B, durable_end=Offset(end), local_start=Offset(0), broker_epoch=4)


@pytest.fixture
async def led() -> AsyncIterator[Led]:
    async with grounded() as ground:
        partition = await ground.open()
        state = replace(STATE, replicas=(A, B), isr=(A,))
        partition.begin_term(
            LeaderReplicas(
                state,
                me=A,
                term_start=Offset(0),
                isr_min=1,
                lag_seconds_max=LAG,
                now=ground.clock.monotonic(),
            )
        )
        led = Led(ground, partition, asyncio.Queue(), asyncio.Queue())
        keeping = IsrKeeping(table=ground.table, write=led.write, clock=ground.clock)
        task = asyncio.ensure_future(keeping.run())
        yield led
        task.cancel()
        await asyncio.wait([task])


async def test_a_follower_that_has_caught_up_is_taken_in(led: Led) -> None:
    led.partition.append(batch(3))
    await settled(led.partition)
    led.fetch(3)
    change = await led.next_change()
    assert (change.state.isr, change.joiners) == ((A, B), {B: 4})
    led.answers.put_nowait(change.state)
    async with asyncio.timeout(10):
        while led.partition.replicas.state.isr != (A, B):
            await asyncio.sleep(0.001)
    assert led.partition.high_watermark == 3


@pytest.mark.rule("REL-2.7")
async def test_a_change_of_unknown_outcome_is_tried_again_as_it_was(led: Led) -> None:
    led.fetch(0)
    first = await led.next_change()
    led.answers.put_nowait(RetriableError("nobody knows"))
    assert (await led.next_change()).state == first.state
    led.partition.append(batch())
    await settled(led.partition)
    assert led.partition.high_watermark == 0, "B may be in sync"


@pytest.mark.rule("REL-2.5")
async def test_a_refused_change_is_decided_on_again_by_what_is_stored(led: Led) -> None:
    led.fetch(0)
    await led.next_change()
    stored = replace(led.partition.replicas.state, elr=(NodeId(9),), version=8)
    led.answers.put_nowait(stored)
    again = await led.next_change()
    assert again.state.version == 9


async def test_a_term_that_is_over_changes_nothing_any_more(led: Led) -> None:
    led.fetch(0)
    change = await led.next_change()
    later = replace(change.state, leader=B, leader_epoch=LeaderEpoch(6))
    led.answers.put_nowait(later)
    led.partition.append(batch())
    await settled(led.partition)
    assert led.partition.replicas.state.isr == (A,)
    assert led.partition.high_watermark == 0, "what was proposed counts until the term is left"
