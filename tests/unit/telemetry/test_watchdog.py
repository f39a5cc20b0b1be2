import asyncio
import threading

import pytest

from service.app.system import SystemClock
from service.telemetry.watchdog import Deadline, LoopLag, Watchdog


def _looks(lag: LoopLag, times: list[float], *, has_answered: bool = False) -> list[bool]:
    return [lag.look(now, has_answered=has_answered) for now in times]


def test_a_loop_that_answers_is_never_stuck() -> None:
    lag = LoopLag(warn_seconds=1.0, ask_seconds=0.25)
    assert not any(_looks(lag, [0.0, 0.25, 100.0], has_answered=True))
    assert (lag.stuck_seconds, lag.worst_seconds, lag.stalls) == (0.0, 0.0, 0)


@pytest.mark.rule("BP-6.7")
def test_a_stuck_loop_is_complained_about_once() -> None:
    lag = LoopLag(warn_seconds=1.0, ask_seconds=0.25)
    complaints = _looks(lag, [each / 4 for each in range(13)])
    assert complaints.count(True) == 1
    assert complaints.index(True) == 4
    assert lag.stalls == 1
    assert lag.worst_seconds == 3.0


@pytest.mark.rule("BP-6.7")
def test_time_in_which_the_watcher_did_not_run_does_not_count() -> None:
    lag = LoopLag(warn_seconds=1.0, ask_seconds=0.25)
    assert not any(_looks(lag, [0.0, 0.25, 3600.0]))
    assert lag.stuck_seconds == 0.75


def test_an_answer_ends_a_stall_and_the_next_one_is_another() -> None:
    lag = LoopLag(warn_seconds=0.5, ask_seconds=0.25)
    assert any(_looks(lag, [0.0, 0.25, 0.5]))
    lag.look(0.75, has_answered=True)
    assert lag.stuck_seconds == 0.0
    assert any(_looks(lag, [1.0, 1.25, 1.5]))
    assert lag.stalls == 2


async def test_the_thread_sees_a_loop_that_is_stuck() -> None:
    seen = threading.Event()
    watchdog = Watchdog(
        clock=SystemClock(),
        warn_seconds=0.01,
        ask_seconds=0.002,
        on_stuck=lambda _seconds: seen.set(),
    )
    watchdog.start()
    try:
        # The loop stands still here, until the thread has seen that it does.
        assert seen.wait(30)
    finally:
        watchdog.stop()
    assert watchdog.lag.stalls == 1
    await asyncio.sleep(0)


async def test_deadlines_are_met_once_in_a_stall_and_in_their_order() -> None:
    acted, done = list[str](), threading.Event()

    def last(_seconds: float) -> None:
        acted.append("second")
        done.set()

    watchdog = Watchdog(
        clock=SystemClock(),
        warn_seconds=0.01,
        ask_seconds=0.002,
        on_stuck=lambda _seconds: acted.append("warned"),
    )
    watchdog.arm([Deadline(0.03, lambda _seconds: acted.append("first")), Deadline(0.06, last)])
    watchdog.start()
    try:
        # The loop stands still here.
        assert done.wait(30)
    finally:
        watchdog.stop()
    assert acted == ["warned", "first", "second"]
    await asyncio.sleep(0)
