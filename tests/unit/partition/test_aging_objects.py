"""Old objects move to another storage class beside uploads, reads, expiry and restarts."""

import asyncio
from pathlib import Path

import pytest

from everlog.format.entries import Entry, entry_of
from everlog.model.storage_class import StorageClass
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.partition.archive import PartitionArchive
from service.partition.partition import Partition
from tests.unit.partition.classed_store import ClassedStore
from tests.unit.partition.test_small_objects import trickle
from tests.unit.tiering.site import HastyClock, Metadata, Site, read_all, site
from tests.waiting import until

DAY_MS = 86_400_000
BUCKET = {"store.url": "s3://bucket"}
TOPIC = {
    "segment.bytes": str(256 << 10),
    "remote.object.bytes": str(256 << 10),
    "local.retention.bytes": "1",
}
LATER = {
    **TOPIC,
    "remote.storage.class.later": "GLACIER_IR",
    "remote.storage.class.later.ms": str(30 * DAY_MS),
}
BATCH_BYTES = 64 << 10


def archive_of(running: Site) -> PartitionArchive:
    (archive,) = running.cold.archiver.archives
    return archive


async def entries_of(running: Site) -> list[Entry]:
    tiered = archive_of(running).tiered
    assert tiered is not None
    root = await tiered.tier.root()
    return [entry_of(root.entries, row) for row in range(len(root.entries))]


async def grown(running: Site, partition: Partition, clock: HastyClock) -> bytes:
    """Append some objects whose records are of now, and wait until the disk has none of them."""
    appended = await running.append(
        partition, batches=20, batch_bytes=BATCH_BYTES, timestamp_ms=clock.now_ms
    )
    await running.tiered_to(partition, partition.hot.active.base_offset)
    await running.released_to(partition, partition.hot.active.base_offset)
    return appended


async def classes_of(running: Site) -> set[int]:
    return {each.class_number for each in await entries_of(running)}


async def all_moved(running: Site) -> None:
    entries = await entries_of(running)
    await until(lambda: running.cold.stats.moves >= len(entries))


@pytest.mark.rule("TIER-10")
async def test_old_objects_are_moved_once_each_and_the_old_ones_go_after_their_grace(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    store = ClassedStore(objects)
    async with site(tmp_path, metadata, store=store, clock=clock, settings=BUCKET) as running:
        partition = await running.open(LATER)
        appended = await grown(running, partition, clock)
        before = {key for key in objects._objects if "/seg/" in key}
        assert running.cold.stats.moves == 0
        clock.now_ms += 31 * DAY_MS
        await all_moved(running)
        entries = await entries_of(running)
        assert len(entries) == len(before)
        assert {each.class_number for each in entries} == {StorageClass.GLACIER_IR}
        tiered = archive_of(running).tiered
        assert tiered is not None
        for each in entries:
            name = object_key(each.key(tiered.tier.path).text)
            assert store.classes[name] is StorageClass.GLACIER_IR
        assert before <= objects._objects.keys()
        assert await read_all(partition) == appended
        moves = running.cold.stats.moves
        clock.now_ms += 2 * 3_600_000
        await until(lambda: not before & objects._objects.keys())
        assert await read_all(partition) == appended
        clock.now_ms += 60 * DAY_MS
        await running.append(partition, batches=8, batch_bytes=BATCH_BYTES, timestamp_ms=1)
        await until(lambda: running.cold.stats.moves > moves)
        assert await entries_of(running) != entries
        assert {each.uid for each in entries} <= {each.uid for each in await entries_of(running)}


async def test_moving_goes_on_after_a_restart_where_it_was_broken_off(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    store = ClassedStore(objects)
    async with site(tmp_path, metadata, store=store, clock=clock, settings=BUCKET) as running:
        partition = await running.open(LATER)
        appended = await grown(running, partition, clock)
        clock.now_ms += 31 * DAY_MS
        await until(lambda: running.cold.stats.moves >= 1)
        count = len(await entries_of(running))
    moved = running.cold.stats.moves
    async with site(
        tmp_path, metadata, store=store, clock=clock, settings=BUCKET, seed=1
    ) as running:
        partition = await running.open(LATER, epoch=2)
        async with asyncio.timeout(20):
            while await classes_of(running) != {StorageClass.GLACIER_IR}:
                await asyncio.sleep(0.005)
        assert await read_all(partition) == appended
        assert len(await entries_of(running)) == count
        # The last commit before the stop may have been made and not been counted.
        assert running.cold.stats.moves + moved <= count


async def test_an_object_of_a_topic_at_rest_is_moved_when_its_time_comes(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    store = ClassedStore(objects)
    async with site(tmp_path, metadata, store=store, clock=clock, settings=BUCKET) as running:
        partition = await running.open(TOPIC)
        await grown(running, partition, clock)
        count = len(await entries_of(running))
    clock.now_ms += 31 * DAY_MS
    async with site(
        tmp_path, metadata, store=store, clock=clock, settings=BUCKET, seed=1
    ) as running:
        partition = await running.open(TOPIC, epoch=2)
        assert running.cold.stats.moves == 0
        running.reconfigure(partition, LATER)
        # Nothing else reads the manifest of a partition at rest.
        await until(lambda: running.cold.stats.moves == count)


async def test_a_directory_has_nothing_moved(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    store = ClassedStore(objects)
    async with site(tmp_path, metadata, store=store, clock=clock) as running:
        partition = await running.open(LATER)
        await grown(running, partition, clock)
        clock.now_ms += 31 * DAY_MS
        again = await grown(running, partition, clock)
        assert running.cold.stats.moves == 0
        assert (await read_all(partition)).endswith(again)


async def test_a_merged_object_gets_the_class_that_its_records_demand(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    store = ClassedStore(objects)
    topic = {"segment.bytes": "1024", "remote.storage.class": "STANDARD_IA"}
    async with site(tmp_path, metadata, store=store, clock=clock, settings=BUCKET) as running:
        partition = await running.open(topic)
        await trickle(running, partition, 9)
        await until(lambda: running.cold.stats.merges >= 1)
        (made, *_) = await entries_of(running)
        assert made.records == 8
        assert made.class_number == StorageClass.STANDARD_IA
        tiered = archive_of(running).tiered
        assert tiered is not None
        name = object_key(made.key(tiered.tier.path).text)
        assert store.classes[name] is StorageClass.STANDARD_IA
