"""A cluster's topics come back from its store alone, each by itself."""

from collections.abc import Iterable

import pytest

from everlog.format.deletion_mark import DeletionMark
from everlog.format.meta_keys import cluster_prefix
from everlog.format.object_keys import ClusterKey, PartitionPath
from everlog.format.topic_record import TopicRecord
from everlog.model.ids import TopicId, TopicName
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import list_all
from service.partition.restoration import (
    NothingToRestoreError,
    Restoration,
    RestoreProgress,
    RestoreRequest,
    clusters_in,
)
from service.partition.restored_topics import TopicOutcome, recovered_name
from service.tiering.partition_names import ALL_PREFIXES
from service.tiering.topic_objects import TopicObjects
from tests.contract.object_stores import FailingStore, SteadyClock
from tests.simulation.clock import SeededIds
from tests.unit.format.samples import NOW_MS
from tests.unit.tiering.archive_maker import ArchiveMaker

CLUSTER = "the-cluster"


def topic_id(name: str) -> TopicId:
    return TopicId(name.encode()[-16:].ljust(16, b"."))


class Bucket:
    """A store with the archives of some topics."""

    def __init__(self) -> None:
        self.clock = SteadyClock()
        self.clock.now_ms = NOW_MS
        self.store = MemoryObjectStore(clock=self.clock)
        self.failing = FailingStore(self.store, lambda: (None, None))
        self.objects = TopicObjects(
            self.store, cluster_id=CLUSTER, clock=self.clock, ids=SeededIds(5)
        )
        self.progress = RestoreProgress()

    async def add(self, name: str, *, partitions: int = 1, with_record: bool = True) -> None:
        for number in range(partitions):
            await self.maker(name, number).add(2)
        if with_record:
            await self.record(name, partitions=partitions)

    def maker(self, name: str, number: int = 0) -> ArchiveMaker:
        path = PartitionPath(cluster_id=CLUSTER, topic_id=topic_id(name), partition=number)
        return ArchiveMaker(self.store, path)

    async def record(
        self,
        name: str,
        *,
        partitions: int = 1,
        version: int = 0,
        owner: int = 0,
        config: dict[str, str] | None = None,
    ) -> None:
        record = TopicRecord(
            name=TopicName(name),
            topic_id=topic_id(name),
            partitions=partitions,
            config=config or {},
            created_ms=self.clock.now_ms,
        )
        await self.objects.put(record, owner=owner, version=version)

    async def mark_deleted(self, name: str, *, version: int | None = 0) -> None:
        mark = DeletionMark(
            topic_id=topic_id(name),
            deleted_ms=self.clock.now_ms,
            goes_ms=self.clock.now_ms,
            version=version,
        )
        await self.objects.mark_deleted(mark, owner=lambda: 0, has_tier=True)

    async def restored(
        self, topics: Iterable[str] = (), *, at_ms: int | None = None, is_finished: bool = False
    ) -> dict[str, TopicOutcome]:
        restoration = Restoration(
            self.failing,
            cluster_id=CLUSTER,
            request=RestoreRequest(topics=frozenset(topics), at_ms=at_ms),
            clock=self.clock,
            ids=SeededIds(6),
            progress=self.progress,
        )
        outcomes = await restoration.work_out()
        if is_finished:
            await restoration.finish(outcomes)
        return {each.name: each for each in outcomes}

    async def keys(self, prefix: str = "") -> list[str]:
        return [info.key async for info in list_all(self.store, prefix)]


def ends(outcome: TopicOutcome) -> list[int]:
    return [each.pointer.tiered_end if each.pointer else 0 for each in outcome.found]


@pytest.mark.rule("TIER-56")
async def test_all_topics_come_back_with_all_their_partitions() -> None:
    bucket = Bucket()
    for name in "abc":
        await bucket.add(name, partitions=3)
    found = await bucket.restored()
    assert found.keys() == {"a", "b", "c"}
    assert all(ends(each) == [20, 20, 20] for each in found.values())
    assert (bucket.progress.partitions, bucket.progress.done) == (9, 9)


async def test_a_deleted_topic_stays_away_whatever_is_left_of_it() -> None:
    bucket = Bucket()
    await bucket.add("a")
    await bucket.add("b")
    await bucket.mark_deleted("b")
    assert (await bucket.restored()).keys() == {"a"}


@pytest.mark.rule("TIER-56")
async def test_what_the_cluster_before_the_last_restore_deletes_stays_restored() -> None:
    bucket = Bucket()
    await bucket.add("a")
    await bucket.record("a", owner=1)
    await bucket.mark_deleted("a")
    assert ends((await bucket.restored())["a"]) == [20]


async def test_a_topic_that_was_brought_back_comes_back_although_its_deletion_is_told() -> None:
    bucket = Bucket()
    for name in ("back", "gone", "unknown"):
        await bucket.add(name)
    await bucket.mark_deleted("back", version=3)
    await bucket.record("back", version=4)
    await bucket.mark_deleted("gone", version=3)
    await bucket.record("gone", version=3)
    await bucket.mark_deleted("unknown", version=None)
    await bucket.record("unknown", version=4)
    assert (await bucket.restored()).keys() == {"back"}


async def test_a_deletion_that_cannot_be_read_counts() -> None:
    bucket = Bucket()
    await bucket.add("a")
    await bucket.add("b")
    await bucket.mark_deleted("b", version=0)
    (mark,) = (key for key in await bucket.keys("meta/") if "/deleted-" in key)
    await bucket.store.overwrite(object_key(mark), b"{}")
    await bucket.record("b", version=1)
    assert (await bucket.restored()).keys() == {"a"}


