"""What an unclean leader costs, over virtual time: what it lacks, and nothing else."""

import asyncio

import pytest

from everlog.model.ids import TopicName
from service.model.cluster import PartitionState
from tests.simulation.cluster import RETRY_SECONDS, Cluster, ClusterClient, Machine
from tests.simulation.loop import SimLoop, run_simulated
from tests.simulation.test_cluster import NumberedProducer, read_all

TOPIC = "simulated"
SECONDS_MAX = 600


def state_at(machine: Machine) -> PartitionState:
    assert machine.node is not None
    topic = machine.node.image.topic(TopicName(TOPIC))
    assert topic is not None
    return topic.partitions[0]


async def _left_behind(loop: SimLoop, *, unclean: bool) -> tuple[Cluster, Machine, Machine, int]:
    """Let one of two replicas stop, the other take more records, and die; start the first again."""
    cluster = Cluster(
        loop,
        brokers=2,
        min_insync_replicas="1",
        replica_fetch_backoff_ms="100",
        unclean_leader_election_enable=str(unclean).lower(),
    )
    await cluster.start()
    await ClusterClient(cluster, TOPIC).create_topic()
    producer = NumberedProducer(cluster)
    await producer.run(20)
    leader = next(each for each in cluster.machines if each.number == state_at(each).leader)
    (behind,) = (each for each in cluster.machines if each is not leader)
    await behind.stop()
    known = len(await read_all(cluster))
    await NumberedProducer(cluster).run(30)
    await leader.cut_power()
    # Its session has ended before anybody looks again.
    await asyncio.sleep(5)
    await behind.start()
    return cluster, leader, behind, known


async def _in_doubt(loop: SimLoop) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        cluster, leader, behind, _ = await _left_behind(loop, unclean=False)
        await asyncio.sleep(10)
        assert state_at(behind).leader is None
        await leader.start()
        assert len(await read_all(cluster)) == 50
    await cluster.stop()


async def _given_up(loop: SimLoop) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        cluster, leader, behind, known = await _left_behind(loop, unclean=True)
        assert known == 20
        assert [number for _, number in await read_all(cluster)] == list(range(20))
        assert state_at(behind).unclean_epoch == state_at(behind).leader_epoch
        await NumberedProducer(cluster).run(5)
        await leader.start()
        while cluster.in_sync(TOPIC) < 2:
            await asyncio.sleep(RETRY_SECONDS)
        expected = [*range(20), *range(5)]
        assert [number for _, number in await read_all(cluster)] == expected
        # The one that was cut leads in its turn, and has the same.
        await behind.stop()
        assert [number for _, number in await read_all(cluster)] == expected
    await cluster.stop()


@pytest.mark.parametrize("seed", range(3))
def test_a_partition_waits_for_the_one_that_has_everything(seed: int) -> None:
    run_simulated(seed, _in_doubt)


@pytest.mark.parametrize("seed", range(3))
def test_where_it_is_allowed_another_one_leads_and_the_rest_is_cut(seed: int) -> None:
    run_simulated(seed, _given_up)
