"""A clone is made when it is first opened; its source's objects stay for as long as it needs."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from everlog.format.entries import entry_of
from everlog.format.object_keys import PartitionPath, parse_key
from everlog.format.pins import EVERYTHING, Pin
from everlog.format.replacing import Replacement
from everlog.format.retention import Cut
from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import list_all
from service.coordination.clone_pins import Cloned, ClonePins
from service.coordination.deleted_topics import list_deleted_topics
from service.coordination.znodes import CLONES, tier_path
from service.partition.cloning import Cloning, SourceNotReadyError
from service.partition.deleted_tiers import DeletedTiers
from service.partition.tier_pointers import TierPointers
from service.tiering.archive_listing import root_names
from service.tiering.authority import Authority, ClaimRequest
from service.tiering.manifest_store import ManifestStore
from service.tiering.merging import MergePlan
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.rewrite import Merger, merged_in_process
from service.tiering.stats import TierStats
from service.tiering.sweeper import SearchPlace, Sweeper
from service.tiering.topic_objects import TopicObjects
from tests.contract.object_stores import FailingStore
from tests.simulation.clock import SeededIds
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import objects_from

SOURCE, CLONE, SECOND = (TopicId(bytes([number]) * 16) for number in (1, 2, 3))
HOUR_MS = 3_600_000
CUT = Cut(start=Offset(10))


class Yard:
    """Tiers over one memory store and one metadata tree."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.clock = HastyClock()
        self.ids = SeededIds(9)
        self.objects = MemoryObjectStore(clock=self.clock)
        self.store = FailingStore(self.objects, lambda: (None, None))
        self.pins = ClonePins(metadata.store)
        self.pointers = TierPointers(metadata.store)
        self.sweeper = Sweeper(self.store, stats=TierStats(), pins_of=self.pins.of)
        self.cloning = self.started()
        self.deleted = DeletedTiers(
            metadata=metadata.store,
            owner=lambda: 0,
            pins=self.pins,
            cluster_id="c",
            sweeper=self.sweeper,
            records=TopicObjects(self.store, cluster_id="c", clock=self.clock, ids=self.ids),
            clock=self.clock,
            grace_ms=0,
        )

    def started(self) -> Cloning:
        """As after a start of the broker."""
        return Cloning(
            self.pins,
            pointers=self.pointers,
            manifests=ManifestStore(self.store),
            clock=self.clock,
            ids=self.ids,
            grace_ms=HOUR_MS,
        )

    async def claimed(self, topic_id: TopicId, *, epoch: int = 1) -> PartitionTier:
        partition = PartitionId(topic_id, 0)
        await self.metadata.add(partition)
        authority = Authority(self.pointers, clock=self.clock, ids=self.ids)
        held = await authority.claim(
            ClaimRequest(
                partition=partition, epoch=LeaderEpoch(epoch), start=Offset(0), may_begin=True
            )
        )
        assert held is not None
        return PartitionTier(
            held,
            path=path(topic_id),
            authority=authority,
            manifests=ManifestStore(self.store),
            clock=self.clock,
            ids=self.ids,
            stats=TierStats(),
            grace_ms=HOUR_MS,
        )

    async def grown(self, topic_id: TopicId, count: int = 3) -> PartitionTier:
        """A tier of objects that are all in the store."""
        tier = await self.claimed(topic_id)
        await self.extend(tier, count)
        return tier

    async def extend(self, tier: PartitionTier, count: int) -> None:
        uploaded = objects_from(tier, tier.end, count)
        for each in uploaded:
            await self.objects.create(object_key(each.entry.key(tier.path).text), b"x")
        await tier.commit(TierChange(uploaded=uploaded))

    async def clone(
        self, source: TopicId = SOURCE, topic_id: TopicId = CLONE, *, epoch: int = 1001
    ) -> PartitionTier:
        await self.order(source, topic_id)
        tier = await self.claimed(topic_id, epoch=epoch)
        assert await self.cloning.open(tier)
        return tier

    async def order(self, source: TopicId, topic_id: TopicId, *, rank: int = 0) -> None:
        one = Cloned(source=source, clone=topic_id, rank=rank, partitions=1)
        await self.metadata.store.multi([one.creation])

    async def names(self, topic_id: TopicId) -> list[str]:
        prefix = path(topic_id).segments
        return [info.key async for info in list_all(self.objects, prefix)]

    async def sweep_trash(self, tier: PartitionTier) -> None:
        gone = await self.sweeper.empty_trash(tier, now_ms=self.clock.wall_ms())
        if gone:
            await tier.commit(TierChange(trash_gone=gone))

    async def search_orphans(self, tier: PartitionTier) -> None:
        at: SearchPlace | None = SearchPlace()
        while at is not None:
            at = await self.sweeper.remove_orphans(
                tier, at, now_ms=self.clock.wall_ms(), grace_ms=0
            )


def path(topic_id: TopicId) -> PartitionPath:
    return PartitionPath(cluster_id="c", topic_id=topic_id, partition=0)


async def listed(tier: PartitionTier) -> list[str]:
    root = await tier.root()
    assert root is not None
    rows = root.entries
    return [
        entry.key(tier.home_of(entry)).text
        for entry in (entry_of(rows, row) for row in range(len(rows)))
    ]