async def test_objects_without_a_record_come_back_under_a_name_of_their_own() -> None:
    bucket = Bucket()
    await bucket.add("a", partitions=2, with_record=False)
    await bucket.add("b")
    found = await bucket.restored()
    assert found.keys() == {recovered_name(topic_id("a")), "b"}
    assert ends(found[recovered_name(topic_id("a"))]) == [20, 20]


async def test_a_record_that_is_damaged_gives_way_to_the_one_before() -> None:
    bucket = Bucket()
    await bucket.add("a")
    before = set(await bucket.keys("meta/"))
    await bucket.record("a", partitions=7, version=1)
    (newest,) = set(await bucket.keys("meta/")) - before
    await bucket.store.overwrite(object_key(newest), b"{}")
    found = (await bucket.restored())["a"]
    assert found.partitions == 1
    assert any(newest in note for note in found.notes)


@pytest.mark.rule("TIER-34")
async def test_a_topic_of_which_nothing_can_be_read_is_told_and_all_others_are_restored() -> None:
    bucket = Bucket()
    await bucket.add("a")
    await bucket.add("b")
    for key in await bucket.keys(bucket.maker("a").path.prefix):
        await bucket.store.overwrite(object_key(key), b"bits")
    found = await bucket.restored()
    assert found["a"].problem is not None
    assert found["a"].restored is None
    assert found["b"].restored is not None


@pytest.mark.parametrize("call", range(12))
async def test_a_store_that_goes_away_leaves_no_topic_out_but_ends_it(call: int) -> None:
    bucket = Bucket()
    await bucket.add("a")

    def plan() -> tuple[Exception | None, Exception | None]:
        is_away = len(bucket.failing.calls) == call + 1
        return (StoreUnavailableError("read", "", "away") if is_away else None), None

    bucket.failing.plan = plan
    with pytest.raises(StoreUnavailableError):
        await bucket.restored()


async def test_only_what_is_asked_for_is_restored_and_only_its_names_are_listed() -> None:
    bucket = Bucket()
    await bucket.add("a", partitions=2)
    await bucket.add("b")
    await bucket.maker("a", 2).add()  # it has grown since its record was written
    found = await bucket.restored(["a"])
    assert ends(found["a"]) == [20, 20, 10]
    assert found.keys() == {"a"}
    # Records, partitions, and by first digits whose else roots might tell of clones.
    assert bucket.failing.calls.count("list") == 1 + 4 + len(ALL_PREFIXES)
    assert (await bucket.restored([topic_id("b").hex()])).keys() == {"b"}


async def test_a_topic_without_a_record_can_be_asked_for() -> None:
    bucket = Bucket()
    await bucket.add("a", with_record=False)
    await bucket.add("b")
    name = recovered_name(topic_id("a"))
    assert (await bucket.restored([name])).keys() == {name}


@pytest.mark.parametrize("has_topics", [False, True])
async def test_what_is_not_there_is_refused_with_what_is(*, has_topics: bool) -> None:
    bucket = Bucket()
    if has_topics:
        await bucket.add("a")
    with pytest.raises(NothingToRestoreError, match="it has a" if has_topics else "it has none"):
        await bucket.restored(["b"])


async def test_an_earlier_time_knows_what_there_was_and_how_it_was() -> None:
    bucket = Bucket()
    maker = bucket.maker("a")
    await maker.add()
    await bucket.record("a", partitions=1)
    at_ms = bucket.clock.now_ms
    bucket.clock.now_ms = maker.now_ms = at_ms + 5
    await maker.add()
    await bucket.record("a", partitions=2, version=1)
    later = bucket.maker("later")
    later.now_ms = at_ms + 5
    await later.add()
    await bucket.record("later")
    found = await bucket.restored(at_ms=at_ms)
    assert ends(found["a"]) == [10]
    assert found["a"].partitions == 1
    assert found["later"].restored is None
    assert found["later"].problem is None


async def test_a_hold_is_not_undone_by_going_back_to_before_it() -> None:
    bucket = Bucket()
    await bucket.add("a")
    at_ms = bucket.clock.now_ms
    bucket.clock.now_ms += 5
    await bucket.record("a", version=1, config={"archive.hold": "true", "retention.ms": "1"})
    outcome = (await bucket.restored(at_ms=at_ms))["a"]
    assert outcome.restored is not None
    assert outcome.restored.config == {"archive.hold": "true"}
    assert "on hold" in outcome.notes[-1]


async def test_new_roots_are_stored_last_and_only_for_what_is_restored() -> None:
    bucket = Bucket()
    await bucket.add("a")
    later = bucket.maker("later")
    later.now_ms = bucket.clock.now_ms = NOW_MS + 5
    await later.add()
    await bucket.record("later")
    for key in await bucket.keys(bucket.maker("a").path.roots):
        await bucket.store.delete([object_key(key)])
    before = await bucket.keys()
    found = await bucket.restored(at_ms=NOW_MS)
    assert ends(found["a"]) == [20]
    assert found["later"].restored is None
    assert await bucket.keys() == before
    await bucket.restored(at_ms=NOW_MS, is_finished=True)
    (new,) = set(await bucket.keys()) - set(before)
    assert new.startswith(bucket.maker("a").path.roots)


async def test_the_clusters_of_a_store_are_told_by_their_own_objects() -> None:
    bucket = Bucket()
    await bucket.add("a")
    assert await clusters_in(bucket.store) == []
    for cluster_id in (CLUSTER, "another"):
        await bucket.store.create(object_key(ClusterKey(cluster_id=cluster_id).text), b"{}")
    assert await clusters_in(bucket.store) == ["another", CLUSTER]
    assert cluster_prefix("another") == "meta/another/"
