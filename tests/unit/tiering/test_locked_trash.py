"""The sweeper leaves alone what is locked, or refused, and goes on with everything else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from crc32c import crc32c
from structlog.testing import capture_logs

from everlog.format.entries import entry_of
from everlog.format.retention import Cut
from everlog.format.trash import Trash, TrashedSegment, TrashLock
from everlog.model.object_lock import LockMode, ObjectLock
from everlog.stores.errors import ObjectsNotDeletedError, StoreThrottledError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import list_all
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.refusals import REFUSED_REST_MS
from service.tiering.stats import TierStats
from service.tiering.sweeper import ITEMS_MAX, SearchPlace, Sweeper
from service.tiering.uploader import Uploaded
from tests.contract.locking_store import LockingStore
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import HOUR_MS, PARTITION, claimed, objects_from

DAY_MS = 24 * HOUR_MS
STRICT = LockMode.COMPLIANCE


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def store(clock: HastyClock) -> LockingStore:
    return LockingStore(clock=clock)


@pytest.fixture
async def tier(metadata: Metadata, store: LockingStore, clock: HastyClock) -> PartitionTier:
    return await claimed(metadata, store, clock)


@pytest.fixture
def stats() -> TierStats:
    return TierStats()


@pytest.fixture
def sweeper(store: LockingStore, stats: TierStats) -> Sweeper:
    return Sweeper(store, stats=stats)


async def stored(
    tier: PartitionTier, store: LockingStore, locks: Sequence[ObjectLock | None], *, listed: bool
) -> list[ObjectKey]:
    """Commit objects that are in the store; their locks are in the manifest, or only there."""
    uploaded: list[Uploaded] = []
    keys: list[ObjectKey] = []
    for each, lock in zip(objects_from(tier, tier.end, len(locks)), locks, strict=True):
        key = object_key(each.entry.key(tier.path).text)
        await store.create_from_file(key, [b"x"], crc32c=crc32c(b"x"), lock=lock)
        uploaded.append(replace(each, entry=replace(each.entry, lock=lock if listed else None)))
        keys.append(key)
    await tier.commit(TierChange(uploaded=uploaded))
    return keys


async def swept(sweeper: Sweeper, tier: PartitionTier, clock: HastyClock) -> list[int]:
    gone = await sweeper.empty_trash(tier, now_ms=clock.wall_ms())
    if gone:
        await tier.commit(TierChange(trash_gone=gone))
    return gone


async def segments(store: LockingStore, tier: PartitionTier) -> set[str]:
    return {info.key async for info in list_all(store, tier.path.segments)}


async def test_what_is_locked_stays_in_the_trash_and_what_is_behind_it_goes(
    tier: PartitionTier,
    store: LockingStore,
    sweeper: Sweeper,
    stats: TierStats,
    clock: HastyClock,
) -> None:
    until = ObjectLock(STRICT, clock.now_ms + DAY_MS)
    keys = await stored(tier, store, [until, None, None], listed=True)
    await tier.commit(TierChange(cut=Cut(start=tier.end)))
    clock.now_ms += HOUR_MS
    await swept(sweeper, tier, clock)
    assert await segments(store, tier) == {keys[0]}
    assert tier.trash_from_ms == until.until_ms
    clock.now_ms = until.until_ms - 1
    for _ in range(3):
        await swept(sweeper, tier, clock)
    assert stats.refused_deletions == 0, "a locked object is not even tried"
    assert await segments(store, tier) == {keys[0]}
    clock.now_ms += 1
    assert await swept(sweeper, tier, clock)
    assert not await segments(store, tier)


async def test_more_locked_objects_than_one_round_takes_keep_no_others_waiting(
    tier: PartitionTier, store: LockingStore, sweeper: Sweeper, clock: HastyClock
) -> None:
    (key,) = await stored(tier, store, [None], listed=True)
    root = tier.cached_root
    assert root is not None
    entry = entry_of(root.entries, 0)
    free = TrashedSegment(offsets=entry.offsets, stamp=entry.stamp, uid=entry.uid)
    locked = replace(free, lock=TrashLock(clock.now_ms + DAY_MS, 1))
    trash = Trash().added([locked] * ITEMS_MAX, not_before_ms=0).added([free], not_before_ms=0)
    tier._manifests.keep_root(replace(root, trash=trash))
    assert await sweeper.empty_trash(tier, now_ms=clock.now_ms) == [ITEMS_MAX]
    assert key not in await segments(store, tier)


@pytest.mark.rule("TIER-47")
async def test_what_the_store_refuses_to_delete_rests_and_what_is_behind_it_goes(
    tier: PartitionTier,
    store: LockingStore,
    sweeper: Sweeper,
    stats: TierStats,
    clock: HastyClock,
) -> None:
    by_hand = ObjectLock(STRICT, clock.now_ms + DAY_MS)
    keys = await stored(tier, store, [by_hand, None, None], listed=False)
    await tier.commit(TierChange(cut=Cut(start=tier.end)))
    clock.now_ms += HOUR_MS
    with capture_logs() as logs:
        await swept(sweeper, tier, clock)
    assert await segments(store, tier) == {keys[0]}
    assert tier.cached_root is not None
    items = (item.thing for item in tier.cached_root.trash.items())
    listed = [each.key(tier.path).text for each in items if isinstance(each, TrashedSegment)]
    assert listed == keys[:1], "what has gone is struck off"
    assert [each["first"] for each in logs if each["event"] == "deletions_refused"] == keys[:1]
    assert stats.refused_deletions == 1
    clock.now_ms += REFUSED_REST_MS - 1
    await swept(sweeper, tier, clock)
    assert stats.refused_deletions == 1, "it rests"
    clock.now_ms += 1
    await swept(sweeper, tier, clock)
    assert stats.refused_deletions == 2
    clock.now_ms = by_hand.until_ms + REFUSED_REST_MS
    await swept(sweeper, tier, clock)
    assert not await segments(store, tier)


async def test_what_may_go_when_tried_again_does_not_rest(
    tier: PartitionTier, store: LockingStore, sweeper: Sweeper, clock: HastyClock
) -> None:
    (key,) = await stored(tier, store, [None], listed=False)
    await tier.commit(TierChange(cut=Cut(start=tier.end)))
    clock.now_ms += HOUR_MS
    throttled = ObjectsNotDeletedError({key: StoreThrottledError("delete", key, "SlowDown")})
    store.plan = lambda: (throttled, None)
    with pytest.raises(ObjectsNotDeletedError):
        await swept(sweeper, tier, clock)
    store.plan = lambda: (None, None)
    await swept(sweeper, tier, clock)
    assert not await segments(store, tier)


async def test_an_orphan_that_cannot_be_deleted_does_not_stop_the_search(
    tier: PartitionTier, store: LockingStore, sweeper: Sweeper, clock: HastyClock
) -> None:
    await stored(tier, store, [None] * 3, listed=True)
    orphans = [object_key(each.entry.key(tier.path).text) for each in objects_from(tier, 0, 3)]
    for key, lock in zip(orphans, [ObjectLock(STRICT, 1 << 60), None, None], strict=True):
        await store.create_from_file(key, [b"x"], crc32c=crc32c(b"x"), lock=lock)
    clock.now_ms += DAY_MS
    at: SearchPlace | None = SearchPlace()
    while at is not None:
        at = await sweeper.remove_orphans(tier, at, now_ms=clock.now_ms, grace_ms=HOUR_MS)
    left = await segments(store, tier)
    assert orphans[0] in left
    assert not left & set(orphans[1:])


async def test_a_prefix_says_how_much_of_it_cannot_be_deleted(
    tier: PartitionTier, store: LockingStore, sweeper: Sweeper, clock: HastyClock
) -> None:
    await stored(tier, store, [ObjectLock(STRICT, clock.now_ms + 1), None], listed=True)
    found = await sweeper.empty_prefix(tier.path.segments)
    assert (found.deleted, found.pinned, found.refused) == (1, 0, 1)
