"""A cluster of brokers that lose their power in turn, over virtual time, network and disks."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from everlog.records.batch import walk
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.reader import read_records
from service.broker.handlers.list_offsets import LATEST
from service.protocol.api import ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from service.protocol.messages.init_producer_id import InitProducerIdRequest
from service.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.fault.idempotent_load import violations
from tests.simulation.client import DisconnectedError
from tests.simulation.cluster import (
    RETRY_SECONDS,
    Cluster,
    ClusterClient,
    Machine,
    is_passing,
)
from tests.simulation.loop import SimLoop, run_simulated

TOPIC = "simulated"
RECORDS = 500
SEEDS = int(os.environ.get("EVERLOG_TEST_SEEDS", "5"))
SLOW_COPIES = {"replica_fetch_max_bytes": "300", "replica_fetch_response_max_bytes": "300"}
"""So the next broker goes before one that has lost its records has them again."""

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


async def _told(client: ClusterClient, key: ApiKey, version: int, request: Any) -> Any:
    """Ask the leader until it answers; return what it says of the one partition."""
    while True:
        try:
            answer: Any = await client.ask_leader(key, version, request)
        except DisconnectedError:
            await asyncio.sleep(RETRY_SECONDS)
            continue
        (topic,) = answer.topics if key is ApiKey.LIST_OFFSETS else answer.responses
        (result,) = topic.partitions
        if result.error_code == ErrorCode.NONE:
            return result
        assert is_passing(result.error_code), result
        await asyncio.sleep(RETRY_SECONDS)


async def read_all(cluster: Cluster) -> list[tuple[int, int]]:
    """Read what is committed, from the first offset on."""
    client = ClusterClient(cluster, TOPIC)
    latest = ListOffsetsTopic(name=TOPIC, partitions=[ListOffsetsPartition(timestamp=LATEST)])
    request = ListOffsetsRequest(replica_id=-1, topics=[latest])
    end = (await _told(client, ApiKey.LIST_OFFSETS, 5, request)).offset
    found: list[tuple[int, int]] = []
    while len(found) < end:
        wanted = FetchPartition(fetch_offset=len(found), partition_max_bytes=20_000)
        topic = FetchTopic(topic=TOPIC, partitions=[wanted])
        fetch = FetchRequest(max_wait_ms=100, max_bytes=50_000, session_epoch=-1, topics=[topic])
        result = await _told(client, ApiKey.FETCH, 12, fetch)
        records = memoryview(result.records or b"")
        for position, header in walk(records):
            for record in read_records(records[position : position + header.size]):
                assert record.key is not None
                if record.offset >= len(found):
                    found.append((record.offset, int(record.key)))
    return found


async def _histories(
    loop: SimLoop, strike: Callable[[Machine], Awaitable[None]], *, patient: bool, **settings: str
) -> tuple[int, float]:
    """Let one broker after the other go and come back while records are produced.

    Args:
        loop: Of the simulation.
        strike: How a broker goes.
        patient: Whether all have to be in sync again before the next one goes.
        settings: Of the brokers.
    """
    texts = {"replica_fetch_backoff_ms": "100", **settings}
    cluster = Cluster(loop, **texts)
    await cluster.start()
    await ClusterClient(cluster, TOPIC).create_topic()
    producer = NumberedProducer(cluster)
    async with asyncio.timeout(HISTORY_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        producing = tasks.create_task(producer.run(RECORDS))
        while not producing.done():
            await asyncio.sleep(loop.rng.uniform(0.05, 2))
            victim = loop.rng.choice(cluster.machines)
            await strike(victim)
            await asyncio.sleep(loop.rng.uniform(0, 4))
            await victim.start()
            while patient and cluster.in_sync(TOPIC) < len(cluster.machines):
                await asyncio.sleep(RETRY_SECONDS)
        found = await read_all(cluster)
    assert violations(producer.promised, found) == []
    assert len(producer.promised) == RECORDS
    await cluster.stop()
    return len(found), loop.time()


async def _power_cuts(loop: SimLoop) -> tuple[int, float]:
    return await _histories(loop, Machine.cut_power, patient=False, replica_lag_time_max_ms="2000")


async def _wiped_disks(loop: SimLoop) -> tuple[int, float]:
    return await _histories(loop, Machine.wipe, patient=True, **SLOW_COPIES)


async def _lazy_syncs(loop: SimLoop) -> tuple[int, float]:
    async def strike(machine: Machine) -> None:
        await (machine.cut_power() if loop.rng.random() < 0.7 else machine.kill())

    return await _histories(
        loop, strike, patient=True, log_flush_interval_messages="10000", **SLOW_COPIES
    )


async def _rolling_stops(loop: SimLoop) -> tuple[int, float]:
    async def strike(machine: Machine) -> None:
        await machine.stop()
        assert machine.is_relieved(TOPIC)

    return await _histories(loop, strike, patient=True)


async def _stops_and_power_cuts(loop: SimLoop) -> tuple[int, float]:
    async def strike(machine: Machine) -> None:
        await (machine.stop() if loop.rng.random() < 0.6 else machine.cut_power())

    # Leaders go back to where they are preferred all the while.
    often = {"leader_imbalance_check_interval_seconds": "1"}
    return await _histories(loop, strike, patient=False, replica_lag_time_max_ms="2000", **often)


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
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_broker_that_loses_its_power_takes_an_acknowledged_record_with_it(seed: int) -> None:
    run_simulated(seed, _power_cuts)


@pytest.mark.rule("REL-I9")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_broker_with_an_empty_disk_copies_everything_before_it_leads(seed: int) -> None:
    run_simulated(seed, _wiped_disks)


@pytest.mark.rule("REL-I9")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_broker_that_lost_what_it_had_not_synced_is_not_in_sync_any_more(seed: int) -> None:
    run_simulated(seed, _lazy_syncs)


@pytest.mark.rule("REL-C9")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_broker_that_stops_while_all_are_in_sync_is_needed_by_nobody_any_more(seed: int) -> None:
    run_simulated(seed, _rolling_stops)


@pytest.mark.rule("REL-C9")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_stops_between_power_cuts_take_no_acknowledged_record_with_them(seed: int) -> None:
    run_simulated(seed, _stops_and_power_cuts)


def test_the_same_seed_gives_the_same_history() -> None:
    assert run_simulated(3, _power_cuts) == run_simulated(3, _power_cuts)
