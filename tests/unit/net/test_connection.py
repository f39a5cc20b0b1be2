"""One connection: the order of responses, budgets, and ends."""

import asyncio
import struct
from typing import Any

import pytest

from service.model.serving import ConnectionClosingError, Deferred, HeldBack
from service.net.connection import REQUESTS_IN_FLIGHT_MAX
from service.protocol.errors import EncodeError, ProtocolError
from tests.unit.net.fakes import OK, Line, a_request


async def test_responses_leave_in_the_order_of_their_requests() -> None:
    late = {number: Deferred() for number in range(3)}
    line = Line(late.__getitem__)
    line.request(0, 1, 2)
    late[2].resolve(OK)
    late[1].resolve(OK)
    await line.settled()
    assert line.transport.answers() == []
    late[0].resolve(OK)
    await line.settled()
    assert line.transport.answers() == [0, 1, 2]
    assert line.transport.writes == 1


async def test_a_deferred_that_is_resolved_already_is_answered() -> None:
    def answer(_: int) -> Deferred:
        done = Deferred()
        done.resolve(OK)
        done.resolve("later ones are ignored")
        return done

    line = Line(answer)
    line.request(5)
    await line.settled()
    assert line.transport.answers() == [5]


async def test_a_request_without_an_answer_keeps_the_order() -> None:
    line = Line(lambda number: None if number == 1 else OK)
    line.request(0, 1, 2)
    await line.settled()
    assert line.transport.answers() == [0, 2]
    assert line.budget.used == 0


async def test_a_coroutine_runs_to_its_end_before_the_next_request_begins() -> None:
    began: list[int] = []
    gate = Deferred()

    async def slowly() -> Any:
        while not gate.is_resolved:
            await line.settled()
        return OK

    def answer(number: int) -> Any:
        began.append(number)
        return slowly() if number == 0 else OK

    line = Line(answer)
    line.request(0, 1, 2)
    await line.settled()
    assert began == [0]
    assert not line.transport.is_reading
    gate.resolve(None)
    await line.tasks[0]
    await line.settled()
    assert began == [0, 1, 2]
    assert line.transport.answers() == [0, 1, 2]
    assert line.transport.is_reading


@pytest.mark.parametrize("error", [ProtocolError("bad"), ConnectionClosingError("no answer")])
async def test_a_refusal_closes_the_connection(error: Exception) -> None:
    def answer(_: int) -> Any:
        raise error

    line = Line(answer)
    line.request(0)
    assert line.transport.is_aborted
    line.connection.connection_lost(None)
    assert line.ended == [error]
    assert line.budget.used == 0


async def test_a_coroutine_that_refuses_closes_the_connection() -> None:
    async def refuse() -> Any:
        raise ConnectionClosingError("no answer")

    line = Line(lambda _: refuse())
    line.request(0)
    await line.tasks[0]
    assert line.transport.is_aborted


async def test_a_deferred_refusal_closes_the_connection() -> None:
    late = Deferred()
    line = Line(lambda _: late)
    line.request(0)
    late.resolve(ConnectionClosingError("refused"))
    await line.settled()
    assert line.transport.is_aborted
    assert line.transport.answers() == []


async def test_an_answer_that_cannot_be_written_closes_the_connection() -> None:
    late = Deferred()
    line = Line(lambda _: late)
    line.request(0)
    late.resolve("no message")
    assert line.transport.is_aborted
    line.connection.connection_lost(None)
    assert isinstance(line.ended[0], EncodeError)


@pytest.mark.parametrize("size", [0, -1, 1 << 30])
async def test_a_bad_size_closes_the_connection(size: int) -> None:
    line = Line(lambda _: OK)
    line.receive(struct.pack(">i", size) + b"x" * 20)
    assert line.transport.is_aborted


async def test_answers_after_the_end_are_dropped() -> None:
    late = Deferred()
    line = Line(lambda _: late)
    line.request(0)
    line.connection.connection_lost(None)
    assert line.budget.used == 0
    late.resolve(OK)
    await line.settled()
    assert line.transport.written == b""
    assert line.budget.used == 0


async def test_reading_stops_while_the_budget_is_spent() -> None:
    late = [Deferred() for _ in range(4)]
    line = Line(late.__getitem__, budget_bytes=2 * len(a_request(0)))
    line.request(0, 1, 2)
    assert not line.transport.is_reading
    assert line.connection.is_paused
    late[0].resolve(OK)
    await line.settled()
    assert line.transport.is_reading


