"""One partition of very many objects: ten million with ``make scale``, fewer otherwise.

Counted is what is asked of the stores, and measured what is held in memory.
"""

import asyncio
import gc
import os
import time
import tracemalloc
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from statistics import median

import pytest

from everlog.format.entries import Entry, entry_of
from everlog.format.lookup import entry_at, entry_at_time
from everlog.format.manifest import append, first_root
from everlog.format.object_keys import PartitionPath, Uid
from everlog.format.pointer import encode_pointer, pointer_to
from everlog.format.retention import Cut
from everlog.format.walk import drive_async
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_store import ObjectStore
from service.coordination.znodes import tier_path
from service.partition.tier_pointers import TierPointers
from service.tiering.authority import Authority, ClaimRequest, PointerWrite
from service.tiering.manifest_cache import ManifestCache
from service.tiering.manifest_store import ManifestStore
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.stats import TierStats
from service.tiering.uploader import Uploaded
from tests.contract.object_stores import FailingStore
from tests.scale.large_manifest import (
    BEGAN_MS,
    DATA_BYTES,
    STAMP,
    STEP_MS,
    LargeManifest,
    appended,
    build,
    rows,
)
from tests.simulation.clock import SeededIds
from tests.unit.tiering.site import TOPIC, HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import PARTITION

ENTRIES = int(os.environ.get("EVERLOG_TEST_ENTRIES", "200000"))
MANY = 1_000_000
SEARCHES = 200 if ENTRIES >= MANY else 20
HEAP_BYTES_MAX = 16 << 10
CACHE_BYTES = 4 << 20
PATH = PartitionPath(cluster_id="c", topic_id=TOPIC, partition=0)
HOUR_MS = 3_600_000
SEEDS = count(1)

pytestmark = pytest.mark.timeout(120 + ENTRIES // 2_000)


class CountedPointers(TierPointers):
    """Counts compare-and-sets."""

    writes = 0

    async def write(self, writes: Sequence[PointerWrite]) -> list[int]:
        self.writes += 1
        return await super().write(writes)


@dataclass
class Large:
    """The large tier, claimed by one broker after the other."""

    manifest: LargeManifest
    store: FailingStore
    pointers: CountedPointers
    clock: HastyClock

    async def claimed(self, cache: ManifestCache | None = None) -> PartitionTier:
        """Own the tier; nothing of it is at hand."""
        ids = SeededIds(next(SEEDS))
        authority = Authority(self.pointers, clock=self.clock, ids=ids)
        request = ClaimRequest(
            partition=PARTITION, epoch=LeaderEpoch(1), start=Offset(0), may_begin=True
        )
        held = await authority.claim(request)
        assert held is not None
        return PartitionTier(
            held,
            path=PATH,
            authority=authority,
            manifests=ManifestStore(self.store, cache=cache),
            clock=self.clock,
            ids=ids,
            stats=TierStats(),
            grace_ms=HOUR_MS,
        )

    def taken_calls(self) -> list[str]:
        """Return what has been asked of the store since the last time."""
        calls, self.store.calls = self.store.calls, []
        return calls


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ObjectStore, LargeManifest]]:
    store: ObjectStore = MemoryObjectStore(clock=HastyClock())
    if ENTRIES >= MANY:
        store = FilesystemObjectStore(str(tmp_path_factory.mktemp("store")))
    began = time.monotonic()
    manifest = asyncio.run(build(store, PATH, entries=ENTRIES))
    say(f"{ENTRIES} entries in {time.monotonic() - began:.1f} s")
    yield store, manifest
    asyncio.run(store.close())


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


@pytest.fixture
async def large(stored: tuple[ObjectStore, LargeManifest], metadata: Metadata) -> Large:
    store, manifest = stored
    payload = encode_pointer(pointer_to(manifest.root, manifest.ref))
    await metadata.store.set(tier_path(PARTITION), payload, version=0)
    counted = FailingStore(store, lambda: (None, None))
    return Large(manifest, counted, CountedPointers(metadata.store), HastyClock())


def say(line: str) -> None:
    print(f"\n{line}", end="", flush=True)


async def found_at(tier: PartitionTier, offset: int) -> Entry | None:
    root = await tier.root()
    assert root is not None
    return await drive_async(entry_at(root, Offset(offset)), tier.page)


async def found_at_time(tier: PartitionTier, timestamp: int) -> Entry | None:
    root = await tier.root()
    assert root is not None
    return await drive_async(entry_at_time(root, timestamp), tier.page)


def objects_from(tier: PartitionTier, number: int) -> list[Uploaded]:
    base = tier.end
    entry = Entry(
        offsets=OffsetRange(base, Offset(base + 10)),
        max_timestamp=BEGAN_MS + STEP_MS * (ENTRIES + number),
        size_bytes=DATA_BYTES + 1,
        data_bytes=DATA_BYTES,
        records=10,
        stamp=tier.next_stamp,
        uid=Uid(b"%016d" % number),
        crc32c=1,
        aborted=False,
        created_ms=BEGAN_MS,
    )
    return [Uploaded(entry=entry, end_epoch=LeaderEpoch(1))]


def test_rows_in_bulk_are_what_appending_entries_makes() -> None:
    root = first_root(PATH, uid=Uid(bytes(16)), stamp=STAMP, start=Offset(0), created_ms=BEGAN_MS)
    added = rows(0, 0, 300, Random(1))
    entries = [entry_of(added, number) for number in range(300)]
    assert append(root, entries, end_epoch=STAMP.epoch) == appended(root, added)