@pytest.fixture
async def yard() -> AsyncIterator[Yard]:
    async with metadata_tree() as metadata:
        await metadata.store.create(CLONES)
        yield Yard(metadata)


async def test_a_clone_lists_its_source_s_objects_and_goes_on_behind_them(yard: Yard) -> None:
    source = await yard.grown(SOURCE)
    clone = await yard.clone()
    assert await listed(clone) == await yard.names(SOURCE)
    assert (clone.start, clone.end) == (source.start, source.end)
    assert (await root_names(yard.objects, path(CLONE))).hint == clone.pointer
    await yard.extend(clone, 1)
    assert await listed(clone) == await yard.names(SOURCE) + await yard.names(CLONE)
    assert await yard.pins.of(path(SOURCE)) == [Pin(start=Offset(0), end=Offset(30), ver=1)]


async def test_a_clone_is_made_once(yard: Yard) -> None:
    source = await yard.grown(SOURCE)
    before = (await yard.clone()).pointer
    await yard.extend(source, 2)
    again = await yard.claimed(CLONE, epoch=1002)
    assert not await yard.started().open(again)
    assert (again.pointer.root, again.end) == (before.root, 30)


async def test_the_clone_of_a_topic_without_a_tier_begins_empty(yard: Yard) -> None:
    await yard.metadata.add(PartitionId(SOURCE, 0))
    clone = await yard.clone()
    assert (clone.start, clone.end) == (0, 0)
    await yard.cloning.step(clone)
    assert await yard.pins.of(path(SOURCE)) == []
    source = await yard.grown(SOURCE)
    again = await yard.claimed(CLONE, epoch=1002)
    assert not await yard.started().open(again)
    assert (source.end, again.end) == (30, 0)


async def test_a_clone_must_be_in_a_later_epoch_than_its_source(yard: Yard) -> None:
    await yard.grown(SOURCE)
    with pytest.raises(SourceNotReadyError, match="above it"):
        await yard.clone(epoch=1)


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_failed_attempt_is_repeated_and_the_source_keeps_all_until_then(
    yard: Yard, *, arrives: bool
) -> None:
    source = await yard.grown(SOURCE)
    await yard.order(SOURCE, CLONE)
    tier = await yard.claimed(CLONE, epoch=1001)
    away = StoreUnavailableError("create", "-", "away")
    yard.store.plan = lambda: (None, away) if arrives else (away, None)
    with pytest.raises(StoreUnavailableError):
        await yard.cloning.open(tier)
    yard.store.plan = lambda: (None, None)
    assert await yard.pins.of(path(SOURCE)) == [EVERYTHING]
    await source.commit(TierChange(cut=CUT))
    yard.clock.now_ms += 2 * HOUR_MS
    await yard.sweep_trash(source)
    assert len(await yard.names(SOURCE)) == 3
    assert await yard.cloning.open(await yard.claimed(CLONE, epoch=1002))


@pytest.mark.rule("TIER-10")
async def test_what_expires_in_the_source_stays_while_a_clone_lists_it(yard: Yard) -> None:
    source = await yard.grown(SOURCE)
    clone = await yard.clone()
    await yard.extend(source, 1)  # not the clone's
    await source.commit(TierChange(cut=Cut(start=Offset(40))))
    yard.clock.now_ms += 2 * HOUR_MS
    await yard.sweep_trash(source)
    assert await yard.names(SOURCE) == await listed(clone)
    await yard.search_orphans(source)
    assert await yard.names(SOURCE) == await listed(clone)


async def test_a_source_lets_go_a_grace_after_its_clone_has(yard: Yard) -> None:
    source = await yard.grown(SOURCE)
    clone = await yard.clone()
    await source.commit(TierChange(cut=Cut(start=Offset(30))))
    await clone.commit(TierChange(cut=Cut(start=Offset(20))))
    yard.clock.now_ms += HOUR_MS
    await yard.cloning.step(clone)  # the first that sees it
    yard.clock.now_ms += HOUR_MS - 1
    await yard.cloning.step(clone)
    await yard.sweep_trash(source)
    assert len(await yard.names(SOURCE)) == 3
    yard.clock.now_ms += 1
    await yard.cloning.step(clone)
    await yard.sweep_trash(source)
    assert await yard.names(SOURCE) == await listed(clone)
    await clone.commit(TierChange(cut=Cut(start=Offset(30))))
    for _ in range(2):
        await yard.cloning.step(clone)
        yard.clock.now_ms += HOUR_MS
    await yard.cloning.step(clone)
    await yard.sweep_trash(source)
    assert await yard.names(SOURCE) == []


