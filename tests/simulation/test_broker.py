"""A whole broker, the very code of production, over virtual time, network and disk."""

import asyncio

import pytest

from everlog.records.batch import walk
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.reader import read_records
from everlog.stores.memory import MemoryObjectStore
from service.app.node import BrokerNode
from service.app.seams import Seams
from service.app.tier_site import TierSite
from service.app.tier_wiring import ColdSide, Making, assemble
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.model.broker_config import BrokerConfig, GivenValue, Origin
from service.protocol.api import ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from service.protocol.messages.init_producer_id import InitProducerIdRequest
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from service.tiering.rewrite import merged_in_process
from service.tiering.uploader import in_process
from tests.fault.idempotent_load import violations
from tests.simulation.client import DisconnectedError, SimClient
from tests.simulation.clock import SeededIds
from tests.simulation.disk import SimDisk
from tests.simulation.loop import LoopClock, SimLoop, run_simulated
from tests.simulation.network import SimNetwork
from tests.simulation.processor import ProcessorForOne

PORT = 9092
TOPIC = "simulated"
RETRY_SECONDS = 0.05
HISTORY_SECONDS_MAX = 300
"""Of virtual time; a partition that stays offline must end the run."""


def _config(segment_bytes: int) -> BrokerConfig:
    texts = {
        "broker.id": "1",
        "data.dir": "/data",
        "listeners": f"PLAINTEXT://127.0.0.1:{PORT}",
        "log.segment.bytes": str(segment_bytes),
        "remote.storage.enable": "false",
    }
    return BrokerConfig.of(
        {
            name: GivenValue(text=text, where="simulation", origin=Origin.COMMAND)
            for name, text in texts.items()
        }
    )


async def _without_uploads(site: TierSite) -> ColdSide:
    """Topics are not tiered here: objects are sealed from files of the system, not of this disk."""
    store = MemoryObjectStore(clock=site.seams.clock)
    making = Making(upload=in_process(store), merge=merged_in_process(store))
    return await assemble(site, store, making)


class World:
    """One machine: its disk outlives its broker."""

    def __init__(self, loop: SimLoop, *, segment_bytes: int = 16384) -> None:
        self.loop = loop
        self._segment_bytes = segment_bytes
        self.disk = SimDisk()
        self.disk.make_dirs("/data/metadata")
        self.network = SimNetwork(loop, loop.rng)
        self._ids = SeededIds(loop.rng.randrange(1 << 30))
        self._broker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        is_ready = self.loop.create_future()
        self._broker = self.loop.create_task(self._live(is_ready))
        await asyncio.wait([is_ready, self._broker], return_when=asyncio.FIRST_COMPLETED)
        if self._broker.done():
            await self._broker

    async def cut_power(self) -> None:
        """End the broker without a farewell; its disk keeps what was synced and some more."""
        self.network.kill_servers()
        await self._go_on_with(self.disk.after_crash(self.loop.rng))

    async def cut_power_in_a_round(self) -> None:
        """End it when a segment has been written and is about to be synced, if that happens."""
        left: asyncio.Future[SimDisk] = self.loop.create_future()

        def cut(path: str) -> None:
            if path.endswith(".log") and not left.done():
                self.network.kill_servers()
                left.set_result(self.disk.after_crash(self.loop.rng))

        self.disk.before_sync = cut
        await asyncio.wait([left], timeout=1)
        cut("no.log")
        await self._go_on_with(left.result())

    async def _go_on_with(self, disk: SimDisk) -> None:
        assert self._broker is not None
        self.disk = disk
        self._broker.cancel()
        await asyncio.wait([self._broker])

    async def _live(self, is_ready: "asyncio.Future[None]") -> None:
        disk = self.disk
        seams = Seams(
            clock=LoopClock(self.loop),
            ids=self._ids,
            disk=disk,
            network=self.network,
            processor=ProcessorForOne(),
            flush_executor=None,
            read_executor=None,
        )
        server = await open_tree(disk=disk, directory="/data/metadata", executor=None)
        async with asyncio.TaskGroup() as tasks:
            node = BrokerNode(
                config=_config(self._segment_bytes),
                seams=seams,
                store=await EmbeddedStore.connect(server),
                open_cold_side=_without_uploads,
                tasks=tasks,
                boot_id="simulated",
            )
            await node.start()
            is_ready.set_result(None)
            await asyncio.Event().wait()