@pytest.mark.rule("TIER-40")
async def test_an_object_is_found_by_offset_with_three_reads_and_then_with_none(
    large: Large,
) -> None:
    random, ends, most = Random(1), large.manifest.ends, 0
    for _ in range(SEARCHES):
        tier = await large.claimed()
        offset = random.randrange(ends[-1])
        large.taken_calls()
        found = await found_at(tier, offset)
        assert found is not None
        assert found.offsets.end == ends[bisect_right(ends, offset)]
        reads = large.taken_calls()
        assert set(reads) == {"read"}
        most = max(most, len(reads))
        assert await found_at(tier, offset) == found
        assert not large.taken_calls()
    say(f"by offset: {most} reads at most, then none")
    assert most <= 3


@pytest.mark.rule("TIER-36")
@pytest.mark.rule("TIER-40")
async def test_an_object_is_found_by_time_with_three_reads_and_then_with_none(
    large: Large,
) -> None:
    random, times, most = Random(2), large.manifest.times, 0
    highest = max(times)
    for _ in range(SEARCHES):
        tier = await large.claimed()
        timestamp = random.randrange(BEGAN_MS, highest)
        large.taken_calls()
        found = await found_at_time(tier, timestamp)
        assert found is not None
        most = max(most, len(large.taken_calls()))
        assert found.max_timestamp >= timestamp
        row = bisect_left(large.manifest.ends, found.offsets.end)
        assert all(each < timestamp for each in times[max(0, row - 100) : row])
        assert await found_at_time(tier, timestamp) == found
        assert not large.taken_calls()
    say(f"by time: {most} reads at most, then none")
    assert most <= 3


@pytest.mark.rule("TIER-40")
async def test_a_partition_at_rest_holds_next_to_nothing_of_its_manifest(large: Large) -> None:
    random, cache = Random(3), ManifestCache(bytes_max=CACHE_BYTES)
    await (await large.claimed()).find_head()  # whatever is made once is made now
    tracemalloc.start()
    tier = await large.claimed(cache)
    for _ in range(SEARCHES):
        assert await found_at(tier, random.randrange(large.manifest.ends[-1])) is not None
    await tier.find_head()
    assert await tier.commit(TierChange(uploaded=objects_from(tier, 0)))
    large.taken_calls()
    used, kept = held_outside_the_store(), cache.bytes
    for uid in list(cache._kept):
        cache.drop(uid)
    rest = held_outside_the_store()
    tracemalloc.stop()
    say(f"at rest {rest} bytes, {used} with what the cache holds ({kept} by its own count)")
    assert 0 < kept <= CACHE_BYTES
    assert used - rest < 1.1 * kept
    assert rest < HEAP_BYTES_MAX


def held_outside_the_store() -> int:
    """Return the bytes in use that were asked for since the trace began."""
    gc.collect()
    filters = [
        tracemalloc.Filter(inclusive=False, filename_pattern=pattern)
        for pattern in ("*/stores/*", "*tracemalloc*")
    ]
    traces = tracemalloc.take_snapshot().filter_traces(filters)
    return sum(each.size for each in traces.statistics("filename"))


@pytest.mark.rule("TIER-40")
async def test_a_commit_is_one_object_and_one_compare_and_set_and_a_page_each_512(
    large: Large,
) -> None:
    tier = await large.claimed()
    await tier.root()
    large.taken_calls()
    writes = large.pointers.writes
    seconds = []
    commits = 1100 if ENTRIES >= MANY else 200
    for number in range(commits):
        began = time.process_time()
        assert await tier.commit(TierChange(uploaded=objects_from(tier, number)))
        seconds.append(time.process_time() - began)
    calls = large.taken_calls()
    root = await tier.root()
    assert root is not None
    assert root.totals.entries == ENTRIES + commits
    assert large.pointers.writes - writes == commits
    # A merge reads the eight small pages that it makes one of.
    pages, reads = calls.count("create") - commits, calls.count("read")
    assert 1 <= pages <= commits // 512 + 2
    assert reads <= 16
    say(
        f"{commits} commits: {commits} roots, {pages} pages, {reads} reads, {commits} "
        f"compare-and-sets; {median(seconds) * 1000:.1f} ms of CPU each"
    )


@pytest.mark.rule("TIER-40")
@pytest.mark.rule("TIER-50")
async def test_retention_reads_what_expires_in_part_and_names_whole_pages(large: Large) -> None:
    tier = await large.claimed()
    await tier.root()
    large.taken_calls()
    ends = large.manifest.ends
    for gone in (1, 100, 5000, ENTRIES // 2):
        assert await tier.commit(TierChange(cut=Cut(start=Offset(ends[gone]))))
        calls = large.taken_calls()
        root = await tier.root()
        assert root is not None
        assert root.totals.entries == ENTRIES - gone - 1
        reads, trash = calls.count("read"), len(root.trash)
        say(f"{gone} expired: {reads} reads, {trash} items of trash")
        assert reads <= 4
        assert trash < 300


async def test_that_nothing_has_expired_is_known_without_a_read(large: Large) -> None:
    tier = await large.claimed()
    head = await tier.find_head()
    assert head is not None
    assert head.oldest is not None
    assert len(large.taken_calls()) <= 3
    time_ms = large.manifest.times[0]
    assert not head.is_taken_by(Cut(before_ms=time_ms))
    assert head.is_taken_by(Cut(before_ms=time_ms + 1))
    assert await tier.commit(TierChange(cut=Cut(before_ms=time_ms + 1)))
    assert tier.head is not None
    assert tier.head.oldest is not None
    assert tier.head.oldest.offsets.start >= head.oldest.offsets.end
