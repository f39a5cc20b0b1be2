"""A topic's objects are locked from their upload on, and nothing undoes that before its time."""

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from everlog.format.entries import Entry, entry_of
from everlog.format.trash import TrashedSegment, TrashLock
from everlog.model.object_lock import LockMode, ObjectLock
from everlog.model.offsets import Offset
from everlog.stores.object_key import object_key
from everlog.stores.object_store import list_all
from service.app.tier_metrics import tier_metrics
from service.coordination.deleted_topics import list_deleted_topics
from service.partition.small_objects import LOCKED_TRASH_MAX, is_too_locked
from service.tiering.merging import MergePlan
from service.tiering.partition_tier import PartitionTier
from tests.contract.locking_store import LockingStore
from tests.unit.partition.test_small_objects import trickle
from tests.unit.tiering.site import TOPIC, HastyClock, Metadata, Site, read_all, site
from tests.waiting import until

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
STRICT = {
    "segment.bytes": "1024",
    "archive.object.lock.mode": "compliance",
    "archive.object.lock.ms": str(DAY_MS),
}


@pytest.fixture
def store(clock: HastyClock) -> LockingStore:
    return LockingStore(clock=clock)


async def entries_of(running: Site) -> list[Entry]:
    tier = tier_of(running)
    root = await tier.root()
    assert root is not None
    return [entry_of(root.entries, row) for row in range(len(root.entries))]


def tier_of(running: Site) -> PartitionTier:
    (archive,) = running.cold.archiver.archives
    assert archive.tiered is not None
    return archive.tiered.tier


async def segments(store: LockingStore) -> set[str]:
    return {info.key async for info in list_all(store, "") if "/seg/" in info.key}


async def test_segment_objects_alone_are_locked_and_the_manifest_says_until_when(
    running: Site, store: LockingStore, clock: HastyClock
) -> None:
    partition = await running.open({**STRICT, "remote.object.bytes": "1024"})
    appended = await running.append(partition, batches=4, batch_bytes=800)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    lock = ObjectLock(LockMode.COMPLIANCE, clock.now_ms + DAY_MS)
    assert {each.lock for each in await entries_of(running)} == {lock}
    assert set(store.locks.values()) == {lock}
    assert all("/seg/" in key for key in store.locks)
    assert await read_all(partition) == appended


async def test_what_is_to_be_locked_is_not_stored_where_locks_are_forgotten(
    running: Site, store: LockingStore
) -> None:
    store.forgets = True
    with capture_logs() as logs:
        partition = await running.open(STRICT)
        await running.append(partition, batches=4, batch_bytes=800)
        await until(lambda: any(each["event"] == "upload_failed" for each in logs))
    assert partition.tiered_end == 0
    (failed, *_) = (each for each in logs if each["event"] == "upload_failed")
    assert "the store shows no lock" in failed["reason"]
    assert "s3:GetObjectRetention" in failed["reason"]


async def test_each_attempt_of_an_upload_locks_for_the_whole_time(
    running: Site, store: LockingStore, clock: HastyClock
) -> None:
    store.forgets = True
    partition = await running.open(STRICT)
    await running.append(partition, batches=2, batch_bytes=800)
    await until(lambda: running.cold.stats.upload_retries > 0)
    clock.now_ms += 2 * DAY_MS  # longer than the lock that was asked for first
    await store.objects.delete([info.key async for info in list_all(store, "")])
    store.forgets = False
    await running.tiered_to(partition, partition.hot.active.base_offset)
    assert all(each.until_ms >= clock.now_ms + DAY_MS for each in store.locks.values())


async def test_what_replaces_locked_objects_is_locked_like_the_latest_of_them(
    running: Site, store: LockingStore, clock: HastyClock
) -> None:
    partition = await running.open(STRICT)
    await trickle(running, partition, 5)
    clock.now_ms += HOUR_MS
    weaker = {"archive.object.lock.mode": "governance"}
    running.reconfigure(partition, {**STRICT, **weaker})
    appended = await trickle(running, partition, 20)
    await until(lambda: running.cold.stats.merges > 0)
    assert appended
    merged = [each for each in await entries_of(running) if each.records > 1]
    strictest = ObjectLock(LockMode.COMPLIANCE, clock.now_ms + DAY_MS)
    assert merged[0].lock == strictest
    assert store.locks[object_key(merged[0].key(tier_of(running).path).text)] == strictest
    clock.now_ms += 2 * HOUR_MS
    await running.append(partition, batches=3, batch_bytes=800)
    root = await tier_of(running).root()
    assert root is not None
    assert root.trash.locked
    kept = sum(each.bytes for each in root.trash.locks())
    page = {each.name: each for each in tier_metrics(running.cold, running.table, clock)}
    assert page["everlog_tier_locked_trash_bytes"].values[""] == kept
    assert running.cold.stats.refused_deletions == 0
    assert await segments(store) >= set(store.locks)