class NumberedProducer:
    """An idempotent producer: one batch in flight, repeated until it is answered."""

    def __init__(
        self, world: World, partition: int, *, first: int = 0, value_bytes: int = 200
    ) -> None:
        self._world = world
        self._first = first
        self._value_bytes = value_bytes
        self._client = SimClient(world.network, PORT)
        self._partition = partition
        self._sequence = 0
        self.promised: dict[int, int] = {}

    async def run(self, count: int) -> None:
        producer_id = await self._new_id()
        number = 0
        while number < count:
            size = min(self._world.loop.rng.randint(1, 4), count - number)
            batch = build_batch(
                [
                    Record(
                        key=b"%d" % (self._first + each),
                        value=self._world.loop.rng.randbytes(self._value_bytes),
                        timestamp_ms=each,
                    )
                    for each in range(number, number + size)
                ],
                producer=Producer(producer_id=producer_id, epoch=0, base_sequence=number),
            )
            base = await self._send(batch)
            self.promised |= {self._first + number + i: base + i for i in range(size)}
            number += size
            await asyncio.sleep(self._world.loop.rng.expovariate(200))

    async def _new_id(self) -> int:
        while True:
            try:
                answer = await self._client.request(
                    ApiKey.INIT_PRODUCER_ID, 4, InitProducerIdRequest(transactional_id=None)
                )
            except DisconnectedError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            return int(answer.producer_id)

    async def _send(self, batch: bytearray) -> int:
        data = PartitionProduceData(index=self._partition, records=batch)
        request = ProduceRequest(
            acks=-1,
            timeout_ms=10_000,
            topic_data=[TopicProduceData(name=TOPIC, partition_data=[data])],
        )
        while True:
            try:
                answer = await self._client.request(ApiKey.PRODUCE, 9, request)
            except DisconnectedError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            result = answer.responses[0].partition_responses[0]
            if result.error_code == ErrorCode.NONE:
                return int(result.base_offset)
            assert result.error_code in (
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
            )
            await asyncio.sleep(RETRY_SECONDS)


async def _create_topic(client: SimClient) -> None:
    wanted = MetadataRequest(topics=[MetadataRequestTopic(name=TOPIC)])
    answer = await client.request(ApiKey.METADATA, 9, wanted)
    assert answer.topics[0].error_code == ErrorCode.NONE


async def _read_all(client: SimClient, partition: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while True:
        wanted = FetchPartition(
            partition=partition, fetch_offset=len(found), partition_max_bytes=20_000
        )
        answer = await client.request(
            ApiKey.FETCH,
            12,
            FetchRequest(
                max_wait_ms=0,
                max_bytes=50_000,
                session_epoch=-1,
                topics=[FetchTopic(topic=TOPIC, partitions=[wanted])],
            ),
        )
        result = answer.responses[0].partitions[0]
        assert result.error_code == ErrorCode.NONE
        records = memoryview(result.records or b"")
        if not records:
            assert len(found) == result.high_watermark
            return found
        for position, header in walk(records):
            for record in read_records(records[position : position + header.size]):
                assert record.key is not None
                if record.offset >= len(found):
                    found.append((record.offset, int(record.key)))


async def _history(loop: SimLoop) -> tuple[int, float]:
    world = World(loop)
    await world.start()
    client = SimClient(world.network, PORT)
    await _create_topic(client)
    producer = NumberedProducer(world, 0)
    async with asyncio.TaskGroup() as tasks:
        producing = tasks.create_task(producer.run(300))
        while not producing.done():
            await asyncio.sleep(loop.rng.uniform(0.05, 0.8))
            await world.cut_power()
            await asyncio.sleep(loop.rng.uniform(0, 0.3))
            await world.start()
    found = await _read_all(SimClient(world.network, PORT), 0)
    assert violations(producer.promised, found) == []
    assert len(producer.promised) == 300
    await world.cut_power()
    return len(found), loop.time()


async def _crowded_history(loop: SimLoop) -> None:
    """Rounds of several batches over several pages, so that a power cut can leave holes."""
    world = World(loop, segment_bytes=1 << 20)
    await world.start()
    await _create_topic(SimClient(world.network, PORT))
    producers = [
        NumberedProducer(world, 0, first=number * 1000, value_bytes=2000) for number in range(6)
    ]
    async with asyncio.timeout(HISTORY_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        producing = [tasks.create_task(each.run(60)) for each in producers]
        while not all(each.done() for each in producing):
            await asyncio.sleep(loop.rng.uniform(0.02, 0.5))
            await world.cut_power_in_a_round()
            await asyncio.sleep(loop.rng.uniform(0, 0.3))
            await world.start()
    found = await _read_all(SimClient(world.network, PORT), 0)
    where = {number: offset for offset, number in found}
    assert [offset for offset, _ in found] == list(range(360))
    for producer in producers:
        assert len(producer.promised) == 60
        assert producer.promised.items() <= where.items()
    await world.cut_power()


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("seed", range(25))
def test_power_cuts_in_the_middle_of_rounds_take_nothing_offline(seed: int) -> None:
    run_simulated(seed, _crowded_history)


@pytest.mark.rule("REL-D1")
@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("seed", range(12))
def test_power_cuts_lose_nothing_that_was_acknowledged(seed: int) -> None:
    run_simulated(seed, _history)


def test_the_same_seed_gives_the_same_history() -> None:
    assert run_simulated(3, _history) == run_simulated(3, _history)


async def _history_on_a_lying_disk(loop: SimLoop) -> None:
    world = World(loop)
    await world.start()
    await _create_topic(SimClient(world.network, PORT))
    world.disk.lies_about_syncs = True
    producer = NumberedProducer(world, 0)
    await producer.run(50)
    await world.cut_power()
    await world.start()
    found = await _read_all(SimClient(world.network, PORT), 0)
    assert violations(producer.promised, found) != []
    await world.cut_power()


def test_a_disk_that_lies_about_syncs_is_found_out() -> None:
    run_simulated(1, _history_on_a_lying_disk)
