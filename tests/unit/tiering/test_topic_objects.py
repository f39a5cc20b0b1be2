"""Records of topics beside the data: the newest few stay; a deletion is told until it is done."""

from collections.abc import Sequence

import pytest

from everlog.format.deletion_mark import DeletionMark
from everlog.format.topic_record import TopicRecord
from everlog.model.clock import Clock
from everlog.model.ids import TopicId, TopicName
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectInfo, list_all
from service.tiering.topic_objects import RECORDS_KEPT, TopicObjects
from tests.contract.object_stores import SteadyClock
from tests.simulation.clock import SeededIds

TOPIC = TopicId(bytes(range(16)))
GRACE_MS = 1000


def deletion_mark(deleted_ms: int, *, version: int = 0) -> DeletionMark:
    return DeletionMark(
        topic_id=TOPIC, deleted_ms=deleted_ms, goes_ms=deleted_ms + GRACE_MS, version=version
    )


class RememberingStore(MemoryObjectStore):
    """Remembers what was deleted together, and how often somebody has looked."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.deleted: list[Sequence[ObjectKey]] = []
        self.lists = 0

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        self.lists += 1
        return await super().list(prefix, start_after=start_after, limit=limit)

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        self.deleted.append(keys)
        await super().delete(keys)


class Shelf:
    """A store of records and its clock."""

    def __init__(self) -> None:
        self.clock = SteadyClock()
        self.store = RememberingStore(clock=self.clock)
        self.objects = TopicObjects(
            self.store, cluster_id="c", clock=self.clock, ids=SeededIds(1), grace_ms=GRACE_MS
        )

    async def put(self, version: int, *, owner: int = 0) -> None:
        record = TopicRecord(
            name=TopicName(f"name-{owner}-{version}"),
            topic_id=TOPIC,
            partitions=1,
            config={},
            created_ms=self.clock.now_ms,
        )
        await self.objects.put(record, owner=owner, version=version)

    async def mark_deleted(
        self, *, owner: int = 0, has_tier: bool = False, version: int = 0
    ) -> None:
        mark = deletion_mark(self.clock.now_ms, version=version)
        await self.objects.mark_deleted(mark, owner=lambda: owner, has_tier=has_tier)

    async def keys(self) -> list[ObjectKey]:
        return [info.key async for info in list_all(self.store, "")]

    async def versions(self) -> list[tuple[int, int]]:
        names = (await self.objects.all())[TOPIC]
        return [(each.owner, each.version) for each in names.records]


async def test_the_record_of_the_newest_owner_and_version_comes_last() -> None:
    shelf = Shelf()
    for owner, version in ((0, 10), (1, 0), (0, 9), (1, 2)):
        await shelf.put(version, owner=owner)
    assert await shelf.versions() == [(0, 9), (0, 10), (1, 0), (1, 2)]
    newest = (await shelf.objects.all())[TOPIC].records[-1]
    assert (await shelf.objects.read(newest)).name == "name-1-2"


async def test_old_records_go_but_not_the_newest_and_not_those_that_held_lately() -> None:
    shelf = Shelf()
    for version in range(RECORDS_KEPT + 5):
        await shelf.put(version)
        shelf.clock.now_ms += 1
    await shelf.objects.prune(TOPIC)
    assert len(await shelf.versions()) == RECORDS_KEPT + 5
    shelf.clock.now_ms += GRACE_MS - 11
    await shelf.objects.prune(TOPIC)
    assert (await shelf.versions())[0] == (0, 1)
    shelf.clock.now_ms += GRACE_MS
    await shelf.objects.prune(TOPIC)
    assert await shelf.versions() == [(0, 5 + number) for number in range(RECORDS_KEPT)]


async def test_a_deletion_is_told_once_and_last_of_all_forgotten() -> None:
    shelf = Shelf()
    await shelf.put(0)
    for _ in range(2):
        await shelf.mark_deleted()
    names = (await shelf.objects.all())[TOPIC]
    assert (len(names.records), len(names.deleted)) == (1, 1)
    await shelf.objects.forget(TOPIC)
    assert [len(keys) for keys in shelf.store.deleted] == [1, 1]
    assert "deleted-" in shelf.store.deleted[-1][0]
    assert await shelf.keys() == []


async def test_a_topic_that_the_store_never_knew_leaves_nothing_there() -> None:
    shelf = Shelf()
    await shelf.mark_deleted()
    assert await shelf.keys() == []
    await shelf.mark_deleted(has_tier=True)
    assert len(await shelf.keys()) == 1


@pytest.mark.rule("TIER-56")
async def test_a_deletion_by_who_has_lost_the_store_is_none() -> None:
    shelf = Shelf()
    await shelf.put(7)
    await shelf.put(0, owner=1)
    await shelf.put(8)  # it has not noticed yet
    await shelf.mark_deleted(owner=0)
    assert not (await shelf.objects.all())[TOPIC].is_deleted
    # Nor does it keep the one that has the store from telling of a deletion of its own.
    await shelf.mark_deleted(owner=1)
    names = (await shelf.objects.all())[TOPIC]
    assert sorted(each.owner for each in names.deleted) == [0, 1]
    assert names.is_deleted
    await shelf.objects.forget(TOPIC)
    assert await shelf.keys() == []


async def test_a_topic_that_was_deleted_before_a_restore_stays_so() -> None:
    shelf = Shelf()
    await shelf.put(7)
    await shelf.mark_deleted(owner=0)
    assert (await shelf.objects.all())[TOPIC].is_deleted


async def test_the_owner_is_asked_once_the_store_has_answered() -> None:
    shelf = Shelf()
    await shelf.put(0)
    lists_before: list[int] = []

    def owner() -> int:
        lists_before.append(shelf.store.lists)
        return 0

    await shelf.objects.mark_deleted(deletion_mark(0), owner=owner, has_tier=False)
    assert lists_before == [1]


async def test_a_topic_that_is_deleted_again_is_told_again() -> None:
    shelf = Shelf()
    await shelf.put(2)
    await shelf.mark_deleted(version=2)
    await shelf.put(3)
    names = (await shelf.objects.all())[TOPIC]
    assert not await shelf.objects.is_deleted(names)
    await shelf.mark_deleted(version=3)
    names = (await shelf.objects.all())[TOPIC]
    assert await shelf.objects.is_deleted(names)
    assert len(names.deleted) == 2


async def test_only_deletions_of_before_a_topic_came_back_are_told_no_more() -> None:
    shelf = Shelf()
    await shelf.put(5)
    await shelf.mark_deleted(version=2)
    await shelf.mark_deleted(version=7)
    await shelf.objects.unmark(TOPIC, owner=0, version=5)
    names = (await shelf.objects.all())[TOPIC]
    (left,) = names.deleted
    assert (await shelf.objects.read_mark(left)).version == 7
