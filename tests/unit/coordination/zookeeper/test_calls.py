import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from kazoo.exceptions import BadVersionError as KazooBadVersionError

from service.coordination.metadata_store import (
    BadVersionError,
    ConnectionLostError,
    SessionExpiredError,
)
from service.coordination.zookeeper import calls
from service.coordination.zookeeper.calls import IN_FLIGHT_MAX, CallQueue
from service.coordination.zookeeper.inbox import Inbox
from tests.simulation.loop import run_simulated


class Answer:
    """What kazoo returns for a call."""

    def __init__(self) -> None:
        self.value: object = None
        self.exception: BaseException | None = None
        self._tell: Callable[[Any], None] | None = None

    def rawlink(self, callback: Callable[[Any], None]) -> None:
        self._tell = callback

    def give(self, value: object = None, error: BaseException | None = None) -> None:
        assert self._tell is not None
        self.value, self.exception = value, error
        self._tell(self)


class Kazoo:
    """Takes calls, and answers when the test says so."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def start(self) -> Answer:
        self.answers.append(Answer())
        return self.answers[-1]


def queue(*, answer_seconds_max: float = 9.0) -> CallQueue:
    inbox = Inbox(asyncio.get_running_loop())
    return CallQueue(inbox=inbox, answer_seconds_max=answer_seconds_max)


@pytest.mark.rule("REL-K10")
async def test_kazoo_has_a_limited_number_of_calls_at_once_and_all_get_their_turn() -> None:
    kazoo, waiting = Kazoo(), queue()
    waiting.open()
    answers = [waiting.submit("/", kazoo.start) for _ in range(3 * IN_FLIGHT_MAX)]
    assert len(kazoo.answers) == IN_FLIGHT_MAX
    for number, _ in enumerate(answers):
        kazoo.answers[number].give(number)
        await asyncio.sleep(0)
        assert len(kazoo.answers) <= number + 1 + IN_FLIGHT_MAX
    assert await asyncio.gather(*answers) == list(range(3 * IN_FLIGHT_MAX))


async def test_nothing_is_sent_without_a_connection_and_then_all_in_order() -> None:
    kazoo, waiting, sent = Kazoo(), queue(), list[int]()

    def start(number: int) -> Callable[[], Answer]:
        return lambda: (sent.append(number), kazoo.start())[1]

    for number in range(3):
        waiting.submit("/", start(number))
    assert sent == []
    waiting.open()
    assert sent == [0, 1, 2]
    waiting.pause()
    waiting.submit("/", start(3))
    assert sent == [0, 1, 2]
    waiting.open()
    assert sent == [0, 1, 2, 3]


async def test_an_error_of_kazoo_is_the_ports_error() -> None:
    kazoo, waiting = Kazoo(), queue()
    waiting.open()
    answer = waiting.submit("/a", kazoo.start)
    kazoo.answers[0].give(error=KazooBadVersionError())
    with pytest.raises(BadVersionError) as refusal:
        await answer
    assert refusal.value.path == "/a"


def test_a_call_that_nobody_answers_fails_after_the_limit_and_is_not_sent_later() -> None:
    async def scenario() -> list[float]:
        loop, kazoo, waiting = asyncio.get_running_loop(), Kazoo(), queue(answer_seconds_max=9.0)
        waiting.open()
        begun = loop.time()
        failed_after: list[float] = []
        sent = waiting.submit("/sent", kazoo.start)
        await asyncio.sleep(1.0)
        waiting.pause()
        unsent = waiting.submit("/unsent", kazoo.start)
        for answer in (sent, unsent):
            with pytest.raises(ConnectionLostError, match="no answer of ZooKeeper in 9 seconds"):
                await answer
            failed_after.append(loop.time() - begun)
        waiting.open()
        assert len(kazoo.answers) == 1
        # The late answer of the other one finds nobody, and makes room.
        kazoo.answers[0].give("late")
        await asyncio.sleep(0)
        again = waiting.submit("/again", kazoo.start)
        kazoo.answers[1].give("in time")
        assert await again == "in time"
        return failed_after

    found = run_simulated(1, lambda _loop: scenario())
    assert found == pytest.approx([9.0, 10.0], abs=0.01)


def test_many_calls_may_take_longer_than_one_as_long_as_there_are_answers() -> None:
    async def scenario() -> list[int]:
        kazoo, waiting = Kazoo(), queue(answer_seconds_max=9.0)
        waiting.open()
        answers = [waiting.submit("/", kazoo.start) for _ in range(2 * IN_FLIGHT_MAX)]
        for number, _ in enumerate(answers):
            await asyncio.sleep(8.0)
            kazoo.answers[number].give(number)
        return await asyncio.gather(*answers)

    found = run_simulated(1, lambda _loop: scenario())
    assert found == list(range(2 * IN_FLIGHT_MAX))


async def test_a_call_whose_caller_has_gone_is_not_sent() -> None:
    kazoo, waiting = Kazoo(), queue()
    gone, kept = waiting.submit("/gone", kazoo.start), waiting.submit("/kept", kazoo.start)
    gone.cancel()
    waiting.open()
    assert len(kazoo.answers) == 1
    kazoo.answers[0].give("kept")
    assert await kept == "kept"


async def test_the_end_of_the_session_ends_sent_and_unsent_calls() -> None:
    kazoo, waiting = Kazoo(), queue()
    waiting.open()
    answers = [waiting.submit(f"/{number}", kazoo.start) for number in range(IN_FLIGHT_MAX + 1)]
    waiting.close(SessionExpiredError)
    assert [str(each.exception()) for each in answers] == [f"/{n}" for n in range(len(answers))]
    kazoo.answers[0].give("late")
    await asyncio.sleep(0)
    assert len(kazoo.answers) == IN_FLIGHT_MAX


async def test_calls_beyond_the_limit_are_refused_at_once() -> None:
    kazoo, inbox = Kazoo(), Inbox(asyncio.get_running_loop())
    waiting = CallQueue(inbox=inbox, answer_seconds_max=9.0, waiting_max=3)
    answers = [waiting.submit("/", kazoo.start) for _ in range(3)]
    with pytest.raises(ConnectionLostError, match="3 calls wait"):
        await waiting.submit("/one-more", kazoo.start)
    for answer in answers:
        answer.cancel()
    waiting.close(SessionExpiredError)
    assert calls.IN_FLIGHT_MAX < 270  # see its docstring
