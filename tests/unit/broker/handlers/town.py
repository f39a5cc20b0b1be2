"""A broker's middle without sockets: a real tree, real logs on a simulated disk, real handlers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from everlog.model.errors import EverlogError
from everlog.model.ids import PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.broker.context import RequestContext
from service.broker.fetch_session_cache import FetchSessionCache
from service.broker.fetch_sessions import FetchSessions
from service.broker.handlers.fetch import STORAGE_ERROR_MS, FetchHandler
from service.broker.handlers.produce import ProduceHandler
from service.broker.leaders import Leaders
from service.broker.near_replicas import NearReplicas
from service.hot.log import HotLog
from service.hot.restart import LogRestart
from service.hot.store import HotStore
from service.model.cluster import ClusterImage
from service.model.serving import Deferred
from service.model.topic_config import TopicConfig
from service.model.topic_values import DEFAULT_VALUES
from service.partition.archive_starts import NotArchivedError
from service.partition.contact import Contact
from service.partition.deep_validation import DeepValidation
from service.partition.disk_gate import DiskGate
from service.partition.keeper import PartitionKeeper
from service.partition.partition import Partition
from service.partition.replica_fetching import ReplicaFetching
from service.partition.replica_roles import BothTiers, ReplicaRoles
from service.partition.replication_throttle import ReplicationThrottle
from service.partition.table import PartitionTable
from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.simulation.clock import ManualClock, SeededIds
from tests.simulation.disk import SimDisk
from tests.unit.coordination.stage import Stage, running
from tests.unit.partition.unlimited import unlimited

SESSION_SECONDS = 6.0


class ColdSide:
    """Takes note of what it is told; tiers nothing."""

    def __init__(self) -> None:
        self.events: list[tuple[str, PartitionId]] = []
        self.refusal: EverlogError | None = None

    async def open(
        self, partition: PartitionId, leader_epoch: LeaderEpoch, hot: HotLog, config: TopicConfig
    ) -> BothTiers:
        if self.refusal is not None:
            raise self.refusal
        self.events.append(("open", partition))
        return BothTiers(hot, None)

    def reconfigure(self, partition: PartitionId, config: TopicConfig) -> None:
        self.events.append(("reconfigure", partition))

    async def close(self, partition: PartitionId) -> None:
        self.events.append(("close", partition))


@dataclass
class Town:
    """Everything that handlers are made of."""

    stage: Stage
    store: HotStore
    disk: SimDisk
    clock: ManualClock
    table: PartitionTable
    keeper: PartitionKeeper
    tiers: ColdSide
    tasks: asyncio.TaskGroup
    gate: DiskGate
    broken: list[Exception] = field(default_factory=list)
    silent_seconds: float = 0.0

    @property
    def contact(self) -> Contact:
        """Of a broker whose session ends after `SESSION_SECONDS` of silence."""
        return Contact(
            silent_seconds=lambda: self.silent_seconds,
            session_seconds=SESSION_SECONDS,
            clock=self.clock,
        )

    def images(self) -> ClusterImage:
        return self.stage.image

    async def topic(self, name: str, *, partitions: int = 1, **settings: str) -> Partition:
        """Create a topic; return its first partition."""
        config = {key.replace("_", "."): value for key, value in settings.items()}
        await self.stage.create(name, partitions=partitions, replication_factor=1, config=config)
        await self.keeper.settled()
        return self.table.led(name, 0)

    def produce_handler(self) -> ProduceHandler:
        return ProduceHandler(
            partitions=self.table,
            leaders=Leaders(images=self.images),
            deep=DeepValidation(clock=self.clock, executor=None, unpacked_bytes_max=1 << 20),
            disk=self.gate,
            contact=self.contact,
            clock=self.clock,
        )

    def fetch_handler(
        self,
        *,
        bytes_max: int = 1 << 20,
        fault_ms: int = STORAGE_ERROR_MS,
        near: NearReplicas | None = None,
        throttle: ReplicationThrottle | None = None,
    ) -> FetchHandler:
        cache = FetchSessionCache(clock=self.clock, ids=SeededIds())
        return FetchHandler(
            partitions=self.table,
            near=near,
            throttle=throttle,
            leaders=Leaders(images=self.images),
            sessions=FetchSessions(cache=cache),
            spawn=self.tasks.create_task,
            bytes_max=bytes_max,
            fault_ms=fault_ms,
        )

    async def restart(self) -> None:
        """Close every log and open them again, as a stop and a start of the broker do."""
        known = [partition.id for partition in self.table.partitions]
        for each in known:
            self.table.remove(each)
        await self.store.close()
        self.store = self.keeper._roles._store = store_on(self.disk, self.clock)
        await self.store.start(known)
        await self.keeper.load(self.images())


def store_on(disk: SimDisk, clock: ManualClock) -> HotStore:
    return HotStore(
        data_dir="/data",
        disk=disk,
        clock=clock,
        flush_executor=None,
        read_executor=None,
        on_fatal=print,
    )


async def no_archive(hot: HotLog) -> LogRestart:
    raise NotArchivedError(f"nothing of {hot.partition.text} is archived")


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    disk, clock = SimDisk(), ManualClock()
    disk.make_dirs("/data")
    store = store_on(disk, clock)
    await store.start([])
    async with running() as stage, asyncio.TaskGroup() as tasks:
        table, tiers = PartitionTable(), ColdSide()
        broken: list[Exception] = []
        roles = ReplicaRoles(
            broker_id=stage.broker.id,
            store=store,
            table=table,
            tiers=tiers,
            fetching=ReplicaFetching(
                me=stage.broker.id,
                connect=lambda _: None,
                backoff_seconds=1.0,
                spawn=tasks.create_task,
                on_broken=lambda _, error: broken.append(error),
                find_start=no_archive,
                throttle=unlimited(),
            ),
            clock=clock,
            lag_seconds_max=30.0,
        )
        keeper = PartitionKeeper(
            broker_id=stage.broker.id,
            broker_epoch=stage.broker.epoch,
            roles=roles,
            table=table,
            defaults=lambda: DEFAULT_VALUES,
            on_broken=lambda _topic, _partition, error: broken.append(error),
        )
        await keeper.load(stage.image)
        stage.images.subscribe(keeper.follow)
        working = tasks.create_task(keeper.run())
        place = Town(
            stage, store, disk, clock, table, keeper, tiers, tasks, DiskGate(clock), broken
        )
        yield place
        await roles._fetching.close()
        working.cancel()
    await place.store.close()


def context(version: int) -> RequestContext:
    return RequestContext(version, "tests", "/127.0.0.1", 1, "PLAINTEXT")


async def answered(result: Any) -> Any:
    """Return the response, however it comes."""
    if isinstance(result, Deferred):
        gate: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        result.then(gate.set_result)
        return await asyncio.wait_for(gate, 10)
    if isinstance(result, Awaitable):
        return await result
    return result


Handle = Callable[[RequestContext, Any], Any]


def to_produce(
    topic: str, *batches: memoryview | None, acks: int = -1, first: int = 0
) -> ProduceRequest:
    """Ask for one batch in each partition."""
    data = [
        PartitionProduceData(index=first + number, records=records)
        for number, records in enumerate(batches)
    ]
    return ProduceRequest(
        acks=acks,
        timeout_ms=1000,
        transactional_id=None,
        topic_data=[TopicProduceData(name=topic, partition_data=data)],
    )


def to_fetch(topic: str, offset: int = 0, **fields: Any) -> FetchRequest:
    partition = FetchPartition(
        partition=fields.pop("partition", 0), fetch_offset=offset, partition_max_bytes=1 << 20
    )
    for name in ("current_leader_epoch", "last_fetched_epoch", "partition_max_bytes"):
        if name in fields:
            setattr(partition, name, fields.pop(name))
    fields = {"max_wait_ms": 0, "min_bytes": 1, "max_bytes": 1 << 20, **fields}
    return FetchRequest(topics=[FetchTopic(topic=topic, partitions=[partition])], **fields)


def the_topic(town: Town, name: str) -> Any:
    found = town.images().topic(TopicName(name))
    assert found is not None
    return found
