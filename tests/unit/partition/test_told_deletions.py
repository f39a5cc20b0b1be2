"""A deletion is told in the store by whoever comes first: at once, or in a round of the sweep."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from typing_extensions import override

from everlog.format.topic_record import TopicRecord
from everlog.model.ids import PartitionId, TopicName
from everlog.stores.memory import MemoryObjectStore
from service.coordination.clone_pins import ClonePins
from service.coordination.deleted_topics import list_deleted_topics
from service.coordination.image_delta import compare
from service.coordination.metadata_store import Delete
from service.coordination.znodes import CLONES, deleted_topic_path, tier_path
from service.model.cluster import EMPTY_IMAGE, TopicImage
from service.partition.deleted_tiers import EMPTY_ROUNDS, DeletedTiers
from service.tiering.stats import TierStats
from service.tiering.sweeper import Sweeper
from service.tiering.topic_objects import TopicObjects
from tests.contract.object_stores import FailingStore, ResultT
from tests.simulation.clock import SeededIds
from tests.unit.tiering.site import (
    CLUSTER,
    TOPIC,
    HastyClock,
    Metadata,
    metadata_tree,
    nothing_fails,
)

HOUR_MS = 3_600_000


class HeldStore(FailingStore):
    """Holds back the next call that stores something, when a test wants that."""

    def __init__(self, objects: MemoryObjectStore) -> None:
        super().__init__(objects, nothing_fails)
        self.holds_next = False
        self.has_begun = asyncio.Event()
        self.is_free = asyncio.Event()

    @override
    async def _run(self, name: str, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        if name == "create" and self.holds_next:
            self.holds_next = False
            self.has_begun.set()
            await self.is_free.wait()
        return await super()._run(name, call)


@dataclass
class Ground:
    """Deleted topics of a broker over a store that can be made slow."""

    metadata: Metadata
    clock: HastyClock = field(default_factory=HastyClock)

    def __post_init__(self) -> None:
        self.objects = MemoryObjectStore(clock=self.clock)
        self.store = HeldStore(self.objects)
        self.records = TopicObjects(
            self.store, cluster_id=CLUSTER, clock=self.clock, ids=SeededIds(1)
        )
        self.deleted = DeletedTiers(
            cluster_id=CLUSTER,
            metadata=self.metadata.store,
            sweeper=Sweeper(self.store, stats=TierStats()),
            records=self.records,
            owner=lambda: 0,
            pins=ClonePins(self.metadata.store),
            clock=self.clock,
            grace_ms=HOUR_MS,
        )

    async def record(self, *, version: int) -> None:
        record = TopicRecord(
            name=TopicName("t"),
            topic_id=TOPIC,
            partitions=1,
            config={},
            created_ms=self.clock.now_ms,
        )
        await self.records.put(record, owner=0, version=version)

    async def delete(self, *, revision: int) -> None:
        await self.metadata.delete_topic(
            TOPIC, partitions=1, deleted_ms=self.clock.now_ms, revision=revision
        )

    async def bring_back(self, *, revision: int) -> None:
        """Undo the deletion, as the controller and the writer of records do."""
        await self.metadata.store.multi([Delete(deleted_topic_path(TOPIC), 0)])
        await self.record(version=revision)
        await self.records.unmark(TOPIC, owner=0, version=revision)

    async def is_told(self) -> bool:
        """Whether a restore would pass the topic over."""
        return await self.records.is_deleted((await self.records.all())[TOPIC])

    @asynccontextmanager
    async def late_telling(self) -> AsyncIterator[None]:
        """Let the deletion be told at once, but by a call that ends with the block."""
        self.store.holds_next = True
        topic = TopicImage(name=TopicName("t"), topic_id=TOPIC, config={}, partitions=(), version=0)
        before = replace(EMPTY_IMAGE, topics={topic.name: topic})
        telling = asyncio.create_task(self.deleted.tell())
        self.deleted.follow(compare(before, EMPTY_IMAGE, [topic.name]))
        await self.store.has_begun.wait()
        yield
        self.store.is_free.set()
        await turns()
        telling.cancel()


async def turns() -> None:
    """Let everything go on that does not wait for the test."""
    for _ in range(1000):
        await asyncio.sleep(0)


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with metadata_tree() as metadata:
        await metadata.store.create(CLONES)
        await metadata.add(PartitionId(TOPIC, 0))
        # Somebody has claimed its tier.
        await metadata.store.set(tier_path(PartitionId(TOPIC, 0)), b"claimed", version=0)
        yield Ground(metadata)


async def test_a_topic_that_came_back_between_two_looks_is_told_when_it_is_deleted_again(
    ground: Ground,
) -> None:
    await ground.record(version=1)
    await ground.delete(revision=1)
    await ground.deleted.sweep()
    assert await ground.is_told()
    await ground.bring_back(revision=2)
    assert not await ground.is_told()
    await ground.delete(revision=2)
    await ground.deleted.sweep()
    assert await ground.is_told()


async def test_who_tells_of_a_deletion_late_hides_no_topic_that_is_back(ground: Ground) -> None:
    await ground.record(version=1)
    await ground.delete(revision=1)
    async with ground.late_telling():
        await ground.bring_back(revision=2)
    assert not await ground.is_told()
    # Nor is the late one taken for the next deletion.
    await ground.delete(revision=2)
    await ground.deleted.sweep()
    assert await ground.is_told()


async def test_who_tells_of_a_deletion_late_leaves_nothing_of_a_topic_that_is_forgotten(
    ground: Ground,
) -> None:
    await ground.record(version=1)
    await ground.delete(revision=1)
    ground.clock.now_ms += 2 * HOUR_MS

    async def sweep() -> None:
        for _ in range(EMPTY_ROUNDS + 1):
            await ground.deleted.sweep()

    async with asyncio.TaskGroup() as tasks, ground.late_telling():
        tasks.create_task(sweep())
        await turns()
    assert await list_deleted_topics(ground.metadata.store) == []
    assert not ground.objects._objects
