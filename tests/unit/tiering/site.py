"""A hot store and a cold side put together in this process, over whatever store a test brings."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from everlog.model.clock import Clock
from everlog.model.ids import PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header, walk
from everlog.records.builder import Record, build_batch
from everlog.stores.object_store import ObjectStore
from service.app.seams import Seams
from service.app.system_disk import SystemDisk
from service.app.system_network import SystemNetwork
from service.app.system_processor import SystemProcessor
from service.app.tier_site import TierSite
from service.app.tier_wiring import ColdSide, Making, assemble, open_cold_side
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.metadata_store import Create, NodeExistsError
from service.coordination.payloads import DeletedTopic, deleted_topic_payload, pack
from service.coordination.znodes import (
    DELETED_TOPICS,
    TIER,
    deleted_topic_path,
    tier_path,
    tiers_path,
)
from service.hot.store import HotStore
from service.model.broker_config import BrokerConfig, GivenValue, Origin
from service.model.log import LogSlice, ReadBounds
from service.model.topic_config import TopicConfig
from service.partition.partition import Partition
from service.partition.table import PartitionTable
from service.partition.topic_rules import hot_config
from service.partition.unified_log import UnifiedLog
from service.tiering.rewrite import merged_in_process
from service.tiering.uploader import SealAndPut, in_process
from tests.simulation.clock import SeededIds
from tests.simulation.disk import SimDisk
from tests.unit.replication.lone import lone_replica

TOPIC = TopicId(b"0123456789abcdef")
CLUSTER = "test-cluster"
EVERYTHING = ReadBounds(end=Offset(1 << 60), bytes_max=1 << 20, at_least_one=True)


class HastyClock:
    """Wall time that a test sets; durations are those of the loop."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class Metadata:
    """A metadata tree that outlives the sites that use it."""

    server: TreeServer
    store: EmbeddedStore

    async def add(self, partition: PartitionId) -> None:
        for path in (TIER, tiers_path(partition.topic_id), tier_path(partition)):
            try:
                await self.store.create(path)
            except NodeExistsError:
                continue

    async def delete_topic(
        self,
        topic_id: TopicId,
        *,
        partitions: int,
        deleted_ms: int = 0,
        revision: int | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        topic = DeletedTopic(
            topic_id=topic_id,
            name=TopicName("t"),
            partitions=partitions,
            deleted_ms=deleted_ms,
            version=0,
            revision=revision,
            config=config or {},
        )
        payload = pack(deleted_topic_payload(topic))
        await self.store.create(deleted_topic_path(topic_id), payload)


@asynccontextmanager
async def metadata_tree() -> AsyncIterator[Metadata]:
    disk = SimDisk()
    disk.make_dirs("/tree")
    server = await open_tree(disk=disk, directory="/tree", executor=None)
    store = await EmbeddedStore.connect(server)
    await store.multi([Create(TIER), Create(DELETED_TOPICS)])
    yield Metadata(server, store)
    await store.close()
    await server.close()


@dataclass
class Site:
    """A running broker but for sockets and groups."""

    hot: HotStore
    table: PartitionTable
    cold: ColdSide
    metadata: Metadata
    clock: Clock
    appended: dict[PartitionId, bytearray] = field(default_factory=dict)

    async def open(self, config: dict[str, str], *, number: int = 0, epoch: int = 1) -> Partition:
        """Lead a partition, as the keeper does it."""
        partition_id = PartitionId(TOPIC, number)
        await self.metadata.add(partition_id)
        resolved = TopicConfig.resolve(config)
        hot = await self.hot.open(partition_id, hot_config(resolved))
        both = await self.cold.archiver.open(partition_id, LeaderEpoch(epoch), hot, resolved)
        partition = Partition(
            topic=TopicName("t"),
            partition_id=partition_id,
            replicas=lone_replica(epoch),
            hot=both.hot,
            log=UnifiedLog(hot=both.hot, cold=both.cold),
            config=resolved,
            clock=self.clock,
        )
        self.table.add(partition)
        return partition

    def reconfigure(self, partition: Partition, config: dict[str, str]) -> None:
        resolved = TopicConfig.resolve(config)
        partition.reconfigure(resolved)
        self.cold.archiver.reconfigure(partition.id, resolved)

    async def append(
        self, partition: Partition, *, batches: int, batch_bytes: int, timestamp_ms: int = 1000
    ) -> bytes:
        """Append batches of one record, and return them once they are durable."""
        made = bytearray()
        for number in range(batches):
            value = f"{number:08d}".encode() * (batch_bytes // 8)
            batch = build_batch([Record(key=None, value=value, timestamp_ms=timestamp_ms)])
            partition.hot.append(batch, read_header(batch), leader_epoch=partition.leader_epoch)
            made += batch
            if number % 64 == 63:
                await settled(partition)
        await settled(partition)
        return bytes(made)

    async def tiered_to(self, partition: Partition, end: int) -> None:
        """Wait until the tier reaches so far."""
        async with asyncio.timeout(60):
            while partition.tiered_end < end:
                await asyncio.sleep(0.005)

    async def released_to(self, partition: Partition, start: int) -> None:
        """Wait until the disk holds nothing below ``start``."""
        async with asyncio.timeout(60):
            while partition.hot.local_start < start:
                await asyncio.sleep(0.005)


async def settled(partition: Partition) -> None:
    while partition.hot.is_busy:
        await asyncio.sleep(0.001)


async def read_some(partition: Partition, offset: int, bounds: ReadBounds = EVERYTHING) -> LogSlice:
    found = partition.read(Offset(offset), bounds)
    return found if isinstance(found, LogSlice) else await found


async def read_all(partition: Partition, start: int = 0) -> bytes:
    """Read to the end as a consumer does."""
    pieces = bytearray()
    offset = start
    while piece := await read_some(partition, offset):
        pieces += piece.records
        offset = list(walk(piece.records))[-1][1].next_offset
    return bytes(pieces)


def broker_config(settings: dict[str, str]) -> BrokerConfig:
    given = {
        name: GivenValue(text=text, where="test", origin=Origin.FLAG)
        for name, text in settings.items()
    }
    return BrokerConfig.of(given)


@asynccontextmanager
async def site(
    directory: Path,
    metadata: Metadata,
    *,
    store: ObjectStore | None = None,
    hasty: ObjectStore | None = None,
    seal: SealAndPut | None = None,
    settings: dict[str, str] | None = None,
    clock: Any = None,
    known: Sequence[int] = (0,),
    seed: int = 0,
) -> AsyncIterator[Site]:
    """Run a site in a directory; without ``store`` it opens ``store.url`` through a worker.

    A second one in the same directory needs another ``seed``, or it uses the same uids.
    """
    clock = clock or HastyClock()
    threads = ThreadPoolExecutor(4)
    seams = _seams(clock, threads, seed=crc32(str(directory).encode()) + seed)
    hot = HotStore(
        data_dir=str(directory),
        disk=seams.disk,
        clock=clock,
        flush_executor=threads,
        read_executor=threads,
        on_fatal=_fail,
    )
    await hot.start([PartitionId(TOPIC, number) for number in known])
    config = broker_config(
        {
            "data.dir": str(directory),
            "log.retention.check.interval.ms": "20",
            **(settings or {}),
        }
    )
    table = PartitionTable()
    async with asyncio.TaskGroup() as tasks:
        running: list[asyncio.Task[None]] = []
        place = TierSite(
            config=config,
            seams=seams,
            metadata=metadata.store,
            hot=hot,
            table=table,
            cluster_id=CLUSTER,
            run=lambda work: running.append(tasks.create_task(work)),
            spawn=tasks.create_task,
        )
        cold = await _cold_side(place, store, seal, hasty)
        yield Site(hot=hot, table=table, cold=cold, metadata=metadata, clock=clock)
        for task in reversed(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await hot.close()
    threads.shutdown()


def nothing_fails() -> tuple[None, None]:
    """A plan for a store in which every call works."""
    return None, None


def _seams(clock: Clock, threads: ThreadPoolExecutor, *, seed: int) -> Seams:
    return Seams(
        clock=clock,
        ids=SeededIds(seed),
        disk=SystemDisk(),
        network=SystemNetwork(),
        processor=SystemProcessor(),
        flush_executor=threads,
        read_executor=threads,
        cold_executor=threads,
    )


async def _cold_side(
    place: TierSite,
    store: ObjectStore | None,
    seal: SealAndPut | None,
    hasty: ObjectStore | None,
) -> ColdSide:
    if store is None:
        return await open_cold_side(place)
    making = Making(upload=seal or in_process(store), merge=merged_in_process(store))
    return await assemble(place, store, making, hasty=hasty)


def _fail(error: Exception) -> None:
    raise AssertionError(error)
