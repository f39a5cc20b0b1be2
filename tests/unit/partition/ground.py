"""Partitions over a real store on a simulated disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from everlog.model.ids import PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.builder import Record, build_batch
from service.hot.store import HotStore
from service.model.log import LogReader, ReadBounds
from service.model.topic_config import TopicConfig
from service.partition.partition import Partition
from service.partition.table import PartitionTable
from service.partition.topic_rules import hot_config
from service.partition.unified_log import UnifiedLog
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk
from tests.unit.replication.lone import lone_replica

NOW_MS = 1_700_000_000_000
EPOCH = LeaderEpoch(3)
EVERYTHING = ReadBounds(end=Offset(1 << 60), bytes_max=1 << 30, at_least_one=True)


def topic_id(name: str) -> TopicId:
    return TopicId(name.encode().ljust(16, b"."))


@dataclass
class Ground:
    """A store, and the partitions that are served from it."""

    store: HotStore
    disk: SimDisk
    clock: ManualClock
    table: PartitionTable = field(default_factory=PartitionTable)

    async def open(
        self, name: str = "t", index: int = 0, *, cold: LogReader | None = None, **settings: str
    ) -> Partition:
        """Serve a partition; settings have underscores for dots."""
        config = TopicConfig.resolve({key.replace("_", "."): v for key, v in settings.items()})
        partition_id = PartitionId(topic_id(name), index)
        hot = await self.store.open(partition_id, hot_config(config))
        partition = Partition(
            topic=TopicName(name),
            partition_id=partition_id,
            replicas=lone_replica(EPOCH),
            hot=hot,
            log=UnifiedLog(hot=hot, cold=cold),
            config=config,
            clock=self.clock,
        )
        self.table.add(partition)
        return partition


@asynccontextmanager
async def grounded() -> AsyncIterator[Ground]:
    disk, clock = SimDisk(), ManualClock()
    disk.make_dirs("/data")
    store = HotStore(
        data_dir="/data",
        disk=disk,
        clock=clock,
        flush_executor=None,
        read_executor=None,
        on_fatal=print,
    )
    await store.start([])
    yield Ground(store, disk, clock)
    await store.close()


async def settled(partition: Partition) -> None:
    while partition.hot.is_busy:
        await asyncio.sleep(0.001)


def batch(count: int = 1, **options: Any) -> memoryview:
    records = [
        Record(key=b"k%d" % number, value=b"v", timestamp_ms=NOW_MS + number)
        for number in range(count)
    ]
    return memoryview(build_batch(records, **options))
