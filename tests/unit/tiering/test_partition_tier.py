"""Commits of one partition's tier over the memory store, from its first object to many pages."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from everlog.format.entries import Entry
from everlog.format.lookup import entry_at
from everlog.format.manifest import NotContiguousError
from everlog.format.object_keys import PartitionPath, Uid
from everlog.format.replacing import Replacement, StaleRewriteError
from everlog.format.retention import Cut
from everlog.format.root import INLINE_ENTRIES_MAX, INLINE_FORMAT, PAGED_FORMAT
from everlog.format.trash import Trash, TrashedSegment
from everlog.format.walk import drive_async
from everlog.model.errors import RejectedError
from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_store import ObjectStore
from service.model.setting_type import LONG_MAX
from service.partition.tier_pointers import TierPointers
from service.tiering.archive_listing import root_names
from service.tiering.authority import Authority, ClaimRequest
from service.tiering.manifest_store import ManifestStore
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.stats import TierStats
from service.tiering.sweeper import ITEMS_MAX, TRASH_BYTES_MAX, Sweeper
from service.tiering.uploader import Uploaded
from tests.contract.object_stores import FailingStore
from tests.fault.fault_plan import FaultPlan, Once
from tests.fault.faulty_store import FaultyStore, StoreFault
from tests.simulation.clock import SeededIds
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree

PARTITION = PartitionId(TopicId(b"0123456789abcdef"), 0)
PATH = PartitionPath(cluster_id="c", topic_id=PARTITION.topic_id, partition=0)
IDS = SeededIds(1)
HOUR_MS = 3_600_000


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


async def claimed(
    metadata: Metadata, store: ObjectStore, clock: HastyClock, *, grace_ms: int = HOUR_MS
) -> PartitionTier:
    authority = Authority(TierPointers(metadata.store), clock=clock, ids=IDS)
    held = await authority.claim(
        ClaimRequest(partition=PARTITION, epoch=LeaderEpoch(1), start=Offset(0), may_begin=True)
    )
    assert held is not None
    return PartitionTier(
        held,
        path=PATH,
        authority=authority,
        manifests=ManifestStore(store),
        clock=clock,
        ids=IDS,
        stats=TierStats(),
        grace_ms=grace_ms,
    )


def objects_from(tier: PartitionTier, start: int, count: int) -> Sequence[Uploaded]:
    return [
        Uploaded(
            entry=Entry(
                offsets=OffsetRange(Offset(at), Offset(at + 10)),
                max_timestamp=at,
                size_bytes=200,
                data_bytes=100,
                records=10,
                stamp=tier.next_stamp,
                uid=Uid(IDS.uuid()),
                crc32c=1,
                aborted=False,
                created_ms=1,
            ),
            end_epoch=LeaderEpoch(1),
        )
        for at in range(start, start + 10 * count, 10)
    ]


async def test_a_new_owner_finds_what_was_committed(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    assert (tier.start, tier.end, await tier.root()) == (0, 0, None)
    assert await tier.commit(TierChange(uploaded=objects_from(tier, 0, 3)))
    again = await claimed(metadata, store, clock)
    root = await again.root()
    assert root is not None
    assert (again.end, root.format, len(root.entries)) == (30, INLINE_FORMAT, 3)
    assert await again.commit(TierChange(uploaded=objects_from(again, 30, 1)))
    assert again.end == 40


async def test_more_than_512_objects_need_pages_and_are_all_found(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    step = 128
    for number in range(6):
        uploaded = objects_from(tier, number * step * 10, step)
        assert await tier.commit(TierChange(uploaded=uploaded))
        root = tier.cached_root
        assert root is not None
        entries = (number + 1) * step
        assert (root.format == PAGED_FORMAT) == (entries > INLINE_ENTRIES_MAX)
        assert root.totals.entries == entries
    assert len(root.refs) == 1
    again = await claimed(metadata, store, clock)
    assert (await again.root()) == root


async def test_a_hint_that_the_store_does_not_take_changes_nothing(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    await tier.commit(TierChange(uploaded=objects_from(tier, 0, 1)))
    before = tier.pointer
    store.plan = lambda: (StoreUnavailableError("overwrite", "-", "away"), None)
    await tier.hint()
    assert store.calls[-1] == "overwrite"
    store.plan = lambda: (None, None)
    assert (await root_names(store, PATH)).hint is None
    await tier.hint()
    assert (await root_names(store, PATH)).hint == tier.pointer == before


@pytest.mark.rule("TIER-2")
async def test_an_object_is_never_part_of_the_tier_twice(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    uploaded = objects_from(tier, 0, 1)
    assert await tier.commit(TierChange(uploaded=uploaded))
    with pytest.raises(NotContiguousError):
        await tier.commit(TierChange(uploaded=uploaded))
    assert tier.end == 10


async def test_a_change_of_nothing_is_no_commit(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    await tier.commit(TierChange(uploaded=objects_from(tier, 0, 3)))
    before = tier.pointer
    assert not await tier.commit(TierChange(cut=Cut(start=Offset(0), before_ms=-5)))
    assert tier.pointer == before


@pytest.mark.rule("TIER-10")
async def test_what_expires_stays_until_its_grace_is_over(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    sweeper = Sweeper(store, stats=TierStats())
    await tier.commit(TierChange(uploaded=objects_from(tier, 0, 4)))
    await tier.commit(TierChange(cut=Cut(start=Offset(25))))
    assert (tier.start, tier.end) == (25, 40)
    assert await sweeper.empty_trash(tier, now_ms=clock.wall_ms()) == []
    clock.now_ms += HOUR_MS
    store.calls.clear()
    gone = await sweeper.empty_trash(tier, now_ms=clock.wall_ms())
    assert gone == [0, 1, 2]
    assert store.calls == ["delete"]
    await tier.commit(TierChange(trash_gone=gone))
    root = tier.cached_root
    assert root is not None
    assert len(root.trash) == 1


@pytest.mark.rule("TIER-10")
async def test_a_list_that_is_too_long_keeps_only_what_readers_may_want(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    # The restore window is a day, the grace of readers an hour.
    tier = await claimed(metadata, store, clock, grace_ms=24 * HOUR_MS)
    sweeper = Sweeper(store, stats=TierStats(), early_ms=23 * HOUR_MS)
    items = TRASH_BYTES_MAX // 57 + 1
    retired = clock.now_ms
    await tier.commit(TierChange(uploaded=objects_from(tier, 0, 1)))
    root = tier.cached_root
    assert root is not None
    thing = TrashedSegment(
        offsets=OffsetRange(Offset(0), Offset(10)), stamp=root.stamp, uid=Uid(IDS.uuid())
    )
    long = Trash().added([thing] * items, not_before_ms=retired + 24 * HOUR_MS)
    for trash, late_ms, wanted in (
        (long, HOUR_MS - 1, 0),
        (long, HOUR_MS, ITEMS_MAX),
        (long.dropped(range(1)), HOUR_MS, 0),
        (long.dropped(range(items - 5)), 24 * HOUR_MS, 5),
    ):
        tier._manifests.keep_root(replace(root, trash=trash))
        gone = await sweeper.empty_trash(tier, now_ms=retired + late_ms)
        assert gone == list(range(wanted))


@pytest.mark.rule("TIER-16")
async def test_a_grace_may_be_as_long_as_a_setting_can_say(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock, grace_ms=LONG_MAX)
    await tier.commit(TierChange(uploaded=objects_from(tier, 0, 2)))
    await tier.commit(TierChange(cut=Cut(start=Offset(10))))
    root = tier.cached_root
    assert root is not None
    assert {item.not_before_ms for item in root.trash.items()} == {LONG_MAX}


async def test_a_failed_commit_changes_nothing_and_can_be_repeated(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    change = TierChange(uploaded=objects_from(tier, 0, 1))
    store.plan = lambda: (None, StoreUnavailableError("create", "-", "the answer was lost"))
    with pytest.raises(StoreUnavailableError):
        await tier.commit(change)
    assert (tier.end, tier.pointer.root) == (0, None)
    store.plan = lambda: (None, None)
    assert await tier.commit(change)
    assert tier.end == 10


@pytest.mark.rule("TIER-42")
async def test_a_root_that_arrives_damaged_is_read_again(
    metadata: Metadata, clock: HastyClock
) -> None:
    objects = MemoryObjectStore(clock=clock)
    plan: FaultPlan[StoreFault] = Once(StoreFault.FLIPPED)
    store = FaultyStore(objects, plan)
    tier = await claimed(metadata, store, clock)
    await tier.commit(TierChange(uploaded=objects_from(tier, 0, 3)))
    again = await claimed(metadata, store, clock)
    assert await again.root() == await tier.root()
    assert plan.injected[StoreFault.FLIPPED] == 1


@pytest.mark.rule("TIER-9")
async def test_a_root_whose_name_is_taken_by_nothing_that_is_shown_may_be_put_again(
    metadata: Metadata, clock: HastyClock
) -> None:
    objects = MemoryObjectStore(clock=clock)
    tier = await claimed(metadata, FaultyStore(objects, Once(StoreFault.EXISTS)), clock)
    change = TierChange(uploaded=objects_from(tier, 0, 3))
    with pytest.raises(StoreUnavailableError, match="does not show it yet"):
        await tier.commit(change)
    assert await tier.commit(change)
    assert tier.end == 30


def merged(tier: PartitionTier, old: Sequence[Uploaded]) -> Replacement:
    first, last = old[0].entry, old[-1].entry
    made = replace(
        first,
        offsets=OffsetRange(first.offsets.start, last.offsets.end),
        uid=Uid(IDS.uuid()),
        stamp=tier.next_stamp,
        size_bytes=200 * len(old),
        data_bytes=100 * len(old),
        records=10 * len(old),
    )
    return Replacement(old=[each.entry for each in old], new=[made])


@pytest.mark.parametrize("first", [0, 300, 505, 600])
async def test_objects_take_the_place_of_others_in_pages_and_in_the_root(
    metadata: Metadata, store: FailingStore, clock: HastyClock, first: int
) -> None:
    tier = await claimed(metadata, store, clock)
    uploaded = list(objects_from(tier, 0, 700))
    await tier.commit(TierChange(uploaded=uploaded[:512]))
    await tier.commit(TierChange(uploaded=uploaded[512:]))
    change = merged(tier, uploaded[first : first + 10])
    assert await tier.commit(TierChange(replacement=change))
    again = await claimed(metadata, store, clock)
    root = await again.root()
    assert root is not None
    assert (root.totals.entries, root.totals.records) == (691, 7000)
    found = await drive_async(entry_at(root, Offset(10 * first + 55)), again.page)
    assert found == change.new[0]
    assert change.old[3].uid in root.trash.uids()


@pytest.mark.rule("TIER-2")
@pytest.mark.rule("TIER-29")
async def test_what_has_expired_or_was_replaced_meanwhile_is_not_replaced_again(
    metadata: Metadata, store: FailingStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    uploaded = list(objects_from(tier, 0, 9))
    await tier.commit(TierChange(uploaded=uploaded))
    for change in (
        TierChange(cut=Cut(start=Offset(15))),
        TierChange(replacement=merged(tier, uploaded[6:8])),
    ):
        await tier.commit(change)
    before = tier.pointer
    for old in (uploaded[0:4], uploaded[5:7], uploaded[6:8], uploaded[7:9]):
        with pytest.raises(StaleRewriteError):
            await tier.commit(TierChange(replacement=merged(tier, old)))
    assert tier.pointer == before
    # The first object that is alive has lost its first records; it may be rewritten all the same.
    assert await tier.commit(TierChange(replacement=merged(tier, uploaded[1:4])))
    assert tier.start == 15


@pytest.mark.rule("TIER-5")
@pytest.mark.parametrize(
    "wrong", [{"records": 19}, {"offsets": OffsetRange(Offset(0), Offset(19))}]
)
async def test_what_covers_other_offsets_or_has_other_records_takes_nothing_s_place(
    metadata: Metadata, store: FailingStore, clock: HastyClock, wrong: dict[str, Any]
) -> None:
    tier = await claimed(metadata, store, clock)
    uploaded = list(objects_from(tier, 0, 2))
    await tier.commit(TierChange(uploaded=uploaded))
    change = merged(tier, uploaded)
    with pytest.raises(RejectedError, match="no replacement"):
        await tier.commit(
            TierChange(replacement=replace(change, new=[replace(change.new[0], **wrong)]))
        )
    root = await tier.root()
    assert root is not None
    assert root.totals.entries == 2
