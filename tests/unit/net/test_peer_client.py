"""Asking another broker, over a network that loses and delays."""

import asyncio
import random
from itertools import pairwise

import pytest

from service.net.peer_connection import PeerLostError
from service.protocol.errors import EncodeError
from service.protocol.messages.heartbeat import HeartbeatRequest
from service.protocol.schema import Request
from tests.examples import TIMES
from tests.unit.net.scripted_peer import (
    VERSION,
    Line,
    RequestHeader,
    Scene,
    echo,
    honest,
    play,
    silent,
)

WAIT_MIN = 0.05
WAIT_MAX = 1.0
SOON = 0.05
"""Longer than a connection and a response take here, and shorter than any wait."""


def test_many_requests_share_one_connection_and_each_gets_its_own_response() -> None:
    async def life(scene: Scene) -> None:
        asked = [scene.asking(number) for number in range(50)]
        assert await asyncio.gather(*asked) == list(range(50))
        assert await scene.ask(50) == 50
        assert len(scene.network.attempts) == 1
        assert {header.client_id for header, _ in scene.peer.requests} == {"me"}

    play(life)


def test_nobody_at_the_address_is_a_lost_peer() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.stop()
        with pytest.raises(PeerLostError, match="peer:9092"):
            await scene.ask()

    play(life)


def test_a_connection_that_has_ended_is_made_again() -> None:
    async def life(scene: Scene) -> None:
        assert await scene.ask(1) == 1
        scene.peer.lines[0].transport.abort()
        await asyncio.sleep(SOON)
        began = scene.loop.time()
        assert await scene.ask(2) == 2
        assert scene.loop.time() - began < SOON

    play(life)


# ---- attempts that fail


def test_attempts_that_fail_come_ever_more_slowly() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.stop()
        for _ in range(12):
            with pytest.raises(PeerLostError):
                await scene.ask()
        assert _waits_grow(scene.network.attempts)

    play(life)


def test_a_peer_that_closes_each_connection_is_not_asked_faster() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.on_connected = lambda line: line.transport.abort()
        for _ in range(12):
            with pytest.raises(PeerLostError):
                await scene.ask()
        assert _waits_grow(scene.network.attempts)

    play(life)


def _waits_grow(attempts: list[float]) -> bool:
    waits = [later - earlier for earlier, later in pairwise(attempts)]
    longest = [min(WAIT_MAX, WAIT_MIN * 2**number) for number in range(len(waits))]
    pairs = list(zip(waits, longest, strict=True))
    return len(pairs) == 11 and all(full / 2 <= wait < full + SOON for wait, full in pairs)


def test_a_response_ends_the_waiting() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.stop()
        for _ in range(8):
            with pytest.raises(PeerLostError):
                await scene.ask()
        await scene.peer.start()
        assert await scene.ask(1) == 1
        scene.peer.lines[-1].transport.abort()
        await asyncio.sleep(SOON)
        before = len(scene.network.attempts)
        assert await scene.ask(2, seconds=SOON) == 2
        assert len(scene.network.attempts) == before + 1
        scene.peer.stop()
        await asyncio.sleep(SOON)
        for _ in range(2):
            with pytest.raises(PeerLostError):
                await scene.ask()
        assert scene.network.attempts[-1] - scene.network.attempts[-2] < WAIT_MIN + SOON

    play(life)


def test_a_connection_that_has_ended_before_it_is_used_is_a_failed_attempt() -> None:
    async def life(scene: Scene) -> None:
        scene.network.is_cut = True
        results = await asyncio.gather(*map(scene.ask, range(5)), return_exceptions=True)
        assert all(isinstance(result, PeerLostError) for result in results)
        assert len(scene.network.attempts) == 1

    play(life)


def test_requests_shorter_than_the_wait_do_not_put_off_the_next_attempt() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.stop()
        for _ in range(8):
            with pytest.raises(PeerLostError):
                await scene.ask()
        await scene.peer.start()
        began = scene.loop.time()
        while scene.loop.time() - began < 2 * WAIT_MAX:
            try:
                assert await scene.ask(3, seconds=0.1) == 3
            except PeerLostError:
                continue
            break
        assert scene.loop.time() - began < WAIT_MAX + 0.1

    play(life)


