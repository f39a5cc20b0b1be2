"""The cold side of a partition over a store that fails in every way, restarted again and again."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random

import pytest
from typing_extensions import override

from everlog.model.errors import EverlogError
from everlog.model.object_lock import ObjectLock
from everlog.model.offsets import Offset
from everlog.model.storage_class import StorageClass
from everlog.stores.adaptive_limit import AdaptiveObjectStore
from everlog.stores.body import BodyPart
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import CreatedObject, ObjectStore
from everlog.stores.retrying import RetryingObjectStore
from service.partition.partition import Partition
from tests.fault.fault_plan import FaultPlan
from tests.fault.faulty_store import FaultyStore, StoreFault
from tests.fault.tier_audit import TierAudit, audit_tiers
from tests.simulation.clock import SeededIds
from tests.simulation.hurried_loop import run_hurried
from tests.unit.tiering.site import (
    CLUSTER,
    HastyClock,
    Metadata,
    Site,
    metadata_tree,
    read_all,
    read_some,
    site,
)

FAULTS = int(os.environ.get("EVERLOG_TEST_CAMPAIGN_FAULTS", "100"))
CAMPAIGNS = int(os.environ.get("EVERLOG_TEST_CAMPAIGNS", "1"))
SHARE = 0.1
HOUR_MS = 3_600_000
PATIENCE_S = 3600
BATCH_BYTES = 1000
TOPIC = {
    "segment.bytes": str(16 << 10),
    "remote.object.bytes": str(32 << 10),
    "local.retention.bytes": "1",
}
SETTINGS = {
    "remote.fetch.range.bytes": str(64 << 10),
    "remote.cache.bytes": str(1 << 20),
    "archive.reader.grace.ms": "0",
    "archive.orphan.grace.ms": str(HOUR_MS),
    "log.retention.check.interval.ms": "1000",
}


class CarelessStore(MemoryObjectStore):
    """A store that takes a second object of a name for the first, as some do (MinIO 21526)."""

    @override
    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        await self.delete([key])
        return await super().create_from_file(
            key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
        )


class Campaign:
    """One partition's life over a faulty store.

    Attributes:
        log: Every batch that was ever appended.
        terms: How often the partition was opened.
        reads: How many cold or hot reads brought what they should.
        refusals: How many reads ended with an error.
    """

    def __init__(self, directory: Path, objects: MemoryObjectStore, seed: int) -> None:
        self.log = bytearray()
        self.terms = 0
        self.reads = 0
        self.refusals = 0
        self.plan: FaultPlan[StoreFault] = FaultPlan(seed, share=SHARE)
        self._clock = HastyClock()
        self._objects = objects
        self._directory = directory
        self._random = Random(seed)
        self._batch_bytes = 0
        self._store: ObjectStore = RetryingObjectStore(
            AdaptiveObjectStore(FaultyStore(objects, self.plan)),
            clock=self._clock,
            ids=SeededIds(seed),
        )

    async def run(self) -> TierAudit:
        async with metadata_tree() as metadata:
            while self.plan.injected.total() < FAULTS:
                async with self._site(metadata) as running:
                    await self._live(running, await self._open(running))
            self.plan.is_on = False
            async with self._site(metadata) as running:
                return await self._end(running, await self._open(running), metadata)

    def _site(self, metadata: Metadata) -> AbstractAsyncContextManager[Site]:
        # What earlier terms have left behind is old enough to go.
        self._clock.now_ms += HOUR_MS
        return site(
            self._directory,
            metadata,
            store=self._store,
            settings=SETTINGS,
            clock=self._clock,
            seed=self._random.randrange(1 << 30),
        )

    async def _open(self, running: Site) -> Partition:
        """Lead the partition, every other time in the same term as before."""
        self.terms += 1
        return await running.open(TOPIC, epoch=1 + self.terms // 2)

    async def _live(self, running: Site, partition: Partition) -> None:
        reading = asyncio.ensure_future(self._read(partition))
        for _ in range(self._random.randint(1, 6)):
            batches = self._random.randint(10, 120)
            made = await running.append(partition, batches=batches, batch_bytes=BATCH_BYTES)
            self._batch_bytes = len(made) // batches
            self.log += made
            if self._random.random() < 0.2:
                start = self._random.randint(partition.log_start, partition.high_watermark)
                await running.hot.set_log_start(partition.hot, Offset(start))
            await asyncio.sleep(self._random.uniform(0, 8))
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled(), reading.exception()

    async def _read(self, partition: Partition) -> None:
        """Read here and there; an error may come of it, wrong bytes may not."""
        while True:
            await asyncio.sleep(self._random.uniform(0, 1))
            batches = len(self.log) // max(1, self._batch_bytes)
            if partition.log_start >= batches:
                continue
            offset = self._random.randrange(partition.log_start, batches)
            try:
                found = (await read_some(partition, offset)).records
            except EverlogError:
                self.refusals += 1
                continue
            wanted = self.log[offset * self._batch_bytes :][: len(found)]
            assert bytes(found[: len(wanted)]) == wanted, f"wrong bytes at {offset}"
            self.reads += 1

    async def _end(self, running: Site, partition: Partition, metadata: Metadata) -> TierAudit:
        """Let everything drain, read it back, and account for every object."""
        end = partition.hot.active.base_offset
        await _until(lambda: partition.tiered_end == end, "it does not drain")
        start = partition.log_start
        assert await read_all(partition, start) == self.log[start * self._batch_bytes :]
        for _ in range(PATIENCE_S):
            found = await audit_tiers(metadata.store, self._objects, CLUSTER)
            if not found.orphans or found.problems:
                return found
            await asyncio.sleep(1)
        raise AssertionError(f"orphans stay: {found.orphans}")


@pytest.mark.rule("TIER-8")
@pytest.mark.rule("TIER-9")
@pytest.mark.rule("TIER-17")
@pytest.mark.rule("TIER-18")
@pytest.mark.rule("TIER-42")
@pytest.mark.rule("TIER-47")
@pytest.mark.parametrize("kind", [MemoryObjectStore, CarelessStore])
@pytest.mark.parametrize("seed", range(CAMPAIGNS))
def test_whatever_a_store_does_nothing_is_lost_read_wrong_or_left_behind(
    tmp_path: Path, kind: type[MemoryObjectStore], seed: int
) -> None:
    campaign = Campaign(tmp_path, kind(clock=HastyClock()), seed)
    found = run_hurried(campaign.run)
    print(
        f"\n{campaign.plan}; {campaign.terms} terms, {campaign.reads} reads right, "
        f"{campaign.refusals} refused\n{found}"
    )
    assert found.problems == []
    assert len(campaign.plan.injected) >= len(StoreFault) - 2
    assert campaign.reads > campaign.refusals


async def _until(condition: Callable[[], bool], otherwise: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(1)
    except TimeoutError as error:
        raise AssertionError(otherwise) from error