async def test_no_more_is_merged_than_the_trash_can_name_while_it_is_locked(
    running: Site, clock: HastyClock
) -> None:
    partition = await running.open(STRICT)
    await running.append(partition, batches=4, batch_bytes=800)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    entries = await entries_of(running)
    root = await tier_of(running).root()
    assert root is not None
    thing = TrashedSegment(
        offsets=entries[0].offsets,
        stamp=entries[0].stamp,
        uid=entries[0].uid,
        lock=TrashLock(clock.now_ms + DAY_MS, 1),
    )
    plan = MergePlan(tuple(entries))
    for room in (len(entries), len(entries) - 1):
        trash = root.trash.added([thing] * (LOCKED_TRASH_MAX - room), not_before_ms=0)
        full = replace(root, trash=trash)
        assert is_too_locked(full, plan, now_ms=clock.now_ms) is (room < len(entries))
        assert not is_too_locked(full, plan, now_ms=clock.now_ms + DAY_MS), "its locks are over"


async def test_records_stay_readable_as_long_as_their_objects_are_locked(
    running: Site, store: LockingStore, clock: HastyClock
) -> None:
    """The default of a broker may have become shorter since the lock was set."""
    partition = await running.open({**STRICT, "retention.ms": "1", "retention.bytes": "1"})
    await running.append(partition, batches=4, batch_bytes=800, timestamp_ms=clock.now_ms)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    clock.now_ms += DAY_MS
    await running.append(partition, batches=2, batch_bytes=800, timestamp_ms=clock.now_ms)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    assert tier_of(running).start == 0
    clock.now_ms += 1
    await until(lambda: tier_of(running).start > Offset(0))


async def test_a_deleted_topic_stays_as_long_as_its_objects_are_locked(
    running: Site, store: LockingStore, metadata: Metadata, clock: HastyClock
) -> None:
    longer = {**STRICT, "archive.object.lock.ms": str(9 * DAY_MS)}
    partition = await running.open(longer)
    await running.append(partition, batches=4, batch_bytes=800)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    await running.cold.archiver.close(partition.id)
    await metadata.delete_topic(TOPIC, partitions=1, deleted_ms=clock.now_ms, config=longer)
    before = await segments(store)
    clock.now_ms += 9 * DAY_MS - 1
    await running.cold.deleted.sweep()
    assert await segments(store) == before
    assert running.cold.stats.refused_deletions == 0
    clock.now_ms += 1
    for _ in range(3):
        await running.cold.deleted.sweep()
    assert not await segments(store)
    assert await list_deleted_topics(metadata.store) == []


async def test_a_deleted_topic_with_an_object_that_cannot_go_is_not_tried_all_the_time(
    running: Site, store: LockingStore, metadata: Metadata, clock: HastyClock
) -> None:
    partition = await running.open({"segment.bytes": "1024"})
    await running.append(partition, batches=4, batch_bytes=800)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    await running.cold.archiver.close(partition.id)
    await metadata.delete_topic(TOPIC, partitions=1, deleted_ms=clock.now_ms)
    held = object_key(min(await segments(store)))
    store.locks[held] = ObjectLock(LockMode.GOVERNANCE, clock.now_ms + 2 * DAY_MS)
    clock.now_ms += DAY_MS
    for _ in range(3):
        await running.cold.deleted.sweep()
    assert await segments(store) == {held}
    assert running.cold.stats.refused_deletions == 1
    clock.now_ms += DAY_MS
    for _ in range(3):
        await running.cold.deleted.sweep()
    assert not await segments(store)
    assert await list_deleted_topics(metadata.store) == []


async def test_an_object_moves_to_another_class_only_once_its_lock_is_over(
    tmp_path: Path, metadata: Metadata, store: LockingStore, clock: HastyClock
) -> None:
    topic = {
        **STRICT,
        "segment.bytes": str(300 << 10),
        "remote.storage.class.later": "GLACIER_IR",
        "remote.storage.class.later.ms": "1",
    }
    async with site(
        tmp_path, metadata, store=store, clock=clock, settings={"store.url": "s3://bucket"}
    ) as running:
        partition = await running.open(topic)
        await running.append(partition, batches=4, batch_bytes=200 << 10)
        await running.tiered_to(partition, partition.hot.active.base_offset)
        clock.now_ms += DAY_MS - 1
        running.cold.archiver.wake(partition.id)
        await running.append(partition, batches=2, batch_bytes=200 << 10)
        await running.tiered_to(partition, partition.hot.active.base_offset)
        assert running.cold.stats.moves == 0
        clock.now_ms += 2
        await until(lambda: running.cold.stats.moves > 0)