def test_whoever_waits_for_an_attempt_shares_its_failure() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.stop()
        asked = [scene.asking(number) for number in range(20)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, PeerLostError) for result in results)
        assert len(scene.network.attempts) == 1

    play(life)


def test_an_attempt_that_its_request_gives_up_is_made_again_by_the_next() -> None:
    async def life(scene: Scene) -> None:
        scene.network.is_stuck = True
        first, second = scene.asking(1), scene.asking(2)
        await asyncio.sleep(SOON)
        scene.network.is_stuck = False
        first.cancel()
        assert await second == 2
        assert len(scene.network.attempts) == 2

    play(life)


def test_a_connection_that_never_comes_is_given_up() -> None:
    async def life(scene: Scene) -> None:
        scene.network.is_stuck = True
        with pytest.raises(PeerLostError, match="no connection in time"):
            await scene.ask(seconds=30)
        assert scene.loop.time() == pytest.approx(3)
        with pytest.raises(PeerLostError, match="not asked within 2 s"):
            await scene.ask(seconds=2)
        assert scene.loop.time() == pytest.approx(5)

    play(life, connect_seconds_max=3.0)


# ---- responses that do not come


def test_a_late_response_is_not_taken_for_another() -> None:
    async def life(scene: Scene) -> None:
        def late(line: Line, header: RequestHeader, request: Request) -> None:
            scene.loop.call_later(1.0, line.send, echo(header, request))

        assert await scene.ask(1) == 1
        scene.peer.reply = late
        with pytest.raises(PeerLostError, match="no response to HEARTBEAT in time"):
            await scene.ask(2, seconds=0.99)
        scene.peer.reply = honest
        assert await scene.ask(3) == 3
        assert len(scene.peer.lines) == 2
        assert not scene.peer.lines[0].is_open

    play(life)


def test_all_that_are_in_flight_are_lost_with_one_that_is_not_answered_in_time() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.reply = silent
        patient, hasty = scene.asking(1), scene.asking(2, seconds=5)
        results = await asyncio.gather(patient, hasty, return_exceptions=True)
        assert [type(result) for result in results] == [PeerLostError, PeerLostError]
        assert scene.loop.time() == pytest.approx(5)

    play(life)


def test_a_cancelled_request_leaves_the_order_of_the_others() -> None:
    async def life(scene: Scene) -> None:
        asked = [scene.asking(number) for number in range(9)]
        await _have_come(scene, 1)
        for each in asked[1::2]:
            each.cancel()
        assert await asyncio.gather(*asked[::2]) == [0, 2, 4, 6, 8]
        assert await scene.ask(9) == 9
        assert len(scene.peer.lines) == 1

    play(life)


def test_requests_that_nobody_waits_for_do_not_hold_up_a_silent_peer_for_ever() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.reply = silent
        asked = [scene.asking(number, seconds=5) for number in range(2)]
        await _have_come(scene, 2)
        for each in asked:
            each.cancel()
        scene.peer.reply = honest
        assert await scene.ask(2, seconds=6) == 2
        assert len(scene.peer.lines) == 2

    play(life, requests_in_flight_max=2)


def test_an_answered_request_is_not_overdue_later() -> None:
    async def life(scene: Scene) -> None:
        assert await scene.ask(1, seconds=1) == 1
        await asyncio.sleep(2)
        assert await scene.ask(2) == 2
        assert len(scene.peer.lines) == 1

    play(life)


def test_no_more_requests_are_in_flight_than_are_allowed() -> None:
    async def life(scene: Scene) -> None:
        held: list[tuple[Line, bytes]] = []
        scene.peer.reply = lambda line, *asked: held.append((line, echo(*asked)))
        asked = [scene.asking(number) for number in range(7)]
        await asyncio.sleep(1)
        assert scene.peer.numbers == [0, 1, 2]
        asked[0].cancel()
        await asyncio.sleep(1)
        assert scene.peer.numbers == [0, 1, 2], "it still has its place"
        for line, response in held:
            line.send(response)
        await asyncio.sleep(1)
        assert scene.peer.numbers == [0, 1, 2, 3, 4, 5]
        scene.peer.lines[0].transport.abort()
        results = await asyncio.gather(*asked[1:], return_exceptions=True)
        scene.peer.reply = honest
        assert results[:2] == [1, 2]
        assert [type(result) for result in results[2:5]] == [PeerLostError] * 3
        assert await asyncio.gather(*map(scene.ask, range(7))) == list(range(7))

    play(life, requests_in_flight_max=3)