async def test_a_merge_takes_foreign_objects_in_and_frees_the_source(yard: Yard) -> None:
    source = await yard.grown(SOURCE)
    clone = await yard.clone()
    root = await clone.root()
    assert root is not None
    old = [entry_of(root.entries, row) for row in range(len(root.entries))]
    (merged,) = objects_from(clone, Offset(0), 1)
    whole = replace(merged.entry, offsets=OffsetRange(Offset(0), Offset(30)), records=30)
    await yard.objects.create(object_key(whole.key(clone.path).text), b"x")
    await clone.commit(TierChange(replacement=Replacement(old=old, new=[whole])))
    root = await clone.root()
    assert root is not None
    assert (root.origins, await listed(clone)) == ((), await yard.names(CLONE))
    yard.clock.now_ms += 2 * HOUR_MS
    await yard.sweep_trash(clone)
    assert len(await yard.names(SOURCE)) == 3, "they are the source's, which lists them"
    await source.commit(TierChange(cut=Cut(start=Offset(30))))
    for _ in range(2):
        await yard.cloning.step(clone)
        yard.clock.now_ms += 2 * HOUR_MS
    await yard.cloning.step(clone)
    await yard.sweep_trash(source)
    assert await yard.names(SOURCE) == []


async def test_the_transfer_process_is_told_where_the_objects_of_a_merge_lie(yard: Yard) -> None:
    await yard.grown(SOURCE)
    clone = await yard.clone()
    await yard.extend(clone, 1)
    root = await clone.root()
    assert root is not None
    rows = range(len(root.entries))
    plan = MergePlan(tuple(entry_of(root.entries, row) for row in rows))
    merger = Merger(
        merged_in_process(yard.store),
        directory="/nowhere",
        bytes_per_second=1,
        clock=yard.clock,
        ids=yard.ids,
    )
    merge = merger.begin(
        plan,
        path=clone.path,
        stamp=clone.next_stamp,
        on_over=lambda: None,
        home_of=clone.home_of,
    )
    assert [each.key.text for each in merge.inputs()] == await listed(clone)


async def test_a_start_does_not_make_the_grace_shorter(yard: Yard) -> None:
    await yard.grown(SOURCE)
    clone = await yard.clone()
    await clone.commit(TierChange(cut=Cut(start=Offset(20))))
    cloning = yard.started()
    await cloning.open(clone)
    await cloning.step(clone)
    assert (await yard.pins.of(path(SOURCE)))[0].start == 0
    yard.clock.now_ms += HOUR_MS
    await cloning.step(clone)
    assert (await yard.pins.of(path(SOURCE)))[0].start == 20


async def test_objects_that_a_rebuilt_source_does_not_know_stay_for_its_clone(yard: Yard) -> None:
    await yard.grown(SOURCE)
    clone = await yard.clone()
    # A restore to an earlier time: the source's newest root lists nothing of it.
    await _unclaim(yard, SOURCE)
    source = await yard.claimed(SOURCE, epoch=3000)
    await yard.search_orphans(source)
    assert await yard.names(SOURCE) == await listed(clone)
    await yard.pins.forget(CLONE)
    await yard.search_orphans(source)
    assert await yard.names(SOURCE) == []


async def test_a_deleted_source_is_swept_but_for_what_its_clones_need(yard: Yard) -> None:
    source = await yard.grown(SOURCE)
    clone = await yard.clone()
    await yard.extend(source, 2)
    await yard.metadata.delete_topic(SOURCE, partitions=1)
    for _ in range(4):
        await yard.deleted.sweep()
    left = [parse_key(info.key) async for info in list_all(yard.objects, path(SOURCE).prefix)]
    assert [each.text for each in left] == await listed(clone)
    assert [each.topic_id for each in await list_deleted_topics(yard.metadata.store)] == [SOURCE]
    yard.store.calls.clear()
    await yard.deleted.sweep()
    assert yard.store.calls == [], "nothing has changed, so nothing is listed"
    await yard.metadata.delete_topic(CLONE, partitions=1)
    for _ in range(8):
        await yard.deleted.sweep()
    assert yard.objects._objects == {}
    assert await list_deleted_topics(yard.metadata.store) == []
    assert await yard.metadata.store.children(CLONES) == []


async def test_a_deleted_source_keeps_everything_until_its_clone_is_made(yard: Yard) -> None:
    await yard.grown(SOURCE)
    await yard.order(SOURCE, CLONE)
    await yard.metadata.delete_topic(SOURCE, partitions=1)
    for _ in range(4):
        await yard.deleted.sweep()
    clone = await yard.claimed(CLONE, epoch=1001)
    assert await yard.cloning.open(clone)
    assert await listed(clone) == await yard.names(SOURCE)


async def test_a_clone_of_a_clone_outlives_both(yard: Yard) -> None:
    await yard.grown(SOURCE)
    middle = await yard.clone()
    await yard.extend(middle, 1)
    await yard.order(SOURCE, SECOND, rank=1)
    last = await yard.clone(CLONE, SECOND, epoch=2001)
    for topic_id in (SOURCE, CLONE):
        await yard.metadata.delete_topic(topic_id, partitions=1)
    for _ in range(6):
        await yard.deleted.sweep()
    assert await listed(last) == await yard.names(SOURCE) + await yard.names(CLONE)


async def _unclaim(yard: Yard, topic_id: TopicId) -> None:
    node = tier_path(PartitionId(topic_id, 0))
    _, stat = await yard.metadata.store.get(node)
    await yard.metadata.store.set(node, b"", version=stat.version)
