"""Ranges are fetched once at a time, in their turn."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from typing_extensions import override

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.object_key import object_key
from service.tiering.chunk_cache import CachedRange
from service.tiering.cold_objects import ObjectRange
from service.tiering.fetch_queue import FetchQueue
from service.tiering.range_sources import _Fetching
from service.tiering.stats import TierStats

OBJECT: Any = SimpleNamespace(entry=SimpleNamespace(uid=b"uid"))
DOWN = StoreUnavailableError("read", object_key("a"), "down")


class Source(_Fetching):
    """Has nothing at hand, and notes what it begins to bring."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        queue = FetchQueue[Any](bytes_max=1000, fetches_max=1)
        super().__init__(queue=queue, spawn=tasks.create_task, stats=TierStats())
        self.begun: list[int] = []
        self.gate = asyncio.Event()
        self.failure: StoreUnavailableError | None = None

    @override
    def at_hand(self, of: Any, wanted: ObjectRange) -> None:
        return None

    @override
    async def _obtain(self, of: Any, wanted: ObjectRange, *, keep: bool) -> CachedRange:
        self.begun.append(wanted.position)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return CachedRange("path", wanted.position)

    def send_for(self, position: int) -> bool:
        return self.begin(OBJECT, part(position), lane="t")

    async def get(self, position: int) -> CachedRange:
        return await self.fetch(OBJECT, part(position), lane="t", keep=False)


def part(position: int) -> ObjectRange:
    return ObjectRange(
        number=0, first_chunk=0, chunks=1, position=position, length=10, start=0, end=1
    )


@pytest.mark.rule("TIER-39")
async def test_what_was_sent_for_ahead_goes_first_once_somebody_waits_for_it() -> None:
    async with asyncio.TaskGroup() as tasks:
        source = Source(tasks)
        for position in (0, 10, 20):
            assert source.send_for(position)
        assert not source.send_for(20)
        getting = tasks.create_task(source.get(20))
        await asyncio.sleep(0)
        source.gate.set()
        assert await getting == CachedRange("path", 20)
    assert source.begun == [0, 20, 10]


@pytest.mark.rule("TIER-42")
async def test_a_fetch_that_fails_leaves_its_place_to_the_next() -> None:
    async with asyncio.TaskGroup() as tasks:
        source = Source(tasks)
        source.failure = DOWN
        source.gate.set()
        for position in (0, 10):
            with pytest.raises(StoreUnavailableError):
                await source.get(position)
        source.failure = None
        assert await source.get(0) == CachedRange("path", 0)
    assert (len(source._queue), source._turns) == (0, {})