async def test_too_many_requests_in_flight_wait() -> None:
    late: dict[int, Deferred] = {}

    def answer(number: int) -> Deferred:
        late[number] = Deferred()
        return late[number]

    line = Line(answer)
    count = REQUESTS_IN_FLIGHT_MAX + 10
    for number in range(count):
        line.request(number)
    assert len(late) == REQUESTS_IN_FLIGHT_MAX
    assert not line.transport.is_reading
    for number in range(count):
        late[number].resolve(OK)
        await line.settled()
    assert line.transport.answers() == list(range(count))
    assert line.transport.is_reading


async def test_a_client_that_does_not_read_is_not_read() -> None:
    line = Line(lambda _: OK)
    line.connection.pause_writing()
    assert not line.transport.is_reading
    line.connection.resume_writing()
    assert line.transport.is_reading


@pytest.mark.rule("REL-5.4")
async def test_the_age_of_a_request_counts_from_its_first_byte() -> None:
    line = Line(lambda _: OK)
    whole = a_request(0)
    line.receive(whole)
    assert line.connection.frame_began is None
    began = line.clock.monotonic()
    for byte in whole[:-1]:
        line.receive(bytes([byte]))
        assert line.connection.frame_began == began
        line.clock.advance(1000)
    line.receive(whole[-1:] + whole[:5])
    assert line.connection.frame_began == line.clock.monotonic()


async def test_a_pause_of_the_broker_is_not_the_clients_fault() -> None:
    line = Line(lambda _: OK)
    line.receive(a_request(0)[:6])
    line.connection.pause()
    line.clock.advance(100_000)
    line.connection.resume()
    assert line.connection.frame_began == line.clock.monotonic()


async def test_a_request_that_cannot_be_read_costs_no_budget() -> None:
    line = Line(lambda _: OK)
    unknown = struct.pack(">ihhih", 10, 9999, 0, 7, -1)
    line.receive(unknown)
    assert line.transport.is_aborted
    line.connection.connection_lost(None)
    assert line.budget.used == 0


async def test_what_follows_a_refused_request_is_not_served() -> None:
    served: list[int] = []

    def answer(number: int) -> Any:
        served.append(number)
        raise ProtocolError("bad")

    line = Line(answer)
    line.request(0, 1, 2)
    line.connection.connection_lost(None)
    assert served == [0]
    assert line.budget.used == 0


HOLD_SECONDS = 0.02


async def test_who_is_held_back_is_answered_first_and_waits_with_the_next_request() -> None:
    began: list[int] = []

    def answer(number: int) -> Any:
        began.append(number)
        return HeldBack(OK, HOLD_SECONDS) if number == 0 else OK

    line = Line(answer)
    line.request(0, 1)
    await line.settled()
    assert line.transport.answers() == [0]
    assert began == [0]
    assert not line.transport.is_reading
    await asyncio.sleep(2 * HOLD_SECONDS)
    assert line.transport.answers() == [0, 1]
    assert line.transport.is_reading
    assert not line.connection.is_paused
    assert line.budget.used == 0


async def test_a_response_that_comes_later_may_be_held_back_too() -> None:
    late = Deferred()
    line = Line(lambda number: HeldBack(late, HOLD_SECONDS) if number == 0 else OK)
    line.request(0)
    assert not line.transport.is_reading
    await asyncio.sleep(2 * HOLD_SECONDS)
    assert line.transport.is_reading
    late.resolve(OK)
    await line.settled()
    assert line.transport.answers() == [0]


async def test_what_was_on_its_way_waits_once_and_not_once_each() -> None:
    line = Line(lambda _: HeldBack(OK, HOLD_SECONDS))
    line.request(*range(50))
    await asyncio.sleep(3 * HOLD_SECONDS)
    assert line.transport.answers() == list(range(50))
    await asyncio.sleep(2 * HOLD_SECONDS)
    assert line.transport.is_reading
    assert not line.connection.is_paused


async def test_a_connection_that_ends_while_it_is_held_back_leaves_nothing() -> None:
    line = Line(lambda _: HeldBack(OK, HOLD_SECONDS))
    line.request(0, 1)
    line.connection.connection_lost(None)
    await asyncio.sleep(2 * HOLD_SECONDS)
    assert line.budget.used == 0
    assert not line.transport.is_reading


async def test_nothing_is_served_of_a_connection_that_was_closed_while_held_back() -> None:
    served: list[int] = []

    def answer(number: int) -> Any:
        served.append(number)
        return HeldBack(OK, HOLD_SECONDS)

    line = Line(answer)
    line.request(0, 1)
    line.connection.close()
    await asyncio.sleep(2 * HOLD_SECONDS)
    assert served == [0]