def test_a_request_that_gets_no_place_in_time_does_no_harm() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.reply = silent
        first = scene.asking(1)
        await _have_come(scene, 1)
        with pytest.raises(PeerLostError, match="not asked within 1 s"):
            await scene.ask(2, seconds=1)
        assert not first.done()
        line = scene.peer.lines[0]
        line.send(echo(*scene.peer.requests[0]))
        assert await first == 1

    play(life, requests_in_flight_max=1)


def test_what_a_version_cannot_carry_is_the_callers_fault_and_costs_nothing() -> None:
    async def life(scene: Scene) -> None:
        broken = HeartbeatRequest(generation_id=2**40)
        for _ in range(3):
            with pytest.raises(EncodeError):
                await scene.client.request(broken, version=VERSION, timeout_seconds=1)
        assert await scene.ask(1) == 1
        assert len(scene.peer.lines) == 1

    play(life, requests_in_flight_max=1)


# ---- the end


def test_closing_ends_every_wait_at_once() -> None:
    async def life(scene: Scene) -> None:
        scene.peer.reply = silent
        asked = [scene.asking(number) for number in range(3)]
        await _have_come(scene, 2)
        began = scene.loop.time()
        scene.client.close()
        scene.client.close()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, PeerLostError) for result in results)
        with pytest.raises(PeerLostError, match="this side has closed"):
            await scene.ask()
        assert scene.loop.time() == began
        await asyncio.sleep(SOON)
        assert not scene.peer.lines[0].is_open

    play(life, requests_in_flight_max=2)


@pytest.mark.parametrize("is_waiting_to_try_again", [False, True])
def test_closing_ends_an_attempt_too(*, is_waiting_to_try_again: bool) -> None:
    async def life(scene: Scene) -> None:
        if is_waiting_to_try_again:
            scene.peer.stop()
            for _ in range(8):
                with pytest.raises(PeerLostError):
                    await scene.ask()
        scene.network.is_stuck = True
        asked = [scene.asking(number) for number in range(3)]
        await asyncio.sleep(0.1)
        began = scene.loop.time()
        scene.client.close()
        await asyncio.sleep(0)
        scene.client.close()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, PeerLostError) for result in results)
        assert scene.loop.time() == began
        assert not scene.peer.lines

    play(life)


# ---- all of it


def test_whatever_happens_a_response_is_that_of_its_request() -> None:
    async def life(scene: Scene) -> None:
        rng = scene.loop.rng

        def moody(line: Line, header: RequestHeader, request: Request) -> None:
            response = echo(header, request)
            mood = rng.random()
            if mood < 0.02:
                line.send(response[: rng.randrange(len(response))])
                line.transport.abort()
            elif mood < 0.04:
                line.send(rng.randbytes(40))
            elif mood > 0.06:
                line.send(response)

        scene.peer.reply = moody
        outcomes = await asyncio.gather(*(_asker(scene, rng, each) for each in range(10)))
        answered = sum(outcomes)
        assert answered > 20 * TIMES
        scene.peer.reply = honest
        assert await scene.ask(1) == 1

    play(life, requests_in_flight_max=4)


async def _asker(scene: Scene, rng: random.Random, name: int) -> int:
    """Ask and give up at random; return how often there was a response."""
    answered = 0
    for count in range(20 * TIMES):
        number = name * 1_000_000 + count
        asked = scene.asking(number, seconds=rng.choice([0.01, 0.1, 3.0]))
        if rng.random() < 0.1:
            await asyncio.sleep(rng.uniform(0, 0.01))
            asked.cancel()
        await asyncio.wait([asked])
        if not asked.cancelled() and asked.exception() is None:
            assert asked.result() == number
            answered += 1
        elif not asked.cancelled():
            assert isinstance(asked.exception(), PeerLostError)
    return answered


async def _have_come(scene: Scene, count: int) -> None:
    while len(scene.peer.requests) < count:
        await asyncio.sleep(0.0001)
