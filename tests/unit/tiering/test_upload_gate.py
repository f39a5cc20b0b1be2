import asyncio

import pytest

from service.tiering.upload_gate import UploadGate
from service.tiering.upload_queue import UploadLimits
from tests.unit.tiering.site import HastyClock


async def pass_through(gate: UploadGate, partition: str, done: asyncio.Event) -> None:
    async with gate.admitted(partition, size=10, since_ms=0):
        await done.wait()


async def turns_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def one_at_a_time() -> UploadGate:
    return UploadGate(UploadLimits(uploads_max=1), clock=HastyClock())


async def test_the_next_one_begins_when_one_has_ended() -> None:
    gate, done = one_at_a_time(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for partition in "ab":
            tasks.create_task(pass_through(gate, partition, done))
        await turns_of_the_loop()
        assert (gate.uploads, gate.bytes, gate.waiting) == (1, 10, 1)
        done.set()
    assert (gate.uploads, gate.bytes, gate.waiting) == (0, 0, 0)


@pytest.mark.parametrize("has_begun", [False, True])
async def test_whoever_is_cancelled_keeps_nobody_waiting(*, has_begun: bool) -> None:
    gate, never, done = one_at_a_time(), asyncio.Event(), asyncio.Event()
    first = asyncio.ensure_future(pass_through(gate, "a", done if not has_begun else never))
    await turns_of_the_loop()
    second = asyncio.ensure_future(pass_through(gate, "b", never if not has_begun else done))
    await turns_of_the_loop()
    (first if has_begun else second).cancel()
    done.set()
    await asyncio.wait([first, second], timeout=5)
    assert first.done()
    assert second.done()
    assert (gate.uploads, gate.waiting) == (0, 0)


async def test_a_cancellation_in_the_moment_of_admission_loses_no_place() -> None:
    gate, done = one_at_a_time(), asyncio.Event()
    first = asyncio.ensure_future(pass_through(gate, "a", done))
    await turns_of_the_loop()
    others = [asyncio.ensure_future(pass_through(gate, name, done)) for name in "bc"]
    await turns_of_the_loop()
    done.set()
    await asyncio.sleep(0)
    for each in others:
        each.cancel()
    await asyncio.wait([first, *others], timeout=5)
    assert (gate.uploads, gate.waiting) == (0, 0)
    await asyncio.wait_for(pass_through(gate, "d", done), 5)


async def test_a_rate_lets_the_next_one_through_by_itself() -> None:
    limits = UploadLimits(bytes_per_second=1000)
    gate, done = UploadGate(limits, clock=HastyClock()), asyncio.Event()
    done.set()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for partition in "abc":
            tasks.create_task(pass_through(gate, partition, done))
    assert gate.uploads == 0
