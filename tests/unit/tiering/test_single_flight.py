"""Work that several want is done once, and goes on whoever leaves."""

import asyncio

import pytest

from service.tiering.single_flight import SingleFlight


@pytest.mark.rule("TIER-37")
async def test_work_goes_on_when_everybody_who_wanted_it_has_given_up() -> None:
    gate, begun = asyncio.Event(), 0

    async def work() -> str:
        nonlocal begun
        begun += 1
        await gate.wait()
        return "done"

    async with asyncio.TaskGroup() as tasks:
        flights: SingleFlight[str, str] = SingleFlight(tasks.create_task)
        hasty = [asyncio.ensure_future(flights.do("a", work)) for _ in range(2)]
        await asyncio.sleep(0.01)
        for each in hasty:
            each.cancel()
        await asyncio.wait(hasty)
        patient = asyncio.ensure_future(flights.do("a", work))
        await asyncio.sleep(0)
        gate.set()
        assert await patient == "done"
    assert begun == 1
    assert "a" not in flights
