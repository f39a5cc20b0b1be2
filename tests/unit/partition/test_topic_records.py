"""Every tiered topic has its record in the store, whatever the store does meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from everlog.format.deletion_mark import DeletionMark
from everlog.model.ids import TopicId, TopicName
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.coordination.image_delta import compare
from service.model.cluster import EMPTY_IMAGE, ClusterImage, TopicImage
from service.model.topic_values import DEFAULT_VALUES
from service.partition.topic_records import TopicRecords
from service.tiering.topic_objects import TopicObjects
from tests.contract.object_stores import FailingStore, SteadyClock
from tests.simulation.clock import SeededIds


def topic_image(name: str, version: int = 0, **config: str) -> TopicImage:
    return TopicImage(
        name=TopicName(name),
        topic_id=TopicId(name.encode().ljust(16, b".")),
        config={key.replace("_", "."): value for key, value in config.items()},
        partitions=(None,) * (version + 1),  # type: ignore[arg-type]
        version=version,
        extra={"of the future": 1},
    )


def image_of(*topics: TopicImage) -> ClusterImage:
    return replace(
        EMPTY_IMAGE,
        topics={topic.name: topic for topic in topics},
        names={topic.topic_id: topic.name for topic in topics},
    )


class Desk:
    """Records over a store that may be away, and the image that they follow."""

    def __init__(self, store: MemoryObjectStore | None = None) -> None:
        self.clock = SteadyClock()
        self.memory = store or MemoryObjectStore(clock=self.clock)
        self.is_away = False
        self.owner = 0
        self.store = FailingStore(self.memory, self._plan)
        self.objects = TopicObjects(
            self.store, cluster_id="c", clock=self.clock, ids=SeededIds(id(self))
        )
        self.image = EMPTY_IMAGE
        self.records = TopicRecords(
            self.objects, owner=lambda: self.owner, clock=self.clock, retry_seconds=0
        )

    def _plan(self) -> tuple[Exception | None, Exception | None]:
        away = StoreUnavailableError("call", "", "away") if self.is_away else None
        return away, None

    def change(self, *topics: TopicImage) -> None:
        image = image_of(*topics)
        names = self.image.topics.keys() | image.topics.keys()
        self.records.follow(compare(self.image, image, names))
        self.image = image

    async def written(self) -> Mapping[str, list[int]]:
        """By name, the partitions that each record tells."""
        objects = TopicObjects(self.memory, cluster_id="c", clock=self.clock, ids=SeededIds(0))
        found: dict[str, list[int]] = {}
        for names in (await objects.all()).values():
            for key in names.records:
                record = await objects.read(key)
                found.setdefault(record.name, []).append(record.partitions)
        return found

    async def becomes(self, wanted: Mapping[str, list[int]]) -> None:
        async with asyncio.timeout(30):
            while await self.written() != wanted:
                await asyncio.sleep(0)


@asynccontextmanager
async def running(desk: Desk, *topics: TopicImage) -> AsyncIterator[None]:
    desk.image = image_of(*topics)
    desk.records.load(desk.image, lambda: DEFAULT_VALUES)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(desk.records.run())
        yield
        task.cancel()


async def test_topics_are_written_as_they_come_and_change() -> None:
    desk = Desk()
    async with running(desk, topic_image("a")):
        await desk.becomes({"a": [1]})
        desk.change(topic_image("a"), topic_image("b"))
        await desk.becomes({"a": [1], "b": [1]})
        desk.change(topic_image("a", 2), topic_image("b"))
        await desk.becomes({"a": [1, 3], "b": [1]})


async def test_what_is_written_already_is_not_written_again_at_the_next_start() -> None:
    first = Desk()
    async with running(first, topic_image("a")):
        await first.becomes({"a": [1]})
    second = Desk(first.memory)
    async with running(second, topic_image("a")):
        second.change(topic_image("a"), topic_image("b"))
        await second.becomes({"a": [1], "b": [1]})
    assert second.store.calls.count("create") == 1


@pytest.mark.rule("TIER-56")
async def test_a_store_that_is_away_gets_its_records_when_it_is_back() -> None:
    desk = Desk()
    desk.is_away = True
    async with running(desk, topic_image("a")):
        while len(desk.store.calls) < 5:
            await asyncio.sleep(0)
        desk.change(topic_image("a", 1))
        desk.is_away = False
        await desk.becomes({"a": [2]})


async def test_untiered_topics_have_no_record_unless_they_were_tiered_once() -> None:
    desk = Desk()
    off = {"remote_storage_enable": "false"}
    async with running(desk, topic_image("never", **off), topic_image("once")):
        await desk.becomes({"once": [1]})
        desk.change(topic_image("never", 1, **off), topic_image("once", 1, **off))
        await desk.becomes({"once": [1, 2]})


async def test_a_topic_whose_settings_cannot_be_read_is_written_all_the_same() -> None:
    desk = Desk()
    async with running(desk, topic_image("a", retention_ms="soon")):
        await desk.becomes({"a": [1]})


async def test_after_a_restore_every_record_is_written_anew_and_counts_more() -> None:
    first = Desk()
    async with running(first, topic_image("a", 5)):
        await first.becomes({"a": [6]})
    second = Desk(first.memory)
    second.owner = 1
    async with running(second, topic_image("a")):
        await second.becomes({"a": [6, 1]})


async def test_the_record_of_a_topic_that_is_deleted_meanwhile_is_taken_back() -> None:
    desk = Desk()

    def plan() -> tuple[Exception | None, Exception | None]:
        if desk.store.calls[-1] == "create" and desk.image.topics:
            desk.change()
        return None, None

    desk.store.plan = plan
    async with running(desk, topic_image("a")):
        async with asyncio.timeout(30):
            while "delete" not in desk.store.calls:
                await asyncio.sleep(0)
        assert await desk.written() == {}


async def test_a_topic_that_came_back_is_recorded_and_its_deletion_told_no_more() -> None:
    desk = Desk()
    before = topic_image("a", 3)
    async with running(desk, before):
        await desk.becomes({"a": [4]})
        mark = DeletionMark(
            topic_id=before.topic_id, deleted_ms=0, goes_ms=1, version=before.revision
        )
        await desk.objects.mark_deleted(mark, owner=lambda: 0, has_tier=True)
        desk.change()
        # Also if nothing more goes to its archive.
        off = topic_image("a", remote_storage_enable="false")
        desk.change(replace(off, versions_before=before.revision + 1))
        await desk.becomes({"a": [4, 1]})
        async with asyncio.timeout(30):
            while any(names.deleted for names in (await desk.objects.all()).values()):
                await asyncio.sleep(0)
