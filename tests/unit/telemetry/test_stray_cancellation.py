import asyncio

import pytest

from service.telemetry.stray_cancellation import StrayCancellationError, unbroken


async def cancelled_from_within() -> None:
    await asyncio.sleep(0)
    raise asyncio.CancelledError


@pytest.mark.rule("TIER-22")
async def test_a_task_that_nobody_has_cancelled_does_not_end_without_a_word() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(unbroken(cancelled_from_within()))
    assert isinstance(caught.value.exceptions[0], StrayCancellationError)


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
