"""Calls on their way to ZooKeeper: in order, a limited number at once, none of them for ever."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.coordination.metadata_store import ConnectionLostError
from service.coordination.zookeeper.errors import translated
from service.coordination.zookeeper.inbox import Inbox

IN_FLIGHT_MAX = 64
"""Calls that kazoo has at once; 270 wake-ups that it has not looked at would block the loop."""

WAITING_MAX = 100_000
"""Calls that wait for their turn; more are refused."""

Start = Callable[[], Any]
"""Hands a call to kazoo and returns its ``IAsyncResult``."""


@dataclass(slots=True, eq=False)
class _Call:
    path: str
    start: Start
    answer: asyncio.Future[Any]
    due: float


class CallQueue:
    """The calls of one session; to be used on the loop.

    While there is no connection calls wait here, so that kazoo does not send one that its caller
    has given up. What has been sent and not answered may have been done: nobody can say.

    Args:
        inbox: Brings the answers.
        answer_seconds_max: How long a caller waits while no call is answered, be it for want of a
            connection or of an answer.
        waiting_max: Calls that wait for their turn at most.
    """

    def __init__(
        self, *, inbox: Inbox, answer_seconds_max: float, waiting_max: int = WAITING_MAX
    ) -> None:
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        self._answer_seconds_max = answer_seconds_max
        self._waiting_max = waiting_max
        self._waiting: deque[_Call] = deque()
        self._unanswered: dict[_Call, None] = {}
        self._in_flight = 0
        self._answered_at = self._loop.time()
        self._is_open = False
        self._alarm: asyncio.TimerHandle | None = None

    def submit(self, path: str, start: Start) -> asyncio.Future[Any]:
        """Make a call when its turn comes; the future has kazoo's result, or the port's error."""
        answer = self._loop.create_future()
        if len(self._waiting) >= self._waiting_max:
            answer.set_exception(
                ConnectionLostError(f"{path}: {self._waiting_max} calls wait for ZooKeeper already")
            )
            return answer
        call = _Call(path, start, answer, self._loop.time() + self._answer_seconds_max)
        self._unanswered[call] = None
        self._waiting.append(call)
        self._send()
        if self._alarm is None:
            self._alarm = self._loop.call_at(call.due, self._give_up_overdue)
        return answer

    def open(self) -> None:
        """Send what waits, and what comes: there is a connection."""
        self._is_open = True
        self._send()

    def pause(self) -> None:
        """Send nothing more: the connection is lost."""
        self._is_open = False

    def close(self, error: Callable[[str], BaseException]) -> None:
        """End all calls, with an error for each path, and send nothing any more."""
        self._is_open = False
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        for call in self._unanswered:
            if not call.answer.done():
                call.answer.set_exception(error(call.path))
        self._unanswered.clear()

    def _send(self) -> None:
        while self._is_open and self._waiting and self._in_flight < IN_FLIGHT_MAX:
            call = self._waiting.popleft()
            if call.answer.done():
                # Its caller has stopped waiting, and it was never sent.
                self._unanswered.pop(call, None)
                continue
            self._in_flight += 1
            call.start().rawlink(lambda result, call=call: self._on_result(call, result))

    def _on_result(self, call: _Call, result: Any) -> None:
        """Take an answer, on kazoo's thread."""
        self._inbox.put(partial(self._finish, call, result))

    def _finish(self, call: _Call, result: Any) -> None:
        self._in_flight -= 1
        self._answered_at = self._loop.time()
        self._unanswered.pop(call, None)
        if not call.answer.done():
            if result.exception is None:
                call.answer.set_result(result.value)
            else:
                error = translated(result.exception, call.path)
                error.__cause__ = result.exception
                call.answer.set_exception(error)
        self._send()

    def _give_up_overdue(self) -> None:
        """Tell the callers whose time is up. All have the same time, so the oldest comes first."""
        self._alarm = None
        now = self._loop.time()
        while self._unanswered:
            call = next(iter(self._unanswered))
            # Many calls at once take longer than one may; as long as there are answers all is well.
            due = max(call.due, self._answered_at + self._answer_seconds_max)
            if due > now and not call.answer.done():
                self._alarm = self._loop.call_at(due, self._give_up_overdue)
                break
            del self._unanswered[call]
            if not call.answer.done():
                limit = f"{self._answer_seconds_max:g} seconds"
                call.answer.set_exception(
                    ConnectionLostError(f"{call.path}: no answer of ZooKeeper in {limit}")
                )
        while self._waiting and self._waiting[0].answer.done():
            self._waiting.popleft()
