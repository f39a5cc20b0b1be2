"""The sweeper goes through the names of a store, and deletes what no commit can name any more."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from everlog.format.object_keys import PageKey, RootKey, SegmentKey, Stamp, Uid
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectInfo
from service.tiering.authority import TierFencedError
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.stats import TierStats
from service.tiering.sweeper import SearchPlace, Sweeper, Swept, TierBehindError
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import (
    HOUR_MS,
    IDS,
    PARTITION,
    PATH,
    claimed,
    objects_from,
)

EARLIER = Stamp(LeaderEpoch(1), 0, 1)


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def objects(clock: HastyClock) -> MemoryObjectStore:
    return MemoryObjectStore(clock=clock)


@pytest.fixture
def store(objects: MemoryObjectStore) -> FailingStore:
    return FailingStore(objects, lambda: (None, None))


@pytest.fixture
def stats() -> TierStats:
    return TierStats()


@pytest.fixture
def sweeper(store: FailingStore, stats: TierStats) -> Sweeper:
    return Sweeper(store, stats=stats)


@pytest.fixture
async def tier(metadata: Metadata, store: FailingStore, clock: HastyClock) -> PartitionTier:
    """A tier of two commits, whose objects are in the store."""
    tier = await claimed(metadata, store, clock)
    for start in (0, 10):
        uploaded = objects_from(tier, start, 1)
        await put(store, *(each.entry.key(PATH) for each in uploaded))
        await tier.commit(TierChange(uploaded=uploaded))
    await tier.hint()
    return tier


async def put(store: FailingStore, *keys: SegmentKey | PageKey | RootKey) -> set[ObjectKey]:
    names = {object_key(key.text) for key in keys}
    for name in names:
        await store.create(name, b"anything")
    return names


def offsets(start: int, end: int) -> OffsetRange:
    return OffsetRange(Offset(start), Offset(end))


def segment(start: int, *, stamp: Stamp = EARLIER) -> SegmentKey:
    return SegmentKey(
        path=PATH, offsets=offsets(start, start + 10), stamp=stamp, uid=Uid(IDS.uuid())
    )


def left_behind() -> tuple[SegmentKey | PageKey | RootKey, ...]:
    """What an attempt leaves that was killed just before its commit."""
    return (
        segment(20),
        PageKey(path=PATH, offsets=offsets(0, 20), uid=Uid(IDS.uuid())),
        RootKey(path=PATH, stamp=EARLIER, uid=Uid(IDS.uuid())),
    )


async def searched(sweeper: Sweeper, tier: PartitionTier, clock: HastyClock) -> int:
    """Search once through everything; return how many turns that took."""
    place: SearchPlace | None = SearchPlace()
    turns = 0
    while place is not None:
        turns += 1
        place = await sweeper.remove_orphans(
            tier, place, now_ms=clock.wall_ms(), grace_ms=24 * HOUR_MS
        )
    return turns


@pytest.mark.rule("TIER-10")
async def test_a_broken_off_attempt_is_removed_after_its_grace_and_nothing_else_is(
    tier: PartitionTier,
    sweeper: Sweeper,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
    stats: TierStats,
) -> None:
    kept = set(objects._objects)
    orphans = await put(store, *left_behind())
    await put(store, open_ := segment(20, stamp=tier.next_stamp))
    kept.add(object_key(open_.text))
    await searched(sweeper, tier, clock)
    assert set(objects._objects) == kept | orphans
    clock.now_ms += 24 * HOUR_MS
    await searched(sweeper, tier, clock)
    assert set(objects._objects) == kept
    assert (stats.orphan_objects, stats.orphan_bytes) == (3, 3 * len(b"anything"))


async def test_millions_of_names_are_gone_through_a_page_at_a_time(
    tier: PartitionTier,
    sweeper: Sweeper,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
) -> None:
    kept = set(objects._objects)
    await put(store, *(segment(20) for _ in range(LIST_OBJECTS_MAX)))
    clock.now_ms += 24 * HOUR_MS
    assert await searched(sweeper, tier, clock) == 4  # roots, pages, and two pages of segments
    assert set(objects._objects) == kept


@pytest.mark.rule("TIER-3")
async def test_whoever_was_claimed_over_deletes_nothing(
    tier: PartitionTier,
    sweeper: Sweeper,
    metadata: Metadata,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
) -> None:
    """To the old owner, a page of the new one looks like a page that nothing refers to."""
    await claimed(metadata, store, clock)
    await put(store, *left_behind())
    there = set(objects._objects)
    clock.now_ms += 24 * HOUR_MS
    with pytest.raises(TierFencedError):
        await searched(sweeper, tier, clock)
    assert set(objects._objects) == there


async def test_a_new_owner_s_commits_fence_the_old_one_instead_of_alarming_it(
    tier: PartitionTier,
    sweeper: Sweeper,
    metadata: Metadata,
    store: FailingStore,
    clock: HastyClock,
) -> None:
    after = await claimed(metadata, store, clock)
    for start in (20, 30):
        await after.commit(TierChange(uploaded=objects_from(after, start, 1)))
    with pytest.raises(TierFencedError):
        await searched(sweeper, tier, clock)


@pytest.mark.rule("TIER-32")
async def test_nothing_is_removed_while_the_store_has_commits_that_the_pointer_does_not_know(
    tier: PartitionTier,
    sweeper: Sweeper,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
) -> None:
    ver = tier.pointer.stamp.ver + 2
    lost = RootKey(path=PATH, stamp=Stamp(LeaderEpoch(1), 0, ver), uid=Uid(IDS.uuid()))
    await put(store, lost, *left_behind())
    there = set(objects._objects)
    clock.now_ms += 24 * HOUR_MS
    with pytest.raises(TierBehindError, match=f"commit {ver}"):
        await searched(sweeper, tier, clock)
    assert set(objects._objects) == there


async def test_a_search_that_failed_can_be_repeated(
    tier: PartitionTier,
    sweeper: Sweeper,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
) -> None:
    kept = set(objects._objects)
    await put(store, *left_behind())
    clock.now_ms += 24 * HOUR_MS
    store.plan = lambda: (None, StoreUnavailableError("delete", "-", "the answer was lost"))
    with pytest.raises(StoreUnavailableError):
        await searched(sweeper, tier, clock)
    store.plan = lambda: (None, None)
    await searched(sweeper, tier, clock)
    assert set(objects._objects) == kept


class StaleStore(MemoryObjectStore):
    """A store whose listings show what was there at first, whatever was deleted since."""

    def __init__(self, clock: HastyClock) -> None:
        super().__init__(clock=clock)
        self._shown: list[ObjectInfo] | None = None

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        if self._shown is None:
            self._shown = list(await super().list(prefix, limit=1 << 30))
        shown = [info for info in self._shown if info.key > (start_after or "")]
        return shown[:limit]


@pytest.mark.rule("TIER-47")
async def test_a_prefix_is_emptied_in_one_pass_whatever_a_stale_listing_shows(
    clock: HastyClock, stats: TierStats
) -> None:
    objects = StaleStore(clock)
    for number in range(LIST_OBJECTS_MAX + 5):
        await objects.create(object_key(f"p/{number:05d}"), b"")
    sweeper = Sweeper(objects, stats=stats)
    async with asyncio.timeout(20):
        assert await sweeper.empty_prefix("p/") == Swept(LIST_OBJECTS_MAX + 5, 0)
        assert await sweeper.empty_prefix("p/") == Swept(LIST_OBJECTS_MAX + 5, 0)
    assert not objects._objects
