"""The archiver over the memory store: segments go up, are let go of, expire, and come back."""

import asyncio
import os
from pathlib import Path

import pytest

from everlog.format.object_keys import LATEST
from everlog.format.pointer import decode_pointer
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.coordination.znodes import tier_path
from service.partition.partition import Partition
from service.partition.tier_pointers import TierPointers
from service.tiering.authority import Authority, ClaimRequest
from tests.contract.object_stores import FailingStore
from tests.simulation.clock import SeededIds
from tests.unit.tiering.site import (
    TOPIC,
    HastyClock,
    Metadata,
    Site,
    nothing_fails,
    read_all,
    site,
)
from tests.waiting import until

SEGMENTS = {"segment.bytes": str(16 << 10), "remote.object.bytes": str(1 << 20)}
KEEP_LITTLE = {**SEGMENTS, "local.retention.bytes": "1"}
UNTIERED = {**SEGMENTS, "remote.storage.enable": "false"}


async def filled(running: Site, config: dict[str, str], *, batches: int = 64) -> Partition:
    partition = await running.open(config)
    await running.append(
        partition, batches=batches, batch_bytes=1000, timestamp_ms=running.clock.wall_ms()
    )
    return partition


async def archived(running: Site, partition: Partition) -> None:
    await running.tiered_to(partition, partition.hot.active.base_offset)


def first_on_disk(partition: Partition) -> int:
    names = os.listdir(partition.hot.directory)
    return min(int(name.removesuffix(".log")) for name in names if name.endswith(".log"))


