"""Records that go to the archive before their segment is sealed (``remote.copy.lag.max.ms``)."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everlog.model.offsets import Offset
from everlog.records.batch import read_header
from everlog.records.builder import Producer, Record, build_batch
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.hot.layout import SYNCED_MARKS
from service.partition.archive import PartitionArchive
from service.partition.partition import Partition
from service.partition.upload_plans import plan_uploads
from service.tiering.planner import FileRange, UploadPlan
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import (
    HastyClock,
    Metadata,
    Site,
    metadata_tree,
    read_all,
    settled,
    site,
)

SLICES = {"segment.bytes": str(1 << 20), "remote.copy.lag.max.ms": "40"}
NO_SLICES = {"segment.bytes": str(1 << 20)}
LATE_SLICES = {**NO_SLICES, "remote.copy.lag.max.ms": "3600000"}
SETTINGS = {
    "remote.merge.bytes.per.second": "0",
    # Whatever is uploaded here is so because of its age.
    "log.retention.check.interval.ms": "3600000",
}


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


@pytest.fixture
def objects() -> MemoryObjectStore:
    return MemoryObjectStore(clock=HastyClock())


@pytest.fixture
def store(objects: MemoryObjectStore) -> FailingStore:
    return FailingStore(objects, lambda: (None, None))


@pytest.fixture
async def running(tmp_path: Path, metadata: Metadata, store: FailingStore) -> AsyncIterator[Site]:
    async with site(tmp_path, metadata, store=store, settings=SETTINGS) as running:
        yield running


def archive_of(running: Site) -> PartitionArchive:
    (archive,) = running.cold.archiver.archives
    return archive


async def append_idempotently(partition: Partition, numbers: range) -> None:
    for number in numbers:
        producer = Producer(producer_id=7, epoch=0, base_sequence=number)
        record = Record(key=None, value=b"x" * 1000, timestamp_ms=1000)
        partition.append(memoryview(build_batch([record], producer=producer)))
    await settled(partition)


async def planned(
    running: Site, partition: Partition, start: int, committed: int, *, object_bytes: int = 1 << 20
) -> list[UploadPlan]:
    return await plan_uploads(
        running.hot,
        partition.hot,
        Offset(start),
        committed=Offset(committed),
        object_bytes=object_bytes,
        plans_max=9,
        with_slice=True,
    )


def content_of(piece: FileRange) -> bytes:
    end = piece.position + piece.length
    return Path(piece.path).read_bytes()[piece.position : end]


@pytest.mark.rule("TIER-33")
async def test_what_has_waited_long_enough_goes_up_though_its_segment_is_not_sealed(
    running: Site,
) -> None:
    partition = await running.open(SLICES)
    for end in (3, 7, 8):
        await running.append(partition, batches=end - partition.hot.log_end, batch_bytes=1000)
        await running.tiered_to(partition, end)
    assert not partition.hot.sealed
    assert partition.hot.active.base_offset == 0
    assert running.cold.stats.objects == 3


@pytest.mark.parametrize("config", [NO_SLICES, LATE_SLICES])
async def test_what_has_not_waited_long_enough_stays(running: Site, config: dict[str, str]) -> None:
    partition = await running.open(config)
    await running.append(partition, batches=3, batch_bytes=1000)
    await asyncio.sleep(0.1)  # several looks
    assert partition.tiered_end == 0


async def test_slices_can_be_turned_on_and_off(running: Site) -> None:
    partition = await running.open(NO_SLICES)
    await running.append(partition, batches=3, batch_bytes=1000)
    running.reconfigure(partition, SLICES)
    await running.tiered_to(partition, 3)
    running.reconfigure(partition, NO_SLICES)
    await running.append(partition, batches=3, batch_bytes=1000)
    await asyncio.sleep(0.1)
    assert partition.tiered_end == 3


async def test_the_rest_of_a_segment_goes_up_when_it_is_sealed_and_all_of_it_is_read_back(
    running: Site,
) -> None:
    config = {**SLICES, "segment.bytes": str(16 << 10), "local.retention.bytes": "1"}
    partition = await running.open(config)
    appended = b""
    for _ in range(12):
        appended += await running.append(partition, batches=5, batch_bytes=1000)
        await asyncio.sleep(0.02)
    await running.tiered_to(partition, partition.hot.log_end)
    await running.released_to(partition, partition.hot.active.base_offset)
    assert partition.hot.local_start > 0
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-1")
async def test_plans_for_a_growing_file_are_frozen(running: Site) -> None:
    partition = await running.open(NO_SLICES)
    appended = await running.append(partition, batches=30, batch_bytes=1000)
    async with asyncio.TaskGroup() as tasks:
        planning = tasks.create_task(planned(running, partition, 0, 1 << 60, object_bytes=8000))
        await asyncio.sleep(0)
        await running.append(partition, batches=40, batch_bytes=1000)
        partition.hot.roll()
        await running.append(partition, batches=3, batch_bytes=1000)
    plans = planning.result()
    pieces = [piece for plan in plans for piece in plan.ranges]
    assert (plans[0].offsets.start, plans[-1].offsets.end) == (0, 30)
    assert b"".join(map(content_of, pieces)) == appended


async def test_a_slice_begins_in_the_middle_of_a_file_where_the_tier_ends(running: Site) -> None:
    partition = await running.open(NO_SLICES)
    first = await running.append(partition, batches=30, batch_bytes=1000)
    more = await running.append(partition, batches=3, batch_bytes=1000)
    (plan,) = await planned(running, partition, 30, 33)
    (piece,) = plan.ranges
    assert (piece.position, piece.length) == (len(first), len(more))
    assert plan.producers_path == partition.hot.active.producers_path


@pytest.mark.parametrize(("committed", "end"), [(33, 33), (30, 30), (31, 30), (29, 27), (3, 3)])
async def test_a_slice_ends_behind_the_last_batch_that_is_committed(
    running: Site, committed: int, end: int
) -> None:
    partition = await running.open(NO_SLICES)
    for base in range(0, 33, 3):
        values = [b"x" * 500] * 3
        batch = build_batch([Record(key=None, value=v, timestamp_ms=base) for v in values])
        partition.hot.append(batch, read_header(batch), leader_epoch=partition.leader_epoch)
    await settled(partition)
    (plan,) = await planned(running, partition, 0, committed)
    assert plan.offsets.end == end
    size = partition.hot.active.size // 11
    assert plan.data_bytes == size * end // 3


async def test_of_unsynced_records_the_synced_ones_go_up_and_the_others_are_synced(
    running: Site,
) -> None:
    partition = await running.open({**SLICES, "flush.messages": "100", "flush.ms": "3600000"})
    await running.append(partition, batches=5, batch_bytes=1000)
    await running.tiered_to(partition, 5)
    assert partition.hot.synced_end == 5


async def test_what_waits_counts_with_slices_whether_it_is_sealed_or_not(
    running: Site, store: FailingStore
) -> None:
    partition = await running.open(SLICES)
    await running.append(partition, batches=5, batch_bytes=1000)
    await running.tiered_to(partition, 5)
    archive = archive_of(running)
    async with asyncio.timeout(20):
        while archive.lag_bytes:
            await asyncio.sleep(0.005)
    assert archive.lag_ms(running.clock.wall_ms()) == 0
    store.plan = lambda: (StoreUnavailableError("create", "-", "down"), None)
    more = await running.append(partition, batches=2, batch_bytes=1000)
    assert archive.lag_bytes == len(more)
    await asyncio.sleep(0.1)
    assert archive.lag_ms(running.clock.wall_ms()) >= 50
    running.reconfigure(partition, NO_SLICES)
    assert (archive.lag_bytes, archive.lag_ms(running.clock.wall_ms())) == (0, 0)
    store.plan = lambda: (None, None)


@pytest.mark.rule("TIER-12")
async def test_after_the_loss_of_a_disk_the_producers_are_those_of_the_archive(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path, metadata, store=store) as first:
        partition = await first.open(SLICES)
        await append_idempotently(partition, range(10))
        await first.tiered_to(partition, 10)
    shutil.rmtree(tmp_path / "logs")
    (tmp_path / SYNCED_MARKS).unlink(missing_ok=True)
    async with site(tmp_path, metadata, store=store) as second:
        partition = await second.open(SLICES, epoch=2)
        assert (partition.hot.local_start, partition.hot.log_end) == (10, 10)
        await append_idempotently(partition, range(7, 12))
        assert partition.hot.log_end == 12
