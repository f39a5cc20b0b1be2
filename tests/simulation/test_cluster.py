"""A cluster of brokers that lose their power in turn, over virtual time, network and disks."""

import asyncio
import os
from typing import Any

import pytest

from everlog.records.batch import walk
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.reader import read_records
from service.protocol.api import ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from service.protocol.messages.init_producer_id import InitProducerIdRequest
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.fault.idempotent_load import violations
from tests.simulation.client import DisconnectedError
from tests.simulation.cluster import RETRY_SECONDS, Cluster, ClusterClient, is_passing
from tests.simulation.loop import SimLoop, run_simulated

TOPIC = "simulated"
HISTORY_SECONDS_MAX = 600
"""Of virtual time; a partition that stays without a leader must end the run."""


class NumberedProducer:
    """An idempotent producer: one batch in flight, repeated until it is answered."""

    def __init__(self, cluster: Cluster) -> None:
        self._loop = cluster.loop
        self._client = ClusterClient(cluster, TOPIC)
        self.promised: dict[int, int] = {}

    async def run(self, count: int) -> None:
        producer_id = await self._new_id()
        number = 0
        while number < count:
            size = min(self._loop.rng.randint(1, 4), count - number)
            records = [
                Record(key=b"%d" % each, value=self._loop.rng.randbytes(200), timestamp_ms=each)
                for each in range(number, number + size)
            ]
            producer = Producer(producer_id=producer_id, epoch=0, base_sequence=number)
            base = await self._send(build_batch(records, producer=producer))
            self.promised |= {number + i: base + i for i in range(size)}
            number += size
            await asyncio.sleep(self._loop.rng.expovariate(200))

    async def _new_id(self) -> int:
        request = InitProducerIdRequest(transactional_id=None)
        answer = await self._asked(ApiKey.INIT_PRODUCER_ID, 4, request)
        return int(answer.producer_id)

    async def _send(self, batch: bytearray) -> int:
        data = PartitionProduceData(index=0, records=batch)
        topic = TopicProduceData(name=TOPIC, partition_data=[data])
        request = ProduceRequest(acks=-1, timeout_ms=3_000, topic_data=[topic])
        while True:
            answer = await self._asked(ApiKey.PRODUCE, 9, request)
            result = answer.responses[0].partition_responses[0]
            if result.error_code == ErrorCode.NONE:
                return int(result.base_offset)
            assert is_passing(result.error_code), result
            await asyncio.sleep(RETRY_SECONDS)

    async def _asked(self, key: ApiKey, version: int, request: Any) -> Any:
        while True:
            try:
                return await self._client.ask_leader(key, version, request)
            except DisconnectedError:
                await asyncio.sleep(RETRY_SECONDS)


async def read_all(cluster: Cluster) -> list[tuple[int, int]]:
    """Read what is committed, from the first offset on."""
    client = ClusterClient(cluster, TOPIC)
    found: list[tuple[int, int]] = []
    while True:
        wanted = FetchPartition(partition=0, fetch_offset=len(found), partition_max_bytes=20_000)
        topic = FetchTopic(topic=TOPIC, partitions=[wanted])
        request = FetchRequest(max_wait_ms=0, max_bytes=50_000, session_epoch=-1, topics=[topic])
        try:
            answer: Any = await client.ask_leader(ApiKey.FETCH, 12, request)
        except DisconnectedError:
            await asyncio.sleep(RETRY_SECONDS)
            continue
        result = answer.responses[0].partitions[0]
        if is_passing(result.error_code):
            await asyncio.sleep(RETRY_SECONDS)
            continue
        assert result.error_code == ErrorCode.NONE, result
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
    cluster = Cluster(loop, replica_lag_time_max_ms="2000", replica_fetch_backoff_ms="100")
    await cluster.start()
    await ClusterClient(cluster, TOPIC).create_topic()
    producer = NumberedProducer(cluster)
    async with asyncio.timeout(HISTORY_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        producing = tasks.create_task(producer.run(200))
        while not producing.done():
            await asyncio.sleep(loop.rng.uniform(0.05, 2))
            victim = loop.rng.choice(cluster.machines)
            await victim.cut_power()
            await asyncio.sleep(loop.rng.uniform(0, 4))
            await victim.start()
        await asyncio.sleep(5)
        found = await read_all(cluster)
    assert violations(producer.promised, found) == []
    assert len(producer.promised) == 200
    await cluster.stop()
    return len(found), loop.time()


async def _quiet_history(loop: SimLoop) -> None:
    cluster = Cluster(loop)
    await cluster.start()
    await ClusterClient(cluster, TOPIC).create_topic()
    producer = NumberedProducer(cluster)
    async with asyncio.timeout(HISTORY_SECONDS_MAX):
        await producer.run(50)
    found = await read_all(cluster)
    assert violations(producer.promised, found) == []
    await asyncio.sleep(1)
    logs = []
    for machine in cluster.machines:
        assert machine.node is not None
        logs += [log for log in machine.node.hot.logs if log.log_end == 50]
    assert len(logs) == 3
    await cluster.stop()


def test_every_replica_has_what_was_acknowledged() -> None:
    run_simulated(1, _quiet_history)


@pytest.mark.rule("REL-I1")
@pytest.mark.parametrize("seed", range(int(os.environ.get("EVERLOG_TEST_SEEDS", "6"))))
def test_no_broker_that_loses_its_power_takes_an_acknowledged_record_with_it(seed: int) -> None:
    run_simulated(seed, _history)
