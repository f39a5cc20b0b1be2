"""Cancellations that nobody has asked for, which would end a task without a word.

A `asyncio.TaskGroup` takes a cancelled task for one that was meant to end. When something below it
was cancelled by mistake, its work is over, and nobody is told (TIER-22).
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

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


def begin_unbroken(
    tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, None]
) -> "asyncio.Task[None]":
    """Begin work in a group, which fails if the work is cancelled and nobody has asked for that.

    It is for work beside which the group has other work that does not end by itself.
    """
    task = tasks.create_task(work)

    def check(done: "asyncio.Task[None]") -> None:
        if done.cancelled() and not done.cancelling():
            tasks.create_task(_fail())

    task.add_done_callback(check)
    return task


async def _fail() -> None:
    raise StrayCancellationError
