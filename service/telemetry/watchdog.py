"""Notices when the event loop is stuck, and for how long (BLUEPRINT §6 rule 7).

A thread asks the loop for a sign every now and then. Time counts only while the thread itself ran:
when the whole process or machine stood still, the loop is not to blame. By itself it only
complains. Whoever holds something for others, such as a session that kazoo's thread keeps alive
whatever the loop does (REL-K7), arms it with deadlines.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

import structlog

from everlog.model.clock import Clock

ASK_SECONDS = 0.25
"""A quarter of a second is what a producer's linger and a consumer's wait add up to at most."""

_STACK_FRAMES = 5

_log = structlog.get_logger(__name__)


class LoopLag:
    """How long the loop has owed a sign, in time in which the watching thread ran: pure.

    Args:
        warn_seconds: A debt of so much is complained about, once.
        ask_seconds: Time between two looks; what a look comes later than twice that is not counted.

    Attributes:
        stuck_seconds: The present debt.
        worst_seconds: The longest one ever.
        stalls: Debts that were complained about.
    """

    def __init__(self, *, warn_seconds: float, ask_seconds: float = ASK_SECONDS) -> None:
        self.stuck_seconds = 0.0
        self.worst_seconds = 0.0
        self.stalls = 0
        self._warn_seconds = warn_seconds
        self._step_max = 2 * ask_seconds
        self._looked_at: float | None = None

    def look(self, now: float, *, has_answered: bool) -> bool:
        """Take note of one look; return whether it is time to complain.

        Args:
            now: Monotonic seconds.
            has_answered: Whether the loop has given its sign since the last look.
        """
        passed = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        if has_answered:
            self.stuck_seconds = 0.0
            return False
        before = self.stuck_seconds
        self.stuck_seconds += min(passed, self._step_max)
        self.worst_seconds = max(self.worst_seconds, self.stuck_seconds)
        is_due = before < self._warn_seconds <= self.stuck_seconds
        self.stalls += is_due
        return is_due


@dataclass(frozen=True, slots=True)
class Deadline:
    """What is done when the loop has been stuck for so long, each time that it is.

    Attributes:
        act: Called in the watchdog's thread with the seconds; must not wait for the loop.
    """

    seconds: float
    act: Callable[[float], None]


class Watchdog:
    """The thread that watches the loop that it was made on.

    Args:
        clock: Tells how time passes.
        warn_seconds: ``watchdog.warn.ms``.
        on_stuck: Told, in the thread, that the loop has been stuck for so many seconds.

    Attributes:
        lag: What it has seen.
        last_answer_seconds: What the loop took for its last sign.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        warn_seconds: float,
        ask_seconds: float = ASK_SECONDS,
        on_stuck: Callable[[float], None] | None = None,
    ) -> None:
        self.lag = LoopLag(warn_seconds=warn_seconds, ask_seconds=ask_seconds)
        self.last_answer_seconds = 0.0
        self._clock = clock
        self._ask_seconds = ask_seconds
        self._on_stuck = on_stuck or self._complain
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._stopped = threading.Event()
        self._deadlines: Sequence[Deadline] = ()
        self._asked_at = 0.0
        self._has_answered = True
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def arm(self, deadlines: Sequence[Deadline]) -> None:
        """From now on, act when the loop is stuck; without it there are only complaints."""
        self._deadlines = tuple(deadlines)

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._ask_seconds):
            now = self._clock.monotonic()
            has_answered = self._has_answered
            before = self.lag.stuck_seconds
            if self.lag.look(now, has_answered=has_answered):
                self._on_stuck(self.lag.stuck_seconds)
            for deadline in self._deadlines:
                if before < deadline.seconds <= self.lag.stuck_seconds:
                    deadline.act(self.lag.stuck_seconds)
            if has_answered:
                self._ask(now)

    def _ask(self, now: float) -> None:
        self._has_answered = False
        self._asked_at = now
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # the loop is closed, so there is nothing left to watch
            self._stopped.set()

    def _answer(self) -> None:
        """Give the sign, on the loop."""
        self.last_answer_seconds = self._clock.monotonic() - self._asked_at
        self._has_answered = True

    def _complain(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001  (its documented name)
        _log.warning(
            "event_loop_stuck",
            seconds=round(seconds, 3),
            where=_where(frame),
            advice="clients wait; look for a slow disk or too little CPU",
        )


def _where(frame: FrameType | None) -> str:
    """Name the innermost calls of a stack, the last one first."""
    if frame is None:
        return "not known"
    calls = traceback.extract_stack(frame)[-_STACK_FRAMES:]
    return " < ".join(f"{call.name}:{call.lineno}" for call in reversed(calls))