def flip_bit(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.rule("TIER-2")
async def test_only_sealed_and_committed_segments_go_up(running: Site) -> None:
    partition = await filled(running, SEGMENTS)
    await archived(running, partition)
    assert partition.tiered_end == partition.hot.active.base_offset
    assert partition.tiered_end <= partition.high_watermark
    assert partition.hot.local_start == 0


@pytest.mark.rule("TIER-11")
async def test_nothing_is_released_while_the_store_is_down(
    running: Site, store: FailingStore
) -> None:
    store.plan = lambda: (StoreUnavailableError("create", "-", "down"), None)
    partition = await filled(running, KEEP_LITTLE)
    await until(lambda: any(each.stalled_since for each in running.cold.archiver.archives))
    assert (partition.hot.local_start, partition.tiered_end) == (0, 0)
    assert sum(each.lag_bytes for each in running.cold.archiver.archives) > 0
    store.plan = nothing_fails
    await archived(running, partition)
    await until(lambda: partition.hot.local_start == partition.tiered_end)


@pytest.mark.rule("TIER-9")
async def test_lost_answers_of_the_store_make_no_hole_and_no_duplicate(
    running: Site, store: FailingStore
) -> None:
    answers = iter([True, False, True, True, False] * 1000)

    def plan() -> tuple[Exception | None, Exception | None]:
        lost = StoreUnavailableError("call", "-", "the answer was lost")
        return (None, lost) if next(answers) else (None, None)

    store.plan = plan
    partition = await running.open(KEEP_LITTLE)
    appended = await running.append(partition, batches=48, batch_bytes=1000)
    await archived(running, partition)
    await until(lambda: partition.hot.local_start == partition.tiered_end)
    store.plan = nothing_fails
    assert await read_all(partition) == appended


@pytest.mark.rule("TIER-13")
async def test_a_restart_knows_where_the_log_starts_and_reads_all_of_it(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path, metadata, store=store) as first:
        partition = await first.open(KEEP_LITTLE)
        appended = await first.append(partition, batches=64, batch_bytes=1000)
        await archived(first, partition)
        await until(lambda: first_on_disk(partition) == partition.tiered_end)
    async with site(tmp_path, metadata, store=store) as second:
        partition = await second.open(KEEP_LITTLE, epoch=2)
        assert partition.log_start == 0
        assert partition.hot.local_start > 0
        more = await second.append(partition, batches=64, batch_bytes=1000)
        await archived(second, partition)
        assert await read_all(partition) == appended + more


async def test_a_start_needs_nothing_of_the_store(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path, metadata, store=store) as first:
        partition = await filled(first, KEEP_LITTLE)
        await archived(first, partition)
    store.calls.clear()
    store.plan = lambda: (StoreUnavailableError("read", "-", "down"), None)
    async with site(tmp_path, metadata, store=store) as second:
        partition = await second.open(KEEP_LITTLE, epoch=2)
        assert not store.calls
        await second.append(partition, batches=2, batch_bytes=1000)


@pytest.mark.rule("TIER-3")
async def test_a_leader_that_was_claimed_over_changes_nothing_any_more(
    running: Site, metadata: Metadata
) -> None:
    partition = await filled(running, SEGMENTS)
    await archived(running, partition)
    end = partition.tiered_end
    authority = Authority(TierPointers(metadata.store), clock=HastyClock(), ids=SeededIds(5))
    await authority.claim(
        ClaimRequest(partition=partition.id, epoch=LeaderEpoch(7), start=Offset(0), may_begin=True)
    )
    await running.append(partition, batches=64, batch_bytes=1000)
    await until(lambda: running.cold.stats.fenced == 1)
    await running.append(partition, batches=64, batch_bytes=1000)
    await asyncio.sleep(0.1)  # several looks at all partitions
    assert (partition.tiered_end, partition.hot.local_start) == (end, 0)
    assert running.cold.stats.fenced == 1


async def test_retention_by_bytes_drops_the_head_of_the_tier(
    running: Site, clock: HastyClock, objects: MemoryObjectStore
) -> None:
    partition = await filled(running, {**SEGMENTS, "remote.object.bytes": str(1 << 20)})
    await archived(running, partition)
    await running.append(partition, batches=64, batch_bytes=1000)
    await archived(running, partition)
    running.reconfigure(partition, {**KEEP_LITTLE, "retention.bytes": str(48 << 10)})
    await until(lambda: partition.log_start > 0)
    assert partition.log_start <= partition.tiered_end
    left = await read_all(partition, start=partition.log_start)
    assert len(left) >= 48 << 10


async def test_retention_by_time_drops_the_head_and_its_objects_after_a_grace(
    running: Site, clock: HastyClock, objects: MemoryObjectStore
) -> None:
    config = {**SEGMENTS, "retention.ms": "60000", "local.retention.ms": "60000"}
    partition = await filled(running, config)
    await archived(running, partition)
    segments = {key for key in objects._objects if "/seg/" in key}
    clock.now_ms += 61_000
    await until(lambda: partition.log_start == partition.tiered_end)
    assert segments <= objects._objects.keys()
    clock.now_ms += 2 * 3_600_000
    await until(lambda: not segments & objects._objects.keys())
    assert partition.hot.local_start >= partition.hot.active.base_offset


async def test_deleted_records_leave_the_tier_long_before_the_next_look(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore
) -> None:
    looks = {"log.retention.check.interval.ms": "3600000"}
    async with site(tmp_path, metadata, store=objects, settings=looks) as running:
        partition = await filled(running, SEGMENTS)
        await archived(running, partition)
        await running.hot.set_log_start(partition.hot, Offset(10))
        node = tier_path(partition.id)
        async with asyncio.timeout(20):
            while decode_pointer((await metadata.store.get(node))[0]).tiered_start != 10:
                await asyncio.sleep(0.005)


async def test_an_untiered_topic_expires_on_its_disk(running: Site, clock: HastyClock) -> None:
    partition = await filled(running, {**UNTIERED, "retention.bytes": str(32 << 10)})
    await until(lambda: partition.hot.local_start == partition.log_start > 0)
    assert partition.hot.size >= 32 << 10
    assert partition.tiered_end == 0


async def test_a_compacted_topic_neither_goes_up_nor_expires(running: Site) -> None:
    partition = await filled(
        running, {**SEGMENTS, "cleanup.policy": "compact", "retention.bytes": "1"}
    )
    await asyncio.sleep(0.1)
    assert (partition.log_start, partition.tiered_end, partition.log.cold) == (0, 0, None)


async def test_a_topic_that_becomes_tiered_goes_up_from_where_it_starts(running: Site) -> None:
    partition = await filled(running, {**UNTIERED, "retention.bytes": str(32 << 10)})
    await until(lambda: partition.log_start > 0)
    running.reconfigure(partition, SEGMENTS)
    await archived(running, partition)
    cold = partition.log.cold
    assert cold is not None
    # What was expiring when the tier was claimed is struck off by a commit of its own.
    await until(lambda: cold.start == partition.log_start)


async def test_the_hint_names_the_committed_root(
    running: Site, objects: MemoryObjectStore, metadata: Metadata
) -> None:
    partition = await filled(running, SEGMENTS)
    await archived(running, partition)
    pointer, _ = await metadata.store.get(tier_path(partition.id))
    await until(lambda: pointer in [each.body for each in objects._objects.values()])
    (key,) = (each for each in objects._objects if each.endswith(LATEST))
    assert await objects.read_all(object_key(key), size_max=4096) == pointer


async def test_the_store_has_a_copy_of_the_pointer_also_after_records_have_expired(
    running: Site, objects: MemoryObjectStore, metadata: Metadata, clock: HastyClock
) -> None:
    partition = await filled(running, {**SEGMENTS, "retention.ms": "60000"})
    await archived(running, partition)
    clock.now_ms += 61_000
    await until(lambda: partition.log_start == partition.tiered_end)
    pointer, _ = await metadata.store.get(tier_path(partition.id))
    assert decode_pointer(pointer).tiered_start == partition.tiered_end
    (key,) = (each for each in objects._objects if each.endswith(LATEST))
    assert await objects.read_all(object_key(key), size_max=4096) == pointer


@pytest.mark.rule("TIER-51")
async def test_the_objects_of_a_deleted_topic_go_and_then_its_pointers(
    running: Site, store: FailingStore, objects: MemoryObjectStore, metadata: Metadata
) -> None:
    partition = await filled(running, SEGMENTS)
    await archived(running, partition)
    await running.cold.archiver.close(partition.id)
    await metadata.delete_topic(TOPIC, partitions=1)
    store.calls.clear()
    for _ in range(3):
        # The broker's own rounds sweep, too.
        is_known = await metadata.store.exists(tier_path(partition.id)) is not None
        assert is_known or not objects._objects
        await running.cold.deleted.sweep()
        # A restore must not take what is left for a topic.
        assert any("/deleted-" in key for key in objects._objects) or not objects._objects
    assert store.calls.index("create") < store.calls.index("delete")
    assert store.calls.count("create") == 1
    assert not objects._objects
    assert await metadata.store.exists(tier_path(partition.id)) is None


@pytest.mark.rule("TIER-28")
async def test_a_damaged_segment_stops_its_own_partition_only(
    running: Site, tmp_path: Path
) -> None:
    sick = await running.open({**SEGMENTS, "segment.bytes": str(1 << 20)})
    await running.append(sick, batches=20, batch_bytes=1000)
    flip_bit(Path(sick.hot.active.path), 500)
    sick.hot.roll()
    sound = await running.open(SEGMENTS, number=1)
    await running.append(sound, batches=64, batch_bytes=1000)
    await archived(running, sound)
    await until(lambda: any(each.stalled_since for each in running.cold.archiver.archives))
    assert sick.tiered_end == 0


@pytest.mark.rule("TIER-49")
async def test_records_deleted_before_their_upload_leave_no_hole(
    running: Site, store: FailingStore
) -> None:
    partition = await filled(running, SEGMENTS)
    await archived(running, partition)
    store.plan = lambda: (StoreUnavailableError("create", "-", "down"), None)
    await running.append(partition, batches=64, batch_bytes=1000)
    await running.hot.set_log_start(partition.hot, partition.high_watermark)
    start = partition.hot.local_start
    assert partition.tiered_end < start
    kept = await running.append(partition, batches=64, batch_bytes=1000)
    running.reconfigure(partition, KEEP_LITTLE)
    store.plan = nothing_fails
    await archived(running, partition)
    await running.released_to(partition, partition.hot.active.base_offset)
    assert (await read_all(partition, start=partition.log_start)).endswith(kept)
    assert partition.log_start == 128


@pytest.mark.rule("TIER-35")
async def test_what_is_archived_is_released_while_the_store_is_down(
    running: Site, store: FailingStore, clock: HastyClock
) -> None:
    partition = await filled(running, {**SEGMENTS, "local.retention.ms": "60000"})
    await archived(running, partition)
    store.plan = lambda: (StoreUnavailableError("create", "-", "down"), None)
    await running.append(partition, batches=64, batch_bytes=1000)
    await until(lambda: any(each.stalled_since for each in running.cold.archiver.archives))
    assert partition.hot.local_start == 0
    clock.now_ms += 61_000
    await until(lambda: partition.hot.local_start == partition.tiered_end > 0)


@pytest.mark.rule("TIER-9")
async def test_what_a_killed_attempt_left_is_removed_a_day_later_and_all_records_stay(
    tmp_path: Path,
    metadata: Metadata,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
) -> None:
    down = StoreUnavailableError("create", "-", "down")
    store.plan = lambda: (down if objects._objects else None, None)
    async with site(tmp_path, metadata, store=store, clock=clock) as first:
        partition = await first.open(SEGMENTS)
        appended = await first.append(partition, batches=64, batch_bytes=1000)
        await until(lambda: len(objects._objects) == 1)
    orphans = set(objects._objects)
    store.plan = nothing_fails
    async with site(tmp_path, metadata, store=store, clock=clock) as second:
        partition = await second.open(KEEP_LITTLE, epoch=2)
        await archived(second, partition)
        assert orphans <= objects._objects.keys()
        clock.now_ms += 25 * 3_600_000
        await until(lambda: not orphans & objects._objects.keys())
        assert await read_all(partition) == appended
        assert second.cold.stats.orphan_objects == 1


@pytest.mark.rule("TIER-8")
async def test_nothing_is_uploaded_to_a_tier_whose_root_cannot_be_read(
    tmp_path: Path,
    metadata: Metadata,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
) -> None:
    """Each seal begins a turn, and each turn would leave its objects behind."""
    async with site(tmp_path, metadata, store=store, clock=clock) as running:
        await archived(running, await filled(running, SEGMENTS))
    root = max(key for key in objects._objects if "/root/" in key and not key.endswith(LATEST))
    kept = objects._objects.pop(root)
    before = set(objects._objects)
    async with site(tmp_path, metadata, store=store, clock=clock) as running:
        partition = await filled(running, SEGMENTS)
        (archive,) = running.cold.archiver.archives
        await until(lambda: archive.stalled_since is not None)
        await asyncio.sleep(0.1)
        assert set(objects._objects) == before
        objects._objects[root] = kept
        await archived(running, partition)
