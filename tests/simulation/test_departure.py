"""How long a broker that stops waits for others to take over, over virtual time."""

import asyncio

import pytest
from structlog.testing import capture_logs

from everlog.model.ids import NodeId
from tests.simulation.cluster import Cluster, ClusterClient, Machine
from tests.simulation.loop import SimLoop, run_simulated
from tests.simulation.test_unclean_election import TOPIC, state_at

SECONDS_MAX = 600


async def _begun(loop: SimLoop, **settings: str) -> tuple[Cluster, Machine, Machine]:
    """Start a cluster; return its controller, and a broker besides."""
    cluster = Cluster(loop, **settings)
    await cluster.start()
    await ClusterClient(cluster, TOPIC).create_topic()
    first, second, *_ = cluster.machines
    assert first.node is not None
    assert first.node.image.controller_id == first.number
    return cluster, first, second


async def _without_a_controller(loop: SimLoop) -> None:
    cluster, controller, leaving = await _begun(loop)
    await controller.cut_power()
    with capture_logs() as said:
        await leaving.stop()
    assert "drained" in {each["event"] for each in said}
    assert leaving.is_relieved(TOPIC), "the next controller has seen to it"
    await cluster.stop()


async def _given_up(loop: SimLoop) -> None:
    cluster, controller, leaving = await _begun(
        loop, controlled_shutdown_max_retries="2", controlled_shutdown_retry_backoff_ms="300"
    )
    await controller.cut_power()
    begun = loop.time()
    with capture_logs() as said:
        assert leaving.node is not None
        await leaving.node.hand_over()
    assert loop.time() == pytest.approx(begun + 0.6, abs=0.01)
    (warning,) = [each for each in said if each["event"] == "draining_given_up"]
    assert warning["partitions"] == 1
    assert not leaving.is_relieved(TOPIC)
    await leaving.stop()
    await cluster.stop()


async def _not_wanted(loop: SimLoop) -> None:
    cluster, _, leaving = await _begun(loop, controlled_shutdown_enable="false")
    assert leaving.node is not None
    begun = loop.time()
    await leaving.node.hand_over()
    assert loop.time() == begun
    assert not leaving.node.image.brokers[NodeId(leaving.number)].draining
    await cluster.stop()


async def _alone(loop: SimLoop) -> None:
    cluster = Cluster(loop, brokers=1)
    await cluster.start()
    await ClusterClient(cluster, TOPIC).create_topic()
    (only,) = cluster.machines
    assert only.node is not None
    begun = loop.time()
    await only.node.hand_over()
    assert loop.time() == begun
    assert state_at(only).leader == only.number
    await cluster.stop()


async def _all_at_once(loop: SimLoop) -> None:
    cluster, _, _ = await _begun(loop)
    begun = loop.time()
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for machine in cluster.machines:
            tasks.create_task(machine.stop())
    assert loop.time() - begun < 5, "nobody has waited until a try was over"
    for machine in cluster.machines:
        await machine.start()
    async with asyncio.timeout(SECONDS_MAX):
        while cluster.in_sync(TOPIC) < len(cluster.machines):
            await asyncio.sleep(0.1)
    await cluster.stop()


def test_who_stops_waits_for_the_next_controller() -> None:
    run_simulated(1, _without_a_controller)


def test_who_is_not_relieved_goes_when_its_tries_are_over() -> None:
    run_simulated(1, _given_up)


def test_who_shall_not_hand_over_waits_for_nobody() -> None:
    run_simulated(1, _not_wanted)


def test_a_broker_alone_waits_for_nobody() -> None:
    run_simulated(1, _alone)


@pytest.mark.parametrize("seed", range(5))
def test_brokers_that_stop_together_do_not_wait_for_each_other(seed: int) -> None:
    run_simulated(seed, _all_at_once)
