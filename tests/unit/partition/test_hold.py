"""On hold nothing leaves the archive; the disk is freed all the same."""

import asyncio
from pathlib import Path

import pytest

from everlog.stores.memory import MemoryObjectStore
from service.partition.partition import Partition
from tests.contract.object_stores import FailingStore
from tests.unit.partition.test_archiver import KEEP_LITTLE, UNTIERED, archived, filled
from tests.unit.tiering.site import HastyClock, Metadata, Site, read_all, site
from tests.waiting import until

LOOKS = 0.15
"""Seconds in which all partitions are looked at several times."""

EXPIRING = {**KEEP_LITTLE, "retention.ms": "60000", "remote.object.bytes": str(16 << 10)}
HELD = {**EXPIRING, "archive.hold": "true"}
LATER_MS = 30 * 86_400_000


def _names(objects: MemoryObjectStore) -> set[str]:
    return {key for key in objects._objects if "/seg/" in key or "/root/" in key}


async def test_retention_waits_for_the_release_and_goes_on_where_it_was(
    running: Site, clock: HastyClock, objects: MemoryObjectStore
) -> None:
    partition = await filled(running, HELD)
    await archived(running, partition)
    clock.now_ms += LATER_MS
    await running.append(partition, batches=64, batch_bytes=1000, timestamp_ms=clock.now_ms)
    await archived(running, partition)
    await asyncio.sleep(LOOKS)
    assert partition.log_start == 0
    assert partition.hot.local_start > 0
    assert len(await read_all(partition)) > 0
    running.reconfigure(partition, EXPIRING)
    await until(lambda: partition.log_start > 0)


async def test_what_was_retired_before_the_hold_stays_until_its_release(
    running: Site, clock: HastyClock, objects: MemoryObjectStore
) -> None:
    partition = await filled(running, EXPIRING)
    await archived(running, partition)
    clock.now_ms += 61_000
    await until(lambda: partition.log_start == partition.tiered_end)
    running.reconfigure(partition, HELD)
    before = _names(objects)
    clock.now_ms += LATER_MS
    # Also with the commits of what comes new.
    await running.append(partition, batches=128, batch_bytes=1000, timestamp_ms=clock.now_ms)
    await archived(running, partition)
    await asyncio.sleep(LOOKS)
    assert before <= _names(objects)
    running.reconfigure(partition, EXPIRING)
    await until(lambda: not before & {key for key in _names(objects) if "/seg/" in key})


async def test_small_objects_and_orphans_stay_as_they_are(
    running: Site, clock: HastyClock, objects: MemoryObjectStore
) -> None:
    partition = await filled(running, HELD)
    await archived(running, partition)
    segment = next(key for key in objects._objects if "/seg/" in key)
    orphan = f"{segment.rpartition('-')[0]}-{'a' * 26}.seg"
    objects._objects[orphan] = objects._objects[segment]  # type: ignore[index]
    clock.now_ms += LATER_MS
    await asyncio.sleep(LOOKS)
    assert orphan in objects._objects
    running.reconfigure(partition, {**EXPIRING, "retention.ms": "-1"})
    await until(lambda: orphan not in objects._objects)


async def test_a_hold_outlives_a_restart(
    tmp_path: Path,
    metadata: Metadata,
    store: FailingStore,
    clock: HastyClock,
) -> None:
    async with site(tmp_path, metadata, store=store, clock=clock) as first:
        await archived(first, await filled(first, HELD))
    clock.now_ms += LATER_MS
    async with site(tmp_path, metadata, store=store, clock=clock, seed=1) as second:
        partition: Partition = await second.open(HELD, epoch=2)
        await asyncio.sleep(LOOKS)
        assert partition.log_start == 0


@pytest.mark.parametrize("is_held", [False, True])
async def test_an_untiered_topic_on_hold_expires_not_either(
    running: Site, *, is_held: bool
) -> None:
    config = {**UNTIERED, "retention.bytes": str(32 << 10), "archive.hold": str(is_held).lower()}
    partition = await filled(running, config)
    if is_held:
        await asyncio.sleep(LOOKS)
        assert partition.log_start == 0
    else:
        await until(lambda: partition.log_start > 0)
