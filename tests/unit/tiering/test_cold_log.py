"""Reading the cold tier over the memory store: the same bytes, wherever they come from."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.format.segment_sections import AbortedTransaction
from everlog.model.offsets import Offset
from everlog.records.batch import walk
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.retrying import RetryingObjectStore
from service.model.log import LogSlice, OffsetOutOfRangeError, ReadBounds
from service.partition.partition import Partition
from service.tiering.uploader import in_process
from tests.contract.object_stores import FailingStore
from tests.fault.fault_plan import Once
from tests.fault.faulty_store import FaultyStore, StoreFault
from tests.simulation.clock import SeededIds
from tests.unit.tiering.aborted_objects import aborting
from tests.unit.tiering.site import (
    EVERYTHING,
    HastyClock,
    Metadata,
    Site,
    metadata_tree,
    read_all,
    read_some,
    site,
)

SEGMENT = 64 << 10
TOPIC = {
    "segment.bytes": str(SEGMENT),
    "remote.object.bytes": str(1 << 20),
    "local.retention.bytes": "1",
}
SETTINGS = {
    "remote.fetch.range.bytes": str(64 << 10),
    "remote.cache.bytes": str(1 << 20),
    "remote.merge.bytes.per.second": "0",
}
LARGE_OBJECTS = {"remote.object.bytes": str(8 << 20)}


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


@pytest.fixture
def objects() -> MemoryObjectStore:
    return MemoryObjectStore(clock=HastyClock())


def nothing_fails() -> tuple[None, None]:
    return None, None


@pytest.fixture
def store(objects: MemoryObjectStore) -> FailingStore:
    return FailingStore(objects, nothing_fails)


@pytest.fixture
async def running(tmp_path: Path, metadata: Metadata, store: FailingStore) -> AsyncIterator[Site]:
    async with site(tmp_path, metadata, store=store, settings=SETTINGS) as running:
        yield running


async def cold_partition(running: Site, *, batches: int = 400) -> tuple[Partition, bytes]:
    """Make a partition most of which is only in the store."""
    partition = await running.open(TOPIC)
    appended = await running.append(partition, batches=batches, batch_bytes=4000)
    await running.released_to(partition, partition.hot.active.base_offset)
    assert partition.hot.local_start == partition.tiered_end > batches * 3 // 4
    return partition, appended


@pytest.mark.rule("TIER-21")
async def test_what_was_released_is_read_back_byte_for_byte(running: Site) -> None:
    partition, appended = await cold_partition(running)
    assert partition.log_start == 0
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-43")
async def test_what_comes_next_is_fetched_before_anybody_asks(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    roomy = {**SETTINGS, "remote.cache.bytes": str(8 << 20)}
    async with site(tmp_path, metadata, store=store, settings=roomy) as running:
        partition, _ = await cold_partition(running, batches=1000)
        await read_in_order(partition, 0, reads=3)
        async with asyncio.timeout(20):
            while not running.cold.stats.prefetched:
                await asyncio.sleep(0.005)


async def read_in_order(partition: Partition, offset: int, *, reads: int) -> None:
    for _ in range(reads):
        records = (await read_some(partition, offset)).records
        offset = list(walk(records))[-1][1].next_offset


async def test_a_jump_fetches_one_chunk_and_nothing_ahead(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    roomy = {"remote.fetch.range.bytes": str(4 << 20), "remote.cache.bytes": str(64 << 20)}
    async with site(tmp_path, metadata, store=store, settings=roomy) as running:
        partition = await running.open({**TOPIC, "segment.bytes": str(4 << 20)} | LARGE_OBJECTS)
        await running.append(partition, batches=1500, batch_bytes=4000)
        await running.released_to(partition, 1000)
        for offset in (700, 20, 400):
            await read_some(partition, offset)
        stats = running.cold.stats
        assert (stats.seeks, stats.prefetched) == (3, 0)
        assert stats.range_bytes <= 3 << 20


class CountingStore(FailingStore):
    """A store whose downloads take a while, and which knows how many there were at a time."""

    running = 0
    most = 0

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        return await super().read_into_file(key, start, length, path)


@pytest.mark.rule("TIER-38")
async def test_however_many_read_only_so_much_is_asked_of_the_store(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore
) -> None:
    store = CountingStore(objects, nothing_fails)
    narrow = {**SETTINGS, "remote.cache.bytes": str(16 << 20), "remote.fetch.parallelism": "2"}
    async with site(tmp_path, metadata, store=store, settings=narrow) as running:
        partition, _ = await cold_partition(running, batches=1000)
        await asyncio.gather(*(read_some(partition, offset) for offset in range(0, 900, 45)))
        assert store.most == 2
        assert running.cold.stats.fetch_waits > 0


@pytest.mark.rule("TIER-39")
async def test_a_scan_leaves_what_was_sought_out_in_the_cache(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    small = {"remote.fetch.range.bytes": str(64 << 10), "remote.cache.bytes": str(4 << 20)}
    async with site(tmp_path, metadata, store=store, settings=small) as running:
        partition, appended = await cold_partition(running, batches=2000)
        await read_some(partition, 900)
        assert len(appended) > 7 << 20
        assert await read_all(partition) == appended
        assert isinstance(partition.read(Offset(900), EVERYTHING), LogSlice)
        passed = partition.read(Offset(300), EVERYTHING)
        assert not isinstance(passed, LogSlice)
        await passed


async def test_what_is_at_hand_is_answered_at_once(running: Site) -> None:
    partition, _ = await cold_partition(running)
    await read_some(partition, 0)
    again = partition.read(Offset(0), EVERYTHING)
    assert isinstance(again, LogSlice)
    assert again


async def test_a_read_from_inside_begins_with_the_batch_that_holds_the_offset(
    running: Site,
) -> None:
    partition, _ = await cold_partition(running)
    found = await read_some(partition, 123)
    assert next(walk(found.records))[1].base_offset == 123


async def test_a_read_ends_at_its_bounds(running: Site) -> None:
    partition, _ = await cold_partition(running)
    bounds = ReadBounds(end=Offset(5), bytes_max=1 << 20, at_least_one=True)
    assert [h.base_offset for _, h in walk((await read_some(partition, 2, bounds)).records)] == [
        2,
        3,
        4,
    ]
    tight = ReadBounds(end=Offset(100), bytes_max=9000, at_least_one=True)
    assert len(await read_some(partition, 2, tight)) <= 9000
    none = ReadBounds(end=Offset(100), bytes_max=10, at_least_one=False)
    assert not await read_some(partition, 2, none)
    one = ReadBounds(end=Offset(100), bytes_max=10, at_least_one=True)
    assert len(list(walk((await read_some(partition, 2, one)).records))) == 1


async def test_a_batch_larger_than_any_guess_is_read_whole(running: Site) -> None:
    partition = await running.open(TOPIC)
    appended = await running.append(partition, batches=6, batch_bytes=200_000)
    await running.released_to(partition, 5)
    tight = ReadBounds(end=Offset(6), bytes_max=100, at_least_one=True)
    assert len(await read_some(partition, 0, tight)) > 200_000
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-20")
async def test_an_offset_in_a_gap_behind_a_large_batch_is_answered_with_what_follows(
    running: Site,
) -> None:
    partition = await running.open({**TOPIC, "segment.bytes": str(1 << 20)})
    await running.append(partition, batches=1, batch_bytes=200_000)
    partition.hot.next_offset = Offset(100)
    await running.append(partition, batches=6, batch_bytes=200_000)
    await running.released_to(partition, partition.hot.active.base_offset)
    tight = ReadBounds(end=Offset(106), bytes_max=100, at_least_one=True)
    for offset in (50, 50):  # fetched, and then at hand
        found = await read_some(partition, offset, tight)
        assert [header.base_offset for _, header in walk(found.records)] == [100]


@pytest.mark.rule("TIER-37")
async def test_a_reader_that_gives_up_does_not_stop_its_download(
    running: Site, store: FailingStore
) -> None:
    partition, _ = await cold_partition(running)
    found = partition.read(Offset(0), EVERYTHING)
    assert not isinstance(found, LogSlice)
    task = asyncio.ensure_future(found)
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(10):
        while not isinstance(again := partition.read(Offset(0), EVERYTHING), LogSlice):
            task = asyncio.ensure_future(again)
            await asyncio.sleep(0.001)
            task.cancel()
    assert again


async def test_many_readers_of_a_range_share_one_download(running: Site, tmp_path: Path) -> None:
    partition, _ = await cold_partition(running)
    found = await asyncio.gather(*(read_some(partition, 0) for _ in range(20)))
    assert len({bytes(each.records) for each in found}) == 1
    # A file is named by object, position and length, and then by the number of the download.
    ranges = [each.rsplit("-", 2)[0] for each in os.listdir(tmp_path / "cache")]
    assert len(ranges) == len(set(ranges)) > 0


@pytest.mark.rule("TIER-42")
async def test_a_failure_is_told_and_not_remembered(running: Site, store: FailingStore) -> None:
    partition, appended = await cold_partition(running)
    store.plan = lambda: (StoreUnavailableError("read", "-", "down"), None)
    with pytest.raises(StoreUnavailableError):
        await read_some(partition, 0)
    store.plan = nothing_fails
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-42")
@pytest.mark.parametrize("kind", [StoreFault.FLIPPED, StoreFault.CUT])
async def test_what_arrives_damaged_is_fetched_again_before_anybody_hears_of_it(
    running: Site, store: FailingStore, objects: MemoryObjectStore, kind: StoreFault
) -> None:
    partition, appended = await cold_partition(running)
    plan = Once(kind)
    faulty = FaultyStore(objects, plan)
    store.store = RetryingObjectStore(faulty, clock=HastyClock(), ids=SeededIds())
    assert await read_all(partition) == appended
    assert plan.injected.total() == 1


@pytest.mark.rule("TIER-28")
async def test_damage_is_noticed_and_never_served(
    running: Site, objects: MemoryObjectStore
) -> None:
    partition, _ = await cold_partition(running)
    damage_newest(objects)
    assert await read_some(partition, 0)
    with pytest.raises(CorruptObjectError):
        await read_all(partition)


@pytest.mark.rule("TIER-31")
async def test_an_object_that_is_gone_is_looked_for_once_more(
    running: Site, objects: MemoryObjectStore
) -> None:
    partition, appended = await cold_partition(running)
    key, kept = next((k, v) for k, v in objects._objects.items() if "/seg/" in k)
    del objects._objects[key]
    with pytest.raises(CorruptObjectError):
        await read_some(partition, 0)
    objects._objects[key] = kept
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-36")
async def test_a_record_is_found_by_its_time(running: Site) -> None:
    partition = await running.open(TOPIC)
    for hour in range(6):
        await running.append(partition, batches=40, batch_bytes=4000, timestamp_ms=hour * 1000)
    await running.released_to(partition, partition.hot.active.base_offset)
    end = partition.high_watermark
    for hour in range(6):
        found = await partition.find_time(hour * 1000 - 1, end)
        assert found is not None
        assert (found.offset, found.timestamp_ms) == (hour * 40, hour * 1000)
        assert found.leader_epoch == 1
    assert await partition.find_time(5001, end) is None
    newest = await partition.find_newest(end)
    assert newest is not None
    assert newest.offset == 200


@pytest.mark.rule("TIER-41")
async def test_the_cache_stays_within_its_bytes_and_its_files_are_removed(
    running: Site, tmp_path: Path
) -> None:
    partition, appended = await cold_partition(running, batches=1000)
    assert len(appended) > 3 << 20
    assert await read_all(partition) == appended
    assert await read_all(partition) == appended
    await asyncio.sleep(0.05)
    files = list((tmp_path / "cache").iterdir())
    assert 0 < sum(each.stat().st_size for each in files) <= 1 << 20


async def test_a_cache_file_that_somebody_removed_is_fetched_again(
    running: Site, tmp_path: Path
) -> None:
    partition, appended = await cold_partition(running)
    assert await read_all(partition) == appended
    for each in (tmp_path / "cache").iterdir():
        each.unlink()
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-46")
async def test_a_committed_reader_is_told_of_the_aborted_transactions_where_it_reads(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    aborted = [
        AbortedTransaction(
            producer_id=producer, first_offset=Offset(first), last_offset=Offset(last)
        )
        for producer, first, last in ((7, 2, 5), (8, 4, 40), (9, 900, 950))
    ]
    seal = aborting(in_process(store), store, aborted)
    async with site(tmp_path, metadata, store=store, settings=SETTINGS, seal=seal) as running:
        partition, appended = await cold_partition(running, batches=1200)

        async def told(offset: int, *, committed: bool = True) -> list[int]:
            bounds = replace(EVERYTHING, committed=committed)
            for _ in range(2):  # fetched, and then at hand
                found = await read_some(partition, offset, bounds)
            return [each.producer_id for each in found.aborted]

        assert await told(0) == [7, 8]
        assert await told(0, committed=False) == []
        assert await told(6) == [8]
        assert await told(500) == []
        assert await told(910) == [9]
        assert await read_all(partition) == appended


async def test_offsets_below_the_start_are_out_of_range(running: Site) -> None:
    partition, _ = await cold_partition(running)
    await running.hot.set_log_start(partition.hot, Offset(100))
    with pytest.raises(OffsetOutOfRangeError):
        partition.read(Offset(99), EVERYTHING)
    assert (await read_some(partition, 100)).records


def damage_newest(objects: MemoryObjectStore) -> None:
    """Flip a bit among the batches of the newest object, behind everybody's back."""
    key = max(each for each in objects._objects if "/seg/" in each)
    stored = objects._objects[key]
    body = bytearray(stored.body)
    body[1000] ^= 1
    objects._objects[key] = type(stored)(bytes(body), stored.crc32c, stored.modified_ms)
