"""Accepting connections, and ending those that outstay their welcome."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from service.model.serving import Deferred, Peer
from service.net.budget import InflightBudget
from service.net.listener import SWEEP_SECONDS, ClientListener, ListenerLimits
from tests.simulation.loop import LoopClock, run_simulated
from tests.unit.net.fakes import OK, FakeNetwork, a_request

LIMITS = ListenerLimits(
    connections_max=3, connections_per_ip_max=2, idle_seconds_max=60, frame_seconds_max=10
)


class Door:
    """A listener on a loop of virtual time, whose requests are never answered."""

    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.refused: list[tuple[Peer, Exception]] = []
        self.answer: Callable[[], object] = Deferred
        self.listener = ClientListener(
            name="PLAINTEXT",
            network=self.network,
            serve=lambda *_: self.answer(),
            budget=InflightBudget(),
            clock=LoopClock(asyncio.get_running_loop()),
            limits=LIMITS,
            on_refused=lambda peer, reason: self.refused.append((peer, reason)),
        )


@asynccontextmanager
async def opened() -> AsyncIterator[Door]:
    async with asyncio.TaskGroup() as tasks:
        door = Door()
        assert await door.listener.bind("127.0.0.1", 0, tasks) == 4321
        await door.listener.start()
        sweeping = tasks.create_task(door.listener.run())
        yield door
        sweeping.cancel()


def test_connections_above_the_limits_are_closed() -> None:
    async def life(_: object) -> None:
        async with opened() as door:
            _, first = door.network.connect("10.0.0.1")
            door.network.connect("10.0.0.1")
            third, above = door.network.connect("10.0.0.1")
            assert (first.is_aborted, above.is_aborted) == (False, True)
            third.connection_lost(None)
            assert door.refused[0][0].host == "/10.0.0.1"
            door.network.connect("10.0.0.2")
            _, too_many = door.network.connect("10.0.0.3")
            assert too_many.is_aborted

    run_simulated(0, life)


def test_a_place_is_free_again_when_its_connection_ends() -> None:
    async def life(_: object) -> None:
        async with opened() as door:
            for _ in range(10):
                protocol, transport = door.network.connect()
                assert not transport.is_aborted
                protocol.connection_lost(None)
            assert door.listener.connection_count == 0
            assert door.refused == []

    run_simulated(0, life)


@pytest.mark.rule("REL-5.4")
@pytest.mark.parametrize("is_dripping", [False, True])
def test_an_unfinished_request_ends_its_connection(*, is_dripping: bool) -> None:
    async def life(_: object) -> None:
        async with opened() as door:
            protocol, transport = door.network.connect()
            for second in range(int(LIMITS.frame_seconds_max + 2 * SWEEP_SECONDS)):
                if not transport.is_aborted and (is_dripping or second == 0):
                    protocol.get_buffer(-1)[:1] = b"\0"
                    protocol.buffer_updated(1)
                await asyncio.sleep(1)
            assert transport.is_aborted

    run_simulated(0, life)


def test_an_idle_connection_ends_and_one_that_waits_does_not() -> None:
    async def life(_: object) -> None:
        async with opened() as door:
            _, idle = door.network.connect()
            waiting, busy = door.network.connect()
            request = a_request(0)
            waiting.get_buffer(-1)[: len(request)] = request
            waiting.buffer_updated(len(request))
            await asyncio.sleep(LIMITS.idle_seconds_max + 2 * SWEEP_SECONDS)
            assert (idle.is_aborted, busy.is_aborted) == (True, False)

    run_simulated(0, life)


def test_closing_ends_what_is_open() -> None:
    async def life(_: object) -> None:
        async with opened() as door:
            door.answer = lambda: OK
            _, transport = door.network.connect()
            door.listener.close()
            door.listener.close_connections()
            assert door.network.listener.is_closed
            assert transport.is_aborted

    run_simulated(0, life)
