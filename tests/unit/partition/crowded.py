"""A broker's logs and archive over the memory store, and the watch of a disk as full as wanted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.app.system_disk import SystemDisk
from service.model.disk_limit import DiskLimit, DiskLimits, critical_above
from service.partition.disk_gate import DiskGate
from service.partition.disk_watch import CALM_SECONDS, DiskWatch
from service.partition.early_release import EarlyRelease
from service.partition.partition import Partition
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import HastyClock, Site, metadata_tree, site

KIB = 1 << 10
SEGMENTS = {
    "segment.bytes": str(16 * KIB),
    "remote.object.bytes": str(1 << 20),
    "local.retention.ms": "-1",
}
UNTIERED = {**SEGMENTS, "remote.storage.enable": "false"}
BATCH_BYTES = 1000
NEVER = {"log.retention.check.interval.ms": str(1 << 40)}
"""So that nothing is released by the way."""


@dataclass
class Crowded:
    site: Site
    store: FailingStore
    clock: HastyClock
    early: EarlyRelease

    async def filled(
        self,
        number: int,
        *,
        batches: int = 64,
        at_ms: int = 1000,
        config: dict[str, str] = SEGMENTS,
    ) -> Partition:
        partition = await self.site.open(config, number=number)
        await self.more(partition, batches=batches, at_ms=at_ms)
        return partition

    async def more(self, partition: Partition, *, batches: int = 64, at_ms: int = 1000) -> bytes:
        return await self.site.append(
            partition, batches=batches, batch_bytes=BATCH_BYTES, timestamp_ms=at_ms
        )

    async def archived(self, *partitions: Partition) -> None:
        for each in partitions:
            await self.site.tiered_to(each, each.hot.active.base_offset)

    def switch_off(self) -> None:
        self.store.plan = lambda: (StoreUnavailableError("create", "-", "down"), None)

    def switch_on(self) -> None:
        self.store.plan = lambda: (None, None)

    def watch(
        self, *, high: int, critical: int | None = None, calm_seconds: float = CALM_SECONDS
    ) -> DiskWatch:
        """Watch a budget; the real volume has room."""
        lower = DiskLimit(bytes_max=high)
        upper = critical_above(lower) if critical is None else DiskLimit(bytes_max=critical)
        return DiskWatch(
            limits=DiskLimits(high=lower, critical=upper),
            data_dir="/",
            disk=SystemDisk(),
            hot=self.site.hot,
            gate=DiskGate(self.clock),
            early=self.early,
            clock=self.clock,
            executor=None,
            calm_seconds=calm_seconds,
        )


@asynccontextmanager
async def crowded(directory: Path) -> AsyncIterator[Crowded]:
    clock = HastyClock()
    store = FailingStore(MemoryObjectStore(clock=clock), lambda: (None, None))
    async with (
        metadata_tree() as metadata,
        site(directory, metadata, store=store, clock=clock, settings=NEVER) as running,
    ):
        early = EarlyRelease(running.hot, lambda: running.cold.archiver.archives, clock)
        yield Crowded(running, store, clock, early)
