"""A seeded event loop in which time passes only when there is nothing to do.

The same seed gives the same run. Work for threads is done in one piece after a random delay, and
the clock is the loop's own, so a minute of a cluster's life takes milliseconds.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any


class DeadlockError(Exception):
    """Everybody waits for somebody else, and no timer is set."""


class _Selector:
    def __init__(self, loop: "SimLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise DeadlockError("nothing is scheduled")
        if timeout > 0:
            self._loop.skip_to_next_timer()
        return []

    def close(self) -> None:
        pass


class SimLoop(asyncio.BaseEventLoop):
    """An asyncio loop over virtual time."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = random.Random(seed)
        self.failures: list[dict[str, Any]] = []
        self._now = 0.0
        self._selector = _Selector(self)
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        return self._now

    def skip_to_next_timer(self) -> None:
        self._now = self._scheduled[0]._when

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self.create_future()
        self.call_later(self.rng.uniform(1e-4, 5e-3), _carry_out, future, func, args)
        return future

    def _process_events(self, event_list: object) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _carry_out(
    future: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    try:
        result = func(*args)
    except Exception as error:  # noqa: BLE001  (it is the caller's)
        if not future.cancelled():
            future.set_exception(error)
    else:
        if not future.cancelled():
            future.set_result(result)


class LoopClock:
    """The loop's virtual time as a `Clock`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wall_ms: int = 1_700_000_000_000) -> None:
        self._loop = loop
        self._wall_ms = wall_ms

    def wall_ms(self) -> int:
        return self._wall_ms + int(self._loop.time() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()


def run_simulated(seed: int, main: Callable[[SimLoop], Any]) -> Any:
    """Run a coroutine function to its end on a fresh loop; unhandled errors fail the run."""
    loop = SimLoop(seed)
    asyncio.set_event_loop(loop)
    try:
        result = loop.run_until_complete(main(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert not loop.failures, loop.failures
    return result
