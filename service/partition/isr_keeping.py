"""Keeps the ISR of what this broker leads as it should be."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import RetriableError
from service.coordination.isr_changes import IsrChange
from service.model.cluster import PartitionState
from service.partition.partition import Partition
from service.partition.table import PartitionTable
from service.replication.leader import LeaderReplicas

TICK_SECONDS = 0.25
"""How soon a follower that has caught up is in sync."""

WHOLE_EVERY = 4
"""In every so many ticks those are looked at as well that are all in sync: one may hang."""

IDLE_TICK_SECONDS = 2.0
"""How soon the first partition that has followers is noticed; ten thousand without cost little."""

WriteIsr = Callable[[IsrChange], Awaitable[PartitionState | None]]

_log = structlog.get_logger(__name__)


class IsrKeeping:
    """Looks at every led partition now and then, and has the ISR written that it should have."""

    def __init__(self, *, table: PartitionTable, write: WriteIsr, clock: Clock) -> None:
        self._table = table
        self._write = write
        self._clock = clock
        self._writing: dict[LeaderReplicas, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for tick in count():
                replicated = [each for each in self._table.partitions if each.replicas.followers]
                for partition in replicated:
                    if tick % WHOLE_EVERY == 0 or not partition.replicas.is_whole:
                        self._look(partition, tasks)
                await asyncio.sleep(TICK_SECONDS if replicated else IDLE_TICK_SECONDS)

    def _look(self, partition: Partition, tasks: asyncio.TaskGroup) -> None:
        replicas = partition.replicas
        if replicas in self._writing:
            return
        # A proposal whose outcome nobody knows is tried again, as it was (KAFKA-12686).
        state = replicas.pending or replicas.propose(
            partition.high_watermark, now=self._clock.monotonic()
        )
        if state is None:
            return
        change = IsrChange(partition=partition.id, state=state, joiners=replicas.joiners)
        task = self._writing[replicas] = tasks.create_task(
            self._change(partition, replicas, change)
        )
        task.add_done_callback(lambda _: self._writing.pop(replicas))

    async def _change(
        self, partition: Partition, replicas: LeaderReplicas, change: IsrChange
    ) -> None:
        before = replicas.state.isr
        try:
            stored = await self._write(change)
        except RetriableError as error:
            _log.warning("isr_not_written", partition=partition.id.text, reason=str(error))
            return
        if stored is None or stored.leader_epoch != change.state.leader_epoch:
            # The term is over; until this broker hears of it, the proposal counts on.
            return
        if stored == change.state:
            _log.info("isr_changed", partition=partition.id.text, before=before, isr=stored.isr)
        replicas.refused()
        replicas.stored(stored, now=self._clock.monotonic())
        if partition.replicas is replicas:
            partition.commit()
