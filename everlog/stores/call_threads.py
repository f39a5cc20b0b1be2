"""Threads for calls that block, so that an event loop waits for neither disk nor socket."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ResultT = TypeVar("ResultT")


class CallStoppedError(Exception):
    """A blocking call noticed that nobody wants its result; never leaves the package."""


class CallThreads:
    """At most ``threads_max`` blocking calls at a time; further ones wait in order."""

    def __init__(self, name: str, *, threads_max: int) -> None:
        self._executor = ThreadPoolExecutor(threads_max, thread_name_prefix=name)

    async def run(self, call: Callable[[], ResultT]) -> ResultT:
        """Run a call that touches nothing of the caller's.

        When the awaiting task is cancelled, the call goes on unobserved until it ends by itself.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def run_to_end(self, call: Callable[[threading.Event], ResultT]) -> ResultT:
        """Run a call that reads or writes the caller's files or buffers.

        When the awaiting task is cancelled, the call is told so by its event, and the cancellation
        is passed on once the call has ended: from then on, what the caller lent is the caller's
        alone.
        """
        stop = threading.Event()
        work = self._executor.submit(call, stop)
        future = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            if not work.cancel():
                await _end_of(future)
            raise

    async def close(self) -> None:
        """Wait for the calls under way and let go of the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)


async def _end_of(future: asyncio.Future[ResultT]) -> None:
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError:
            # Cancelling twice changes nothing: the thread still has the caller's buffer. The first
            # one is raised.
            continue
    if not future.cancelled():
        future.exception()
