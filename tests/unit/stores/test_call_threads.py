import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from everlog.stores.call_threads import CallStoppedError, CallThreads


@pytest.fixture
async def threads() -> AsyncIterator[CallThreads]:
    opened = CallThreads("test", threads_max=1)
    yield opened
    await opened.close()


class Writer:
    """A call that writes into a buffer of the caller until it is told to stop."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.may_end = threading.Event()
        self.ended = False

    def __call__(self, stop: threading.Event) -> None:
        self.started.set()
        stop.wait()
        self.may_end.wait()
        self.ended = True
        raise CallStoppedError


async def test_results_and_errors_come_back(threads: CallThreads) -> None:
    assert await threads.run(lambda: 42) == 42
    assert await threads.run_to_end(lambda stop: stop.is_set()) is False
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await threads.run_to_end(lambda _: 1 // 0)


@pytest.mark.parametrize("cancels", [1, 3])
async def test_a_cancelled_call_ends_before_its_caller_goes_on(
    threads: CallThreads, cancels: int
) -> None:
    writer = Writer()
    order: list[str] = []

    async def call() -> None:
        try:
            await threads.run_to_end(writer)
        finally:
            order.append(f"caller goes on, thread ended: {writer.ended}")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(call())
        await asyncio.to_thread(writer.started.wait)
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0.01)
        assert order == []
        writer.may_end.set()
    assert task.cancelled()
    assert order == ["caller goes on, thread ended: True"]


async def test_a_cancelled_call_that_waits_for_a_thread_never_starts(threads: CallThreads) -> None:
    first, second = Writer(), Writer()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(threads.run_to_end(first))
        await asyncio.to_thread(first.started.wait)
        waiting = group.create_task(threads.run_to_end(second))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        running.cancel()
        first.may_end.set()
    assert not second.started.is_set()


async def test_closing_waits_for_calls_under_way() -> None:
    threads = CallThreads("test", threads_max=2)
    may_end = threading.Event()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(threads.run(may_end.wait))
        await asyncio.sleep(0)
        closing = group.create_task(threads.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        may_end.set()
    assert call.result() is True
