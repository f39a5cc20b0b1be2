"""Does a piece of work once for all who want it at the same time, whoever goes away meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from everlog.model.errors import EverlogError

KeyT = TypeVar("KeyT", bound=Hashable)
ResultT = TypeVar("ResultT")

Spawn = Callable[[Coroutine[Any, Any, None]], object]
"""Starts a task under an owner."""


class SingleFlight(Generic[KeyT, ResultT]):
    """Work under way, by key. A failure is told to those who wait and is then forgotten."""

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._flights: dict[KeyT, asyncio.Future[ResultT]] = {}

    def __contains__(self, key: KeyT) -> bool:
        return key in self._flights

    def begin(self, key: KeyT, work: Callable[[], Awaitable[ResultT]]) -> "asyncio.Future[ResultT]":
        """Start the work unless it is under way; the future is for `asyncio.shield` only."""
        future = self._flights.get(key)
        if future is None:
            future = self._flights[key] = asyncio.get_running_loop().create_future()
            # A failure that nobody waits for is met again by whoever asks next.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._spawn(self._fly(key, future, work))
        return future

    async def do(self, key: KeyT, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Return the result of the work; it goes on when the caller is cancelled (TIER-37)."""
        return await asyncio.shield(self.begin(key, work))

    async def _fly(
        self,
        key: KeyT,
        future: "asyncio.Future[ResultT]",
        work: Callable[[], Awaitable[ResultT]],
    ) -> None:
        try:
            result = await work()
        except EverlogError as error:
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)
        finally:
            self._flights.pop(key, None)
            future.cancel()
