"""What would become of each object of a bucket, and what only the broker can say."""

from collections.abc import AsyncIterator

import pytest

from everlog.format.object_keys import PageKey, RootKey, SegmentKey, Stamp, Uid
from everlog.format.pins import Pin
from everlog.format.retention import Cut
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.tiering.gc_preview import Holding, PartitionHoldings, holdings_of
from service.tiering.orphans import Standing
from service.tiering.partition_tier import PartitionTier, TierChange
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.archives import grow
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import HOUR_MS, IDS, PARTITION, PATH, claimed

DAY_MS = 24 * HOUR_MS


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def store(clock: HastyClock) -> FailingStore:
    return FailingStore(MemoryObjectStore(clock=clock), lambda: (None, None))


@pytest.fixture
async def tier(metadata: Metadata, store: FailingStore, clock: HastyClock) -> PartitionTier:
    tier = await claimed(metadata, store, clock)
    for _ in range(2):
        await tier.commit(TierChange(uploaded=await grow(tier, store, 5)))
    await tier.hint()
    return tier


async def test_what_is_there_for_a_clone_alone_is_pinned_whether_retired_or_unknown(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    await tier.commit(TierChange(cut=Cut(start=Offset(30))))
    unknown = segment(40, claim=0, ver=1)
    await store.store.create(object_key(unknown.text), b"x")
    pin = Pin(start=Offset(10), end=Offset(50), ver=2)
    found = await holdings_of(store, PATH, now_ms=clock.now_ms, grace_ms=0, pins=[pin])
    pinned = {each.key for each in found.others if each.standing is Standing.PINNED}
    assert unknown.text in pinned
    assert (found.objects[Standing.PINNED], found.objects[Standing.ORPHAN]) == (3, 0)


async def held(store: FailingStore, clock: HastyClock, *, later_ms: int = 0) -> PartitionHoldings:
    return await holdings_of(store, PATH, now_ms=clock.now_ms + later_ms, grace_ms=DAY_MS)


def segment(start: int, *, claim: int, ver: int = 3) -> SegmentKey:
    return SegmentKey(
        path=PATH,
        offsets=OffsetRange(Offset(start), Offset(start + 10)),
        stamp=Stamp(LeaderEpoch(1), claim, ver),
        uid=Uid(IDS.uuid()),
    )


def the_one(found: PartitionHoldings, standing: Standing) -> Holding:
    (only,) = (each for each in found.others if each.standing is standing)
    return only


async def test_live_objects_are_counted_and_retired_ones_are_told_with_their_time(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    found = await held(store, clock)
    # Ten objects, the root and the hint; the first root waits for its readers.
    assert (found.objects[Standing.LIVE], found.objects[Standing.TRASH]) == (12, 1)
    assert the_one(found, Standing.TRASH).due_ms == clock.now_ms + HOUR_MS
    await tier.commit(TierChange(cut=Cut(start=Offset(30))))
    found = await held(store, clock)
    assert (found.objects[Standing.LIVE], found.objects[Standing.TRASH]) == (9, 2 + 3)
    assert {each.due_ms for each in found.others} == {clock.now_ms + HOUR_MS}
    assert (
        sum(found.sizes.values())
        == sum(each.size for each in found.others) + (found.sizes[Standing.LIVE])
    )


async def test_a_range_of_a_page_is_told_with_its_time(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    for _ in range(3):
        await tier.commit(TierChange(uploaded=await grow(tier, store, 300)))
    clock.now_ms += HOUR_MS
    await tier.commit(TierChange(cut=Cut(start=Offset(5200))))
    found = await held(store, clock)
    gone = [each for each in found.others if each.key.endswith((".seg", ".pg"))]
    assert len(gone) == 520 + 1
    assert {(each.standing, each.due_ms) for each in gone} == {
        (Standing.TRASH, clock.now_ms + HOUR_MS)
    }


async def test_what_never_became_part_of_the_tier_is_for_the_broker_to_judge(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    claim = tier.pointer.stamp.claim
    orphan = segment(20, claim=claim, ver=2)
    page = PageKey(path=PATH, offsets=orphan.offsets, uid=Uid(IDS.uuid()))
    for key in (orphan, page):
        await store.create(object_key(key.text), b"left behind")
    found = await held(store, clock)
    assert found.objects[Standing.ORPHAN] == 0
    assert found.objects[Standing.YOUNG] == 2
    found = await held(store, clock, later_ms=DAY_MS)
    assert found.objects[Standing.ORPHAN] == 2
    assert found.objects[Standing.LIVE] == 12
    reason = next(each.reason for each in found.others if each.key == orphan.text)
    assert "begins at 20" in reason


async def test_what_a_later_claim_has_made_is_open_whatever_the_newest_root_says(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    """The newest root may be one that was never committed, and its successor begins there anew."""
    claim = tier.pointer.stamp.claim
    again = segment(20, claim=claim + 1)
    uncommitted = RootKey(path=PATH, stamp=Stamp(LeaderEpoch(1), claim - 1, 2), uid=Uid(IDS.uuid()))
    ours = segment(100, claim=claim)
    for key in (again, uncommitted, ours):
        await store.create(object_key(key.text), b"anything")
    found = await held(store, clock, later_ms=DAY_MS)
    standings = {each.key: each.standing for each in found.others}
    assert standings[again.text] is Standing.OPEN
    assert standings[ours.text] is Standing.OPEN
    assert standings[uncommitted.text] is Standing.ORPHAN


async def test_foreign_names_are_left_alone_and_nothing_is_ever_deleted(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    await store.create(object_key(f"{PATH.prefix}seg/notes.txt"), b"mine")
    found = await held(store, clock, later_ms=100 * DAY_MS)
    assert the_one(found, Standing.FOREIGN).size == 4
    assert "delete" not in store.calls


async def test_without_a_root_everything_is_open(store: FailingStore, clock: HastyClock) -> None:
    await store.create(object_key(segment(0, claim=1, ver=1).text), b"first")
    found = await held(store, clock, later_ms=DAY_MS)
    assert found.root is None
    assert dict(found.objects) == {Standing.OPEN: 1}
