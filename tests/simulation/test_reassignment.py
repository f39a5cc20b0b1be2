"""Replicas move again and again, under load, while brokers lose their power."""

import asyncio
from contextlib import suppress

import pytest

from everlog.model.ids import TopicName
from service.model.cluster import PartitionState
from service.protocol.api import ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from tests.fault.idempotent_load import violations
from tests.simulation.client import DisconnectedError, SimClient
from tests.simulation.cluster import RETRY_SECONDS, Cluster, ClusterClient, Machine
from tests.simulation.loop import SimLoop, run_simulated
from tests.simulation.test_cluster import (
    HISTORY_SECONDS_MAX,
    RECORDS,
    SEEDS,
    SLOW_COPIES,
    TOPIC,
    NumberedProducer,
    read_all,
)

BROKERS = 5
MOVES_MIN = 2
ANSWERS = {
    ErrorCode.NONE,
    ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
    ErrorCode.INVALID_REPLICA_ASSIGNMENT,
}
"""What may come of a wish: a cancelled one may be done, and the last one in sync cannot go."""


class Mover:
    """Wants other replicas every now and then, asking any broker."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clients = {
            machine.number: SimClient(cluster.network, machine.port) for machine in cluster.machines
        }
        self.begun = self.cancelled = 0

    async def run(self) -> None:
        """Move until cancelled."""
        rng = self._cluster.loop.rng
        while True:
            await asyncio.sleep(rng.uniform(0, 3))
            if rng.random() < 0.2:
                self.cancelled += await self.want(None) == ErrorCode.NONE
            else:
                target = rng.sample(list(self._clients), rng.randint(1, 3))
                self.begun += await self.want(target) == ErrorCode.NONE

    async def want(self, target: list[int] | None) -> int | None:
        """Ask once; return what came of it, or None if nobody knows."""
        partition = ReassignablePartition(partition_index=0, replicas=target)
        topic = ReassignableTopic(name=TOPIC, partitions=[partition])
        request = AlterPartitionReassignmentsRequest(topics=[topic])
        number = self._cluster.loop.rng.choice(list(self._clients))
        with suppress(DisconnectedError):
            answer = await self._clients[number].request(
                ApiKey.ALTER_PARTITION_REASSIGNMENTS, 0, request
            )
            if answer.error_code == ErrorCode.NONE:
                code = int(answer.responses[0].partitions[0].error_code)
                assert code in ANSWERS, answer
                return code
        return None


def state_of(machine: Machine) -> PartitionState:
    assert machine.node is not None
    found = machine.node.image.partition(TopicName(TOPIC), 0)
    assert found is not None
    return found


def is_settled(cluster: Cluster) -> bool:
    """Whether all brokers know of the same replicas, in sync, and who is none has no log."""
    states = [state_of(machine) for machine in cluster.machines]
    if any(state != states[0] for state in states) or states[0].is_moving:
        return False
    for machine in cluster.machines:
        assert machine.node is not None
        has_log = any(
            log.partition.partition == 0 and log.log_end == RECORDS for log in machine.node.hot.logs
        )
        if has_log is not (machine.number in states[0].replicas):
            return False
    return {*states[0].isr} == {*states[0].replicas}


async def _moves(loop: SimLoop) -> tuple[int, int, int, float]:
    settings = {"replica_fetch_backoff_ms": "100", "replica_lag_time_max_ms": "2000"}
    cluster = Cluster(loop, brokers=BROKERS, **settings, **SLOW_COPIES)
    await cluster.start()
    await ClusterClient(cluster, TOPIC).create_topic()
    producer, mover = NumberedProducer(cluster), Mover(cluster)
    async with asyncio.timeout(HISTORY_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        producing = tasks.create_task(producer.run(RECORDS))
        moving = tasks.create_task(mover.run())
        while not producing.done() or mover.begun < MOVES_MIN:
            await asyncio.sleep(loop.rng.uniform(0.05, 3))
            victim = loop.rng.choice(cluster.machines)
            await (victim.cut_power() if loop.rng.random() < 0.7 else victim.stop())
            await asyncio.sleep(loop.rng.uniform(0, 4))
            await victim.start()
        moving.cancel()
        while await mover.want([1, 2, 3]) != ErrorCode.NONE:
            await asyncio.sleep(RETRY_SECONDS)
        while not is_settled(cluster):
            await asyncio.sleep(RETRY_SECONDS)
        assert {*state_of(cluster.machines[0]).replicas} == {1, 2, 3}
        found = await read_all(cluster)
    assert violations(producer.promised, found) == []
    assert len(producer.promised) == RECORDS

    await cluster.stop()
    return mover.begun, mover.cancelled, len(found), loop.time()


@pytest.mark.rule("KIP-455")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_replicas_move_between_brokers_that_lose_their_power_and_no_record_is_lost(
    seed: int,
) -> None:
    run_simulated(seed, _moves)
