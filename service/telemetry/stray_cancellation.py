"""Cancellations that nobody has asked for, which would end a task without a word.

A `asyncio.TaskGroup` takes a cancelled task for one that was meant to end. When something below it
was cancelled by mistake, its work is over, and nobody is told (TIER-22).
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

ResultT = TypeVar("ResultT")


class StrayCancellationError(RuntimeError):
    """Work was cancelled from within: a defect."""

    def __init__(self) -> None:
        super().__init__("the work was cancelled, and nobody had asked for that")


async def unbroken(work: Awaitable[ResultT]) -> ResultT:
    """Return the result of work that only a cancellation of this very task may cut short.

    Raises:
        StrayCancellationError: Something else did.
    """
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise StrayCancellationError from error
