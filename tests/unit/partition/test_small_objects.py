"""Small objects become large ones beside uploads, reads, expiry and fencing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from everlog.format.walk import drive_async
from everlog.model.object_lock import ObjectLock
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.model.storage_class import StorageClass
from everlog.records.batch import walk
from everlog.stores.body import BodyPart, FilePart
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import CreatedObject, list_all
from service.model.topic_config import TopicConfig
from service.partition.archive import PartitionArchive
from service.partition.partition import Partition
from service.partition.small_objects import RETENTION_SHARES, merge_limits
from service.partition.tier_pointers import TierPointers
from service.tiering.authority import Authority, ClaimRequest
from service.tiering.orphans import Census, Standing
from service.tiering.partition_tier import PartitionTier
from service.tiering.worker.merging import MERGE_SUFFIX
from tests.contract.object_stores import FailingStore
from tests.simulation.clock import SeededIds
from tests.unit.tiering.site import (
    HastyClock,
    Metadata,
    Site,
    nothing_fails,
    read_all,
    read_some,
    site,
)
from tests.waiting import until

SMALL = {"segment.bytes": str(1 << 10), "remote.object.bytes": str(64 << 10)}
KEEP_LITTLE = {**SMALL, "local.retention.bytes": "1"}
NO_GRACE = {"archive.reader.grace.ms": "0"}
DAY_MS = 86_400_000


class MergingStore(FailingStore):
    """A store in which merges can be held up, where they read and after they have stored.

    Readers can be, too, when they have found an object and are about to read it.
    """

    def __init__(self, objects: MemoryObjectStore) -> None:
        super().__init__(objects, nothing_fails)
        self.may_merge, self.may_finish, self.may_read = (asyncio.Event() for _ in range(3))
        for event in (self.may_merge, self.may_finish, self.may_read):
            event.set()
        self.waiting = 0
        self.stored: set[ObjectKey] = set()

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        made = await super().create_from_file(
            key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
        )
        if any(isinstance(each, FilePart) and MERGE_SUFFIX in str(each.file) for each in parts):
            self.stored.add(key)
            await self.may_finish.wait()
        return made

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        if MERGE_SUFFIX in path:
            await self.may_merge.wait()
        elif not self.may_read.is_set():
            self.waiting += 1
            await self.may_read.wait()
        return await super().read_into_file(key, start, length, path)


@pytest.fixture
def store(objects: MemoryObjectStore) -> MergingStore:
    return MergingStore(objects)


@pytest.fixture
async def running(
    tmp_path: Path, metadata: Metadata, store: MergingStore, clock: HastyClock
) -> AsyncIterator[Site]:
    async with site(tmp_path, metadata, store=store, clock=clock) as running:
        yield running


def archive_of(running: Site) -> PartitionArchive:
    (archive,) = running.cold.archiver.archives
    return archive


def tier_of(running: Site) -> PartitionTier:
    tiered = archive_of(running).tiered
    assert tiered is not None
    return tiered.tier


def live_objects(running: Site) -> int:
    root = tier_of(running).cached_root
    return 0 if root is None else root.totals.entries


async def trickle(running: Site, partition: Partition, batches: int) -> bytes:
    """Append so slowly that each batch becomes an object."""
    appended = b""
    for _ in range(batches):
        appended += await running.append(partition, batches=1, batch_bytes=800)
        await running.tiered_to(partition, partition.hot.active.base_offset)
    return appended


async def standings(running: Site, objects: MemoryObjectStore) -> Counter[Standing]:
    """Judge every object of the store as the next owner would."""
    tier = tier_of(running)
    census = Census(tier.pointer, await tier.root(), now_ms=1 << 60, grace_ms=0)
    found: Counter[Standing] = Counter()
    async for info in list_all(objects, tier.path.prefix):
        found[(await drive_async(census.finding(info), tier.page)).standing] += 1
    return found


@pytest.mark.rule("TIER-29")
async def test_small_objects_are_merged_while_more_come_and_every_record_stays(
    running: Site, objects: MemoryObjectStore
) -> None:
    partition = await running.open(KEEP_LITTLE)
    appended = await trickle(running, partition, 24)
    await until(lambda: live_objects(running) < 12)
    stats = running.cold.stats
    assert stats.merges >= 2
    assert stats.merged_objects > stats.merges
    await running.released_to(partition, partition.hot.active.base_offset)
    assert await read_all(partition) == appended
    found = await standings(running, objects)
    assert set(found) == {Standing.LIVE, Standing.TRASH}


async def test_without_a_budget_nothing_is_merged(
    tmp_path: Path, metadata: Metadata, store: MergingStore
) -> None:
    settings = {"remote.merge.bytes.per.second": "0"}
    async with site(tmp_path, metadata, store=store, settings=settings) as running:
        partition = await running.open(SMALL)
        await trickle(running, partition, 12)
        assert live_objects(running) == 11
        assert running.cold.stats.merges == 0


@pytest.mark.rule("TIER-10")
async def test_what_was_merged_stays_until_its_grace_is_over(
    running: Site, store: MergingStore, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    partition = await running.open(SMALL)
    store.may_merge.clear()
    await trickle(running, partition, 9)
    small = {key for key in objects._objects if "/seg/" in key}
    store.may_merge.set()
    await until(lambda: running.cold.stats.merges == 1)
    assert small <= objects._objects.keys()
    clock.now_ms += 2 * 3_600_000
    await until(lambda: not small & objects._objects.keys())
    assert live_objects(running) == 1


@pytest.mark.rule("TIER-31")
async def test_a_reader_of_the_archive_misses_nothing_while_its_objects_go(
    tmp_path: Path, metadata: Metadata, store: MergingStore, clock: HastyClock
) -> None:
    settings = {**NO_GRACE, "remote.prefetch.ranges.max": "4"}
    async with site(tmp_path, metadata, store=store, clock=clock, settings=settings) as running:
        partition = await running.open(KEEP_LITTLE)
        store.may_merge.clear()
        appended = await trickle(running, partition, 30)
        await running.released_to(partition, partition.hot.active.base_offset)
        read, offset = bytearray(), 0
        while piece := await read_some(partition, offset):
            read += piece.records
            offset = list(walk(piece.records))[-1][1].next_offset
            store.may_merge.set()  # from the second read on
            await asyncio.sleep(0.003)
        assert bytes(read) == appended
        await until(lambda: running.cold.stats.merges >= 2)
        assert running.cold.stats.deleted_objects > 0
        assert await read_all(partition) == appended
        assert await partition.find_time(1000, partition.high_watermark) is not None


@pytest.mark.rule("TIER-31")
async def test_a_reader_that_has_found_an_object_looks_again_when_it_is_gone(
    tmp_path: Path, metadata: Metadata, store: MergingStore, objects: MemoryObjectStore
) -> None:
    async with site(tmp_path, metadata, store=store, settings=NO_GRACE) as running:
        partition = await running.open(KEEP_LITTLE)
        store.may_merge.clear()
        appended = await trickle(running, partition, 9)
        await running.released_to(partition, partition.hot.active.base_offset)
        small = {key for key in objects._objects if "/seg/" in key}
        store.may_read.clear()
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read_all(partition))
            await until(lambda: store.waiting > 0)
            store.may_merge.set()
            await until(lambda: not small & objects._objects.keys())
            store.may_read.set()
        assert reading.result() == appended


@pytest.mark.rule("TIER-2")
async def test_a_merge_whose_objects_expire_meanwhile_is_given_up_and_what_it_made_is_removed(
    running: Site, store: MergingStore, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    partition = await running.open(SMALL)
    store.may_merge.clear()
    await trickle(running, partition, 9)
    await until(lambda: bool(archive_of(running).small_objects.underway))
    (made,) = archive_of(running).small_objects.underway
    await running.hot.set_log_start(partition.hot, Offset(3))
    await until(lambda: tier_of(running).start == 3)
    store.may_merge.set()
    await until(lambda: not archive_of(running).small_objects.underway)
    assert running.cold.stats.merges == 0
    found = await standings(running, objects)
    assert found[Standing.ORPHAN] == 1
    clock.now_ms += 2 * DAY_MS
    await until(lambda: running.cold.stats.orphan_objects == 1)
    await trickle(running, partition, 8)
    await until(lambda: running.cold.stats.merges == 1)
    assert made not in archive_of(running).small_objects.underway


@pytest.mark.rule("TIER-9")
async def test_what_a_merge_has_made_is_no_orphan_while_it_may_be_committed(
    running: Site, store: MergingStore, clock: HastyClock, objects: MemoryObjectStore
) -> None:
    partition = await running.open(KEEP_LITTLE)
    store.may_finish.clear()
    appended = await trickle(running, partition, 9)
    await until(lambda: bool(store.stored))
    clock.now_ms += 2 * DAY_MS
    # Searches begin and end while the merge waits for an answer.
    due_ms = archive_of(running).orphans.due_ms
    await until(lambda: archive_of(running).orphans.due_ms > due_ms)
    assert store.stored <= objects._objects.keys()
    store.may_finish.set()
    await until(lambda: running.cold.stats.merges == 1)
    assert running.cold.stats.orphan_objects == 0
    await running.released_to(partition, partition.hot.active.base_offset)
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-3")
async def test_a_merge_of_a_leader_that_was_claimed_over_changes_nothing(
    running: Site, store: MergingStore, metadata: Metadata, objects: MemoryObjectStore
) -> None:
    partition = await running.open(SMALL)
    store.may_merge.clear()
    await trickle(running, partition, 9)
    await until(lambda: bool(archive_of(running).small_objects.underway))
    live = live_objects(running)
    authority = Authority(TierPointers(metadata.store), clock=HastyClock(), ids=SeededIds(5))
    await authority.claim(
        ClaimRequest(partition=partition.id, epoch=LeaderEpoch(7), start=Offset(0), may_begin=True)
    )
    store.may_merge.set()
    await until(lambda: running.cold.stats.fenced == 1)
    assert live_objects(running) == live
    assert running.cold.stats.merges == 0


async def test_a_partition_that_is_closed_lets_go_of_its_merge(
    running: Site, store: MergingStore, objects: MemoryObjectStore
) -> None:
    partition = await running.open(SMALL)
    store.may_merge.clear()
    await trickle(running, partition, 9)
    await until(lambda: bool(archive_of(running).small_objects.underway))
    before = set(objects._objects)
    await running.cold.archiver.close(partition.id)
    store.may_merge.set()
    await asyncio.sleep(0.05)
    assert objects._objects.keys() == before


@pytest.mark.rule("TIER-6")
async def test_a_damaged_object_is_not_merged_and_holds_nothing_up(
    running: Site, objects: MemoryObjectStore, store: MergingStore
) -> None:
    partition = await running.open(SMALL)
    store.may_merge.clear()
    await trickle(running, partition, 9)
    await until(lambda: bool(archive_of(running).small_objects.underway))
    name = min(key for key in objects._objects if "/seg/" in key)
    found = objects._objects[name]
    objects._objects[name] = replace(found, body=b"!" + found.body[1:])
    live = live_objects(running)
    store.may_merge.set()
    await until(lambda: not archive_of(running).small_objects.underway)
    assert live_objects(running) == live
    await trickle(running, partition, 3)
    assert running.cold.stats.merges == 0


async def test_a_search_by_time_passes_over_deleted_records_of_an_object_and_no_others(
    running: Site,
) -> None:
    large = {**KEEP_LITTLE, "segment.bytes": str(64 << 10), "remote.object.bytes": str(1 << 20)}
    partition = await running.open(large)
    for second in range(3):
        timestamp_ms = second * 1000
        await running.append(partition, batches=70, batch_bytes=1000, timestamp_ms=timestamp_ms)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    await running.released_to(partition, partition.hot.active.base_offset)
    await running.hot.set_log_start(partition.hot, Offset(7))
    found = await partition.find_time(0, partition.high_watermark)
    assert found is not None
    assert (found.offset, found.timestamp_ms) == (7, 0)


def test_a_merged_object_is_a_small_part_of_what_the_topic_keeps() -> None:
    config = TopicConfig.resolve(
        {"retention.ms": "8000", "retention.bytes": "80000", "remote.object.bytes": "100000"}
    )
    limits = merge_limits(config)
    assert limits.object_bytes == 80_000 // RETENTION_SHARES
    assert limits.span_ms_max == 8000 // RETENTION_SHARES
    unlimited = merge_limits(TopicConfig.resolve({"remote.object.bytes": "100000"}))
    assert (unlimited.object_bytes, unlimited.span_ms_max) == (100_000, None)
