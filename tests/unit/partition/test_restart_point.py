"""A local log that has lost its end goes on where the archive ends, if it is a part of it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everlog.model.errors import CorruptionError, RetriableError
from everlog.model.offsets import Offset
from everlog.records.batch import read_header
from everlog.records.builder import Producer, Record, build_batch
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.hot.layout import SYNCED_MARKS
from service.partition.partition import Partition
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

SEGMENTS = {
    "segment.bytes": str(16 << 10),
    "remote.object.bytes": str(1 << 20),
    "local.retention.ms": "-2",
}


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryObjectStore(clock=HastyClock()), lambda: (None, None))


def lose_the_end(data_dir: Path, *, kept_files: int) -> None:
    for path in sorted(data_dir.glob("logs/*/0/*.log"))[kept_files:]:
        path.unlink()


def contents(data_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data_dir.glob("logs/*/0/*.log")}


async def archived(running: Site, *, epoch: int = 1, batches: int = 64) -> bytes:
    """Fill a log; return everything of it that is in the archive."""
    partition = await running.open(SEGMENTS, epoch=epoch)
    await running.append(partition, batches=batches, batch_bytes=1000)
    end = partition.hot.active.base_offset
    await running.tiered_to(partition, end)
    everything = await read_all(partition)
    return everything[: len(everything) - partition.hot.active.size]


async def goes_on(running: Site, partition: Partition, kept: bytes) -> None:
    """Check that nothing archived is missing, and that the log takes more, for good."""
    end = partition.tiered_end
    assert (partition.log_start, partition.hot.local_start, partition.high_watermark) == (
        0,
        end,
        end,
    )
    assert partition.hot.epochs.epoch_of(end - 1) == 1
    assert await read_all(partition) == kept
    more = await running.append(partition, batches=40, batch_bytes=1000)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    assert await read_all(partition) == kept + more
    assert running.cold.stats.log_restarts == 1


@pytest.mark.rule("TIER-12")
async def test_a_lost_directory_goes_on_at_the_end_of_the_archive(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path / "a", metadata, store=store) as first:
        kept = await archived(first)
    async with site(tmp_path / "b", metadata, store=store) as second:
        await goes_on(second, await second.open(SEGMENTS, epoch=2), kept)
    async with site(tmp_path / "b", metadata, store=store) as third:
        partition = await third.open(SEGMENTS, epoch=3)
        assert len(await read_all(partition)) > len(kept)
        assert third.cold.stats.log_restarts == 0
        assert [epoch for epoch, _ in partition.hot.epochs] == [1, 2]


@pytest.mark.rule("TIER-12")
@pytest.mark.parametrize("kept_files", [1, 2])
async def test_a_log_that_has_lost_its_last_segments_goes_on_at_the_end_of_the_archive(
    tmp_path: Path, metadata: Metadata, store: FailingStore, kept_files: int
) -> None:
    async with site(tmp_path, metadata, store=store) as first:
        kept = await archived(first)
    lose_the_end(tmp_path, kept_files=kept_files)
    (tmp_path / SYNCED_MARKS).unlink()
    async with site(tmp_path, metadata, store=store) as second:
        await goes_on(second, await second.open(SEGMENTS, epoch=2), kept)


@pytest.mark.rule("TIER-12")
async def test_offsets_of_synced_records_that_are_nowhere_are_not_given_to_others(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path, metadata, store=store) as first:
        await archived(first)
    lose_the_end(tmp_path, kept_files=2)
    before = contents(tmp_path)
    async with site(tmp_path, metadata, store=store) as second:
        with pytest.raises(CorruptionError, match=f"remove .*{SYNCED_MARKS}"):
            await second.open(SEGMENTS, epoch=2)
    assert contents(tmp_path) == before


@pytest.mark.rule("TIER-12")
async def test_a_short_log_of_another_history_stays_offline(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path / "a", metadata, store=store) as first:
        await archived(first)
    async with metadata_tree() as others, site(tmp_path / "b", others, store=store) as second:
        other = await second.open({**SEGMENTS, "remote.storage.enable": "false"}, epoch=3)
        await second.append(other, batches=5, batch_bytes=1000)
    before = contents(tmp_path / "b")
    async with site(tmp_path / "b", metadata, store=store) as third:
        with pytest.raises(CorruptionError, match="diverged"):
            await third.open(SEGMENTS, epoch=4)
    assert contents(tmp_path / "b") == before


@pytest.mark.rule("REL-D2")
async def test_retries_are_known_after_a_lost_directory(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    who = [Producer(producer_id=7, epoch=0, base_sequence=number) for number in range(64)]
    batches = [
        build_batch([Record(key=None, value=bytes(1000), timestamp_ms=1)], producer=each)
        for each in who
    ]
    # The object ends inside of a segment, so its snapshot of producers is older than its end.
    config = {**SEGMENTS, "segment.bytes": str(40 << 10), "remote.object.bytes": str(16 << 10)}
    async with site(tmp_path / "a", metadata, store=store) as first:
        partition = await first.open(config)
        for batch in batches:
            partition.append(memoryview(batch))
        await settled(partition)
        await first.tiered_to(partition, 10)
    async with site(tmp_path / "b", metadata, store=store) as second:
        partition = await second.open(config, epoch=2)
        end = partition.tiered_end
        for number in range(end - 5, end):
            assert partition.hot.producers.check(read_header(batches[number])) == number
        assert partition.hot.producers.check(read_header(batches[end])) is None


@pytest.mark.rule("TIER-28")
async def test_a_lost_directory_waits_for_a_store_that_does_not_answer(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path / "a", metadata, store=store) as first:
        kept = await archived(first)
    async with site(tmp_path / "b", metadata, store=store) as second:
        answering = store.plan
        store.plan = lambda: (StoreUnavailableError("read", "-", "down"), None)
        with pytest.raises(RetriableError):
            await second.open(SEGMENTS, epoch=2)
        second.hot.abandon(next(iter(second.hot.logs)).partition)
        store.plan = answering
        await goes_on(second, await second.open(SEGMENTS, epoch=2), kept)


async def test_deleted_records_stay_deleted_after_a_lost_directory(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path / "a", metadata, store=store) as first:
        await archived(first)
        partition = next(iter(first.table.partitions))
        await first.hot.set_log_start(partition.hot, Offset(10))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    lose_the_end(tmp_path / "b", kept_files=1)
    (tmp_path / "b" / SYNCED_MARKS).unlink()
    async with site(tmp_path / "b", metadata, store=store) as second:
        assert (await second.open(SEGMENTS, epoch=2)).log_start == 10


@pytest.mark.rule("TIER-12")
async def test_an_unclean_leader_that_lacks_what_is_archived_goes_on_where_the_archive_ends(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    old = {**SEGMENTS, "local.retention.ms": "-1"}
    async with site(tmp_path / "a", metadata, store=store) as first:
        partition = await first.open(old, epoch=1)
        await first.append(partition, batches=20, batch_bytes=1000)
    shutil.copytree(tmp_path / "a", tmp_path / "behind")
    async with site(tmp_path / "a", metadata, store=store) as second:
        kept = await archived(second, epoch=2)
    async with site(tmp_path / "behind", metadata, store=store) as third:
        partition = await third.open(SEGMENTS, epoch=3)
        end = partition.tiered_end
        assert (partition.hot.local_start, partition.high_watermark) == (end, end)
        assert await read_all(partition) == kept
        assert third.cold.stats.log_restarts == 1
