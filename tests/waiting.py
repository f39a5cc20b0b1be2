"""Waits for what others do, with an end that tells what has not come."""

import asyncio
import time
from collections.abc import Callable

WAIT_SECONDS_MAX = 60.0
"""Far more than anything takes that comes at all."""

Otherwise = str | Callable[[], str]
"""What to say when it has not come, or what tells it then."""


def wait_until(
    is_so: Callable[[], bool],
    otherwise: Otherwise = "it has not come",
    *,
    seconds_max: float = WAIT_SECONDS_MAX,
) -> None:
    """Wait for another process."""
    deadline = time.monotonic() + seconds_max
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(0.02)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for other tasks of this process."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not is_so():
            await asyncio.sleep(0.005)
