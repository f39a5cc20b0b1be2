"""A broker of many partitions at rest: ten thousand with ``make scale``, fewer otherwise."""

import asyncio
import gc
import os
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from everlog.stores.memory import MemoryObjectStore
from service.partition.partition import Partition
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import HastyClock, Metadata, Site, metadata_tree, site

PARTITIONS = int(os.environ.get("EVERLOG_TEST_PARTITIONS", "30"))
HEAP_BYTES_MAX = 16 << 10
DAY_MS = 86_400_000
TOPIC = {"retention.ms": str(7 * DAY_MS)}
OPENED_AT_ONCE = 64

pytestmark = pytest.mark.timeout(240 + PARTITIONS // 5)


@dataclass
class Ground:
    """What outlives a broker, with something of every partition in the store."""

    directory: Path
    metadata: Metadata
    store: FailingStore
    clock: HastyClock
    starts: int = 0

    def broker(self, **settings: str) -> AbstractAsyncContextManager[Site]:
        """Run a broker; settings have underscores for dots."""
        self.starts += 1
        return site(
            self.directory,
            self.metadata,
            store=self.store,
            settings={name.replace("_", "."): value for name, value in settings.items()},
            clock=self.clock,
            known=range(PARTITIONS),
            seed=self.starts,
        )

    async def at_rest(self) -> None:
        """Wait until nobody has asked anything of the store for some looks at all partitions."""
        async with asyncio.timeout(600):
            asked = -1
            while asked != len(self.store.calls):
                asked = len(self.store.calls)
                await asyncio.sleep(0.3)


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    clock = HastyClock()
    store = FailingStore(MemoryObjectStore(clock=clock), lambda: (None, None))
    async with metadata_tree() as metadata:
        ground = Ground(tmp_path, metadata, store, clock)
        async with ground.broker() as running:
            await archive_something(running)
        store.calls.clear()
        yield ground


async def opened(running: Site, *, epoch: int) -> list[Partition]:
    partitions: list[Partition] = []
    for first in range(0, PARTITIONS, OPENED_AT_ONCE):
        some = range(first, min(first + OPENED_AT_ONCE, PARTITIONS))
        partitions += await asyncio.gather(
            *(running.open(TOPIC, number=number, epoch=epoch) for number in some)
        )
    return partitions


async def archive_something(running: Site) -> None:
    """Give every partition an archive of one object, and local records behind it."""
    partitions = await opened(running, epoch=1)
    now_ms = running.clock.wall_ms()
    for partition in partitions:
        await running.append(partition, batches=1, batch_bytes=100, timestamp_ms=now_ms)
        partition.hot.roll()
        await running.append(partition, batches=1, batch_bytes=100, timestamp_ms=now_ms)
    for partition in partitions:
        await running.tiered_to(partition, 1)


async def test_a_start_reads_no_manifest_and_partitions_at_rest_take_little_memory(
    ground: Ground,
) -> None:
    gc.collect()
    tracemalloc.start()
    async with ground.broker(log_retention_check_interval_ms=str(DAY_MS)) as running:
        before, _ = tracemalloc.get_traced_memory()
        began = time.monotonic()
        await opened(running, epoch=2)
        took_s = time.monotonic() - began
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        each = (after - before) / PARTITIONS
        print(f"\n{PARTITIONS} partitions opened in {took_s:.1f} s, {each:.0f} bytes each")
        assert not ground.store.calls, "a start claims, and asks nothing of the store"
        assert each < HEAP_BYTES_MAX


@pytest.mark.rule("TIER-40")
async def test_retention_looks_into_each_manifest_once_and_then_not_before_something_expires(
    ground: Ground,
) -> None:
    # Room for a part of the manifests.
    cache = {"remote_manifest_cache_bytes": str(1 << 20)}
    async with ground.broker(log_retention_check_interval_ms="20", **cache) as running:
        partitions = await opened(running, epoch=2)
        await ground.at_rest()
        reads = ground.store.calls.count("read")
        print(f"\n{PARTITIONS} partitions: {reads} reads of manifests, then none")
        assert reads >= PARTITIONS
        ground.clock.now_ms += DAY_MS // 2
        ground.store.calls.clear()
        await asyncio.sleep(0.3)  # several looks at all partitions
        assert not ground.store.calls
        ground.clock.now_ms += 7 * DAY_MS
        async with asyncio.timeout(600):
            while any(each.log_start == 0 for each in partitions):
                await asyncio.sleep(0.02)
