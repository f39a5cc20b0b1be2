import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from service.telemetry.stray_cancellation import (
    StrayCancellationError,
    begin_unbroken,
    unbroken,
)


async def cancelled_from_within() -> None:
    await asyncio.sleep(0)
    raise asyncio.CancelledError


async def serve_with(work: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        _ = begin_unbroken(tasks, work)
        await endless()


@pytest.mark.rule("TIER-22")
async def test_a_task_that_nobody_has_cancelled_does_not_end_without_a_word() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await serve_with(cancelled_from_within())
    assert isinstance(caught.value.exceptions[0], StrayCancellationError)


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_task_that_somebody_has_cancelled_just_ends(*, has_begun: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        task = begin_unbroken(tasks, endless())
        if has_begun:
            await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


async def endless() -> None:
    await asyncio.Event().wait()


async def test_a_cancellation_from_within_is_told_as_an_error() -> None:
    with pytest.raises(StrayCancellationError):
        await unbroken(cancelled_from_within())


async def test_a_cancellation_that_was_asked_for_is_one() -> None:
    task = asyncio.ensure_future(unbroken(asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_results_and_errors_come_through() -> None:
    async def failing() -> None:
        raise LookupError

    assert await unbroken(asyncio.sleep(0, 7)) == 7
    with pytest.raises(LookupError):
        await unbroken(failing())
