"""A restore takes from a cut what the store knows of no other way, and at a time its roots."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from everlog.format.cut import Cut, CutRoot, CutTopic, root_name
from everlog.format.deletion_mark import DeletionMark
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.object_key import object_key
from service.partition.restoration import Restoration, RestoreRequest
from service.partition.restored_topics import TopicOutcome, recovered_name
from service.tiering.partition_names import RESTORE_EPOCH_STEP
from tests.simulation.clock import SeededIds
from tests.unit.format.samples import NOW_MS
from tests.unit.partition.test_restoration import CLUSTER, Bucket, ends, topic_id
from tests.unit.tiering.archive_maker import ArchiveMaker

OFFSETS = "__consumer_offsets"


def cut_topic(
    name: str,
    *,
    partitions: int = 1,
    roots: Sequence[CutRoot] = (),
    is_tiered: bool = False,
    config: Mapping[str, str] | None = None,
    identity: TopicId | None = None,
) -> CutTopic:
    return CutTopic(
        name=TopicName(name),
        topic_id=identity or topic_id(name),
        partitions=partitions,
        config=config or {"cleanup.policy": "compact"},
        epoch=LeaderEpoch(41),
        is_tiered=is_tiered or bool(roots),
        roots=roots,
    )


def cut_of(*topics: CutTopic, created_ms: int = NOW_MS) -> Cut:
    return Cut(
        cluster_id=CLUSTER, owner=0, created_ms=created_ms, settings={}, topics=topics, groups={}
    )


def root_of(maker: ArchiveMaker, number: int = 0) -> CutRoot:
    """Return the newest root of a partition as a cut has it."""
    assert maker.root is not None
    return CutRoot(number, root_name(maker.root.stamp, maker.root.uid), Offset(maker.end))


async def restored(
    bucket: Bucket, cut: Cut | None, *, at_ms: int | None = None, topics: Sequence[str] = ()
) -> dict[str, TopicOutcome]:
    restoration = Restoration(
        bucket.failing,
        cluster_id=CLUSTER,
        request=RestoreRequest(topics=frozenset(topics), at_ms=at_ms),
        clock=bucket.clock,
        ids=SeededIds(6),
        progress=bucket.progress,
        cut=cut,
    )
    return {each.name: each for each in await restoration.work_out()}


def deletion(name: str) -> DeletionMark:
    return DeletionMark(topic_id=topic_id(name), deleted_ms=0, goes_ms=None, version=None)


async def test_topics_without_an_archive_come_back_empty_with_ids_settings_and_epochs() -> None:
    bucket = Bucket()
    await bucket.add("a")
    found = await restored(bucket, cut_of(cut_topic("cache", partitions=3), cut_topic(OFFSETS)))
    assert found.keys() == {"a", "cache", OFFSETS}
    cache = found["cache"]
    assert not cache.is_tiered
    assert cache.restored is not None
    assert cache.restored.topic_id == topic_id("cache")
    assert cache.restored.config == {"cleanup.policy": "compact"}
    # Clients have seen the epochs, and pass over what comes from earlier ones.
    assert [(each.epoch, each.pointer) for each in cache.restored.partitions] == [
        (41 + RESTORE_EPOCH_STEP, b"")
    ] * 3


async def test_epochs_that_left_nothing_in_the_archive_are_not_used_again() -> None:
    bucket = Bucket()
    await bucket.add("a")
    (plain,) = (await restored(bucket, None)).values()
    (found,) = (await restored(bucket, cut_of(cut_topic("a", is_tiered=True)))).values()
    assert plain.restored is not None
    assert found.restored is not None
    assert plain.restored.partitions[0].epoch == 1 + RESTORE_EPOCH_STEP
    assert found.restored.partitions[0].epoch == 41 + RESTORE_EPOCH_STEP
    assert found.restored.partitions[0].pointer == plain.restored.partitions[0].pointer


@pytest.mark.rule("TIER-34")
async def test_a_topic_that_took_over_a_name_keeps_it_and_the_empty_one_is_gone() -> None:
    bucket = Bucket()
    bucket.clock.now_ms += 5
    await bucket.add("a")
    other = cut_topic("a", identity=TopicId(b"x" * 16))
    found = await restored(bucket, cut_of(other))
    assert {name: each.topic_id for name, each in found.items()} == {"a": topic_id("a")}


async def test_a_topic_that_was_deleted_since_the_cut_stays_away() -> None:
    bucket = Bucket()
    await bucket.add("a")
    await bucket.add("marked")
    await bucket.objects.mark_deleted(deletion("marked"), owner=lambda: 0, has_tier=True)
    # Of the one that was swept there is nothing left to tell.
    cut = cut_of(cut_topic("marked", is_tiered=True), cut_topic("swept", is_tiered=True))
    assert (await restored(bucket, cut)).keys() == {"a"}


async def test_a_deletion_by_whoever_had_the_store_before_the_cut_does_not_count() -> None:
    bucket = Bucket()
    await bucket.add("a")
    await bucket.objects.mark_deleted(deletion("a"), owner=lambda: 0, has_tier=True)
    cut = cut_of(cut_topic("a", is_tiered=True), cut_topic("cache"))
    assert (await restored(bucket, cut)).keys() == {"cache"}
    assert (await restored(bucket, replace(cut, owner=1))).keys() == {"a", "cache"}


async def test_a_cut_names_a_topic_whose_record_is_lost() -> None:
    bucket = Bucket()
    await bucket.add("a", partitions=2, with_record=False)
    assert (await restored(bucket, None)).keys() == {recovered_name(topic_id("a"))}
    found = await restored(bucket, cut_of(cut_topic("a", partitions=2, is_tiered=True)))
    assert ends(found["a"]) == [20, 20]


async def test_a_record_that_is_damaged_gives_way_to_the_cut_and_that_is_told() -> None:
    bucket = Bucket()
    await bucket.add("a")
    for key in await bucket.keys("meta/"):
        await bucket.store.overwrite(object_key(key), b"{}")
    (found,) = (await restored(bucket, cut_of(cut_topic("a", is_tiered=True)))).values()
    assert found.name == "a"
    assert "its name and settings are those of the cut" in found.notes


async def test_some_topics_alone_come_with_the_one_for_offsets_and_no_others() -> None:
    bucket = Bucket()
    for name in ("a", "b"):
        await bucket.add(name)
    cut = cut_of(cut_topic("cache"), cut_topic(OFFSETS))
    assert (await restored(bucket, cut, topics=["a"])).keys() == {"a", OFFSETS}
    assert (await restored(bucket, cut, topics=["cache"])).keys() == {"cache", OFFSETS}


class History:
    """Two partitions with a cut in the middle of their history, and commits before and after."""

    def __init__(self) -> None:
        self.bucket = Bucket()
        self.makers = [self.bucket.maker("a", number) for number in range(2)]

    async def passes(self) -> Cut:
        await self.bucket.record("a", partitions=2)
        await self._commit(0, 1)
        self.cut_ms = self._later()
        cut = cut_of(
            cut_topic("a", partitions=2, roots=[root_of(each, n) for n, each in self.numbered]),
            created_ms=self.cut_ms,
        )
        await self._commit(0)
        self.at_ms = self._later()
        await self._commit(0, 1)
        return cut

    @property
    def numbered(self) -> list[tuple[int, ArchiveMaker]]:
        return list(enumerate(self.makers))

    async def _commit(self, *numbers: int) -> None:
        now_ms = self._later()
        for number in numbers:
            self.makers[number].now_ms = now_ms
            await self.makers[number].add()

    def _later(self) -> int:
        self.bucket.clock.now_ms += 1000
        return self.bucket.clock.now_ms


async def test_a_time_is_that_of_the_cut_in_all_partitions_that_are_in_it() -> None:
    history = History()
    cut = await history.passes()
    bucket = history.bucket
    assert ends((await restored(bucket, None, at_ms=history.at_ms))["a"]) == [20, 10]
    assert ends((await restored(bucket, cut, at_ms=history.at_ms))["a"]) == [10, 10]
    assert ends((await restored(bucket, cut))["a"]) == [30, 20]


async def test_a_root_of_the_cut_that_is_not_whole_gives_way_to_the_newest_by_then() -> None:
    history = History()
    cut = await history.passes()
    bucket, first = history.bucket, history.makers[0]
    await bucket.store.delete([first.roots[0]])
    (found,) = (await restored(bucket, cut, at_ms=history.at_ms)).values()
    assert ends(found) == [20, 10]
    assert any("of the cut is not there" in note for note in found.notes)
    await bucket.store.delete([object_key(history.makers[1].keys[0].text)])
    (found,) = (await restored(bucket, cut, at_ms=history.at_ms)).values()
    assert found.problem is not None
    assert "partition 1" in found.problem


async def test_a_topic_that_no_cut_has_is_searched_for_as_ever() -> None:
    history = History()
    await history.passes()
    cut = cut_of(cut_topic("cache"), created_ms=history.cut_ms)
    found = await restored(history.bucket, cut, at_ms=history.at_ms)
    assert ends(found["a"]) == [20, 10]
    assert "cache" in found
