"""A bucket as another cluster writes it, and what follows it without a broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.object_keys import ClusterKey, PartitionPath, Uid
from everlog.format.owner_record import OwnerRecord
from everlog.format.pointer import pointer_to
from everlog.format.topic_record import TopicRecord
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import Offset
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from everlog.stores.read_only import ReadOnlyObjectStore
from service.app.following import partition_maker
from service.model.cluster import EMPTY_IMAGE
from service.model.log import LogSlice
from service.partition.archive_follower import REST_POLLS, ArchiveFollower
from service.partition.archived_image import ArchivedImage
from service.partition.archived_partition import ArchivedPartition
from service.partition.archived_table import ArchivedTable
from service.partition.source_topics import SourceTopics
from service.tiering.archive_listing import RootNames, read_root, root_names
from service.tiering.manifest_store import ManifestStore
from service.tiering.store_owner import take_store
from service.tiering.topic_objects import TopicObjects
from tests.contract.object_stores import FailingStore
from tests.simulation.clock import SeededIds
from tests.unit.tiering.archive_maker import ArchiveMaker
from tests.unit.tiering.site import EVERYTHING, HastyClock, metadata_tree, nothing_fails, site

CLUSTER = "the-cluster"
POLL_SECONDS = 0.02


def topic_id(name: str) -> TopicId:
    return TopicId(name.encode().ljust(16, b"."))


class Source:
    """A bucket as another cluster writes it."""

    def __init__(self) -> None:
        self.clock = HastyClock()
        self.store = MemoryObjectStore(clock=self.clock)
        self.failing = FailingStore(self.store, nothing_fails)
        self.ids = SeededIds(5)
        self.objects = TopicObjects(self.store, cluster_id=CLUSTER, clock=self.clock, ids=self.ids)
        self.makers: dict[tuple[str, int], ArchiveMaker] = {}

    async def mark(self) -> None:
        marker = encode_marker(ClusterMarker(cluster_id=CLUSTER, store_id="first"))
        await self.store.create(object_key(ClusterKey(cluster_id=CLUSTER).text), marker)

    async def record(
        self, name: str, *, partitions: int = 1, version: int = 0, retention_ms: int = -1
    ) -> None:
        record = TopicRecord(
            name=TopicName(name),
            topic_id=topic_id(name),
            partitions=partitions,
            config={"retention.ms": str(retention_ms)},
            created_ms=self.clock.now_ms,
        )
        await self.objects.put(record, owner=0, version=version)

    def maker(self, name: str, number: int = 0) -> ArchiveMaker:
        if (name, number) not in self.makers:
            path = PartitionPath(cluster_id=CLUSTER, topic_id=topic_id(name), partition=number)
            self.makers[name, number] = ArchiveMaker(self.store, path)
        return self.makers[name, number]

    async def add(self, name: str, number: int = 0, *, with_hint: bool = True) -> None:
        """Commit ten more records."""
        await self.maker(name, number).add()
        if with_hint:
            await self.hint(name, number)

    async def hint(self, name: str, number: int = 0) -> None:
        path = self.maker(name, number).path
        names = await root_names(self.store, path)
        assert names.newest is not None
        found = await read_root(self.store, RootNames(keys=(), hint=None), names.newest)
        await ManifestStore(self.store).hint(path, pointer_to(found.root, found.ref))

    async def take(self) -> None:
        """Give the store a new owner, as a restore does."""
        owner = OwnerRecord(
            cluster_id=CLUSTER, store_id="second", number=1, created_ms=self.clock.now_ms
        )
        await take_store(self.store, owner, uid=Uid(self.ids.uuid()))


class Reader:
    """What follows it."""

    def __init__(self, follower: ArchiveFollower) -> None:
        self.follower = follower
        self.table = follower.table
        self.image = ArchivedImage(lambda: EMPTY_IMAGE, self.table, broker_id=1)

    def partition(self, name: str, number: int = 0) -> ArchivedPartition:
        found = self.table.by_name(name, number)
        assert found is not None
        return found

    def shown(self) -> dict[str, int]:
        return {name: len(topic.partitions) for name, topic in self.image().topics.items()}

    async def polls(self, count: int = REST_POLLS) -> None:
        for _ in range(count):
            await self.follower.poll()

    async def read(self, name: str, offset: int = 0) -> bytes:
        found = self.partition(name).read(Offset(offset), EVERYTHING)
        return bytes((found if isinstance(found, LogSlice) else await found).records)


@asynccontextmanager
async def following(source: Source, directory: Path) -> AsyncIterator[Reader]:
    store: ObjectStore = ReadOnlyObjectStore(source.failing)
    async with (
        metadata_tree() as metadata,
        site(directory, metadata, store=store, clock=source.clock) as running,
    ):
        yield Reader(
            ArchiveFollower(
                cluster_id=CLUSTER,
                store=store,
                topics=SourceTopics(
                    TopicObjects(store, cluster_id=CLUSTER, clock=source.clock, ids=source.ids)
                ),
                make=partition_maker(running.cold.reading),
                table=ArchivedTable(),
                clock=source.clock,
                poll_seconds=POLL_SECONDS,
            )
        )


@asynccontextmanager
async def one_topic(directory: Path) -> AsyncIterator[tuple[Source, Reader]]:
    """Follow a topic ``t`` with ten records."""
    source = Source()
    await source.mark()
    await source.record("t")
    await source.add("t")
    async with following(source, directory) as reader:
        await reader.follower.poll()
        yield source, reader
