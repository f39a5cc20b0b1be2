"""Ranges are fetched once at a time, in their turn."""

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typing_extensions import override

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from service.app.system_disk import SystemDisk
from service.tiering.chunk_cache import CachedRange
from service.tiering.cold_objects import ObjectRange
from service.tiering.fetch_queue import FetchQueue
from service.tiering.open_files import OpenFiles
from service.tiering.range_sources import CachedRanges, FetchOrder, _Fetching
from service.tiering.read_damage import ReadDamage
from service.tiering.scan_pace import ScanPace
from service.tiering.stats import TierStats
from tests.contract.object_stores import SeededIds, SteadyClock
from tests.simulation.loop import LoopClock, SimLoop, run_simulated
from tests.simulation.processor import ProcessorForOne

OBJECT: Any = SimpleNamespace(entry=SimpleNamespace(uid=b"uid", offsets=None), key="key")
DOWN = StoreUnavailableError("read", object_key("a"), "down")


def unheld() -> ScanPace:
    return ScanPace(processor=ProcessorForOne(), rounds=lambda: 0, bytes_per_second_min=1)


def order(pace: ScanPace) -> FetchOrder:
    """Fetches go one by one."""
    return FetchOrder(
        queue=FetchQueue(bytes_max=1000, fetches_max=1),
        pace=pace,
        clock=LoopClock(asyncio.get_running_loop()),
    )


class Source(_Fetching):
    """Has nothing at hand, and notes what it begins to bring."""

    def __init__(self, tasks: asyncio.TaskGroup, pace: ScanPace | None = None) -> None:
        super().__init__(
            order=order(pace or unheld()),
            spawn=tasks.create_task,
            stats=TierStats(),
            damage=ReadDamage(clock=SteadyClock()),
        )
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

    async def get(self, position: int, *, keep: bool = False) -> CachedRange:
        return await self.fetch(OBJECT, part(position), lane="t", keep=keep)


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


class AbsentAnswer(MemoryObjectStore):
    """Brings a range whole, and says that it has not: its transfer process ended in between."""

    @override
    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        await asyncio.to_thread(Path(path).write_bytes, bytes(length))
        raise DOWN


async def test_a_range_that_came_without_an_answer_leaves_no_file(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        ranges = CachedRanges(
            AbsentAnswer(clock=SteadyClock()),
            directory=str(tmp_path),
            bytes_max=1000,
            disk=SystemDisk(),
            files=OpenFiles(SystemDisk(), executor=None),
            executor=None,
            ids=SeededIds(),
            order=order(unheld()),
            spawn=tasks.create_task,
            stats=TierStats(),
            damage=ReadDamage(clock=SteadyClock()),
        )
        thing: Any = SimpleNamespace(entry=OBJECT.entry, key=object_key("a"))
        with pytest.raises(StoreUnavailableError):
            await ranges.fetch(thing, part(0), lane="t", keep=False)
    assert os.listdir(tmp_path) == []


class Held(ScanPace):
    """Lets a scan have a fetch every second, at which it is asked again."""

    def __init__(self) -> None:
        super().__init__(processor=ProcessorForOne(), rounds=lambda: 0, bytes_per_second_min=1)
        self.asked: list[float] = []

    @override
    def take(self, length: int, *, now: float) -> float:
        self.asked.append(now)
        return -now % 1.0


def test_a_scan_that_is_held_back_goes_on_by_itself_and_a_jump_passes_it() -> None:
    async def main(loop: SimLoop) -> None:
        async with asyncio.TaskGroup() as tasks:
            pace = Held()
            source = Source(tasks, pace)
            source.gate.set()
            await asyncio.sleep(0.5)
            scan = tasks.create_task(source.get(0))
            assert source.send_for(10)
            await source.get(20, keep=True)
            assert (source.begun, loop.time()) == ([20], 0.5)
            await scan
        assert (source.begun, loop.time()) == ([20, 0, 10], 1.0)
        assert max(pace.asked.count(each) for each in pace.asked) < 10

    run_simulated(1, main)
