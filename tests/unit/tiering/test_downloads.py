"""Downloads into files: the slow ones get a second, and nothing is left of the slower of two."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from service.tiering.worker.downloads import Downloads
from service.tiering.worker.hedging import LATENCIES_MIN, WAIT_SECONDS_MIN, Hedging
from tests.contract.object_stores import SteadyClock

KEY = object_key("a/seg")
CONTENT = bytes(range(256)) * 4
UNKNOWN = StoreUnavailableError("read", KEY, "down")


@dataclass
class SlowStore(MemoryObjectStore):
    """A memory store whose downloads wait for their gates, one for each in order."""

    gates: list[asyncio.Event] = field(default_factory=list)
    failures: list[Exception | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    stays_after_cancel: bool = False

    def __post_init__(self) -> None:
        super().__init__(clock=SteadyClock())

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        number = len(self.paths)
        self.paths.append(path)
        try:
            if number < len(self.gates):
                await self.gates[number].wait()
        except asyncio.CancelledError:
            if self.stays_after_cancel:
                await super().read_into_file(key, start, length, path)
            raise
        failure = self.failures[number] if number < len(self.failures) else None
        if failure is not None:
            raise failure
        return await super().read_into_file(key, start, length, path)


@asynccontextmanager
async def downloads(store: SlowStore) -> AsyncIterator[Downloads]:
    await store.create(KEY, CONTENT)
    hedging = Hedging()
    for _ in range(LATENCIES_MIN):
        hedging.ended(len(CONTENT), WAIT_SECONDS_MIN / 10)
    async with asyncio.TaskGroup() as tasks:
        yield Downloads(store, hedging=hedging, spawn=tasks.create_task)


def gate(*, is_open: bool) -> asyncio.Event:
    made = asyncio.Event()
    if is_open:
        made.set()
    return made


@pytest.mark.rule("TIER-35")
async def test_a_disk_that_takes_no_download_ends_nothing_else(tmp_path: Path) -> None:
    store = SlowStore(failures=[OSError(errno.ENOSPC, "No space left on device")])
    async with downloads(store) as loads:
        with pytest.raises(StoreUnavailableError, match="No space left"):
            await loads.download(KEY, 0, 500, str(tmp_path / "chunk"))
        await loads.download(KEY, 0, 500, str(tmp_path / "chunk"))
    assert os.listdir(tmp_path) == ["chunk"]


async def test_a_quick_download_is_made_once(tmp_path: Path) -> None:
    store = SlowStore()
    path = tmp_path / "chunk"
    async with downloads(store) as loads:
        found = await loads.download(KEY, 3, 500, str(path))
    assert (found.crc32c, found.is_hedged) == (crc32c(CONTENT[3:503]), False)
    assert path.read_bytes() == CONTENT[3:503]
    assert len(store.paths) == 1


@pytest.mark.parametrize("stays_after_cancel", [False, True])
async def test_a_slow_download_gets_a_second_one_and_leaves_nothing(
    tmp_path: Path, *, stays_after_cancel: bool
) -> None:
    store = SlowStore(
        gates=[gate(is_open=False), gate(is_open=True)], stays_after_cancel=stays_after_cancel
    )
    path = tmp_path / "chunk"
    async with downloads(store) as loads:
        found = await loads.download(KEY, 0, len(CONTENT), str(path))
        assert (found.is_hedged, found.hedge_won) == (True, True)
    assert os.listdir(tmp_path) == ["chunk"]
    assert path.read_bytes() == CONTENT


async def test_the_first_may_still_win(tmp_path: Path) -> None:
    store = SlowStore(gates=[gate(is_open=False), gate(is_open=False)])
    path = tmp_path / "chunk"
    async with downloads(store) as loads, asyncio.TaskGroup() as tasks:
        loading = tasks.create_task(loads.download(KEY, 0, len(CONTENT), str(path)))
        while len(store.paths) < 2:
            await asyncio.sleep(0.001)
        store.gates[0].set()
        found = await loading
        assert (found.is_hedged, found.hedge_won) == (True, False)
    assert os.listdir(tmp_path) == ["chunk"]


async def test_when_both_end_at_once_one_file_is_left(tmp_path: Path) -> None:
    store = SlowStore(gates=[gate(is_open=False), gate(is_open=False)])
    async with downloads(store) as loads, asyncio.TaskGroup() as tasks:
        path = str(tmp_path / "chunk")
        loading = tasks.create_task(loads.download(KEY, 0, len(CONTENT), path))
        while len(store.paths) < 2:
            await asyncio.sleep(0.001)
        for each in store.gates:
            each.set()
        await loading
    assert os.listdir(tmp_path) == ["chunk"]


async def test_one_that_fails_leaves_it_to_the_other(tmp_path: Path) -> None:
    store = SlowStore(gates=[gate(is_open=False), gate(is_open=True)], failures=[None, UNKNOWN])
    path = str(tmp_path / "chunk")
    async with downloads(store) as loads, asyncio.TaskGroup() as tasks:
        loading = tasks.create_task(loads.download(KEY, 0, len(CONTENT), path))
        while len(store.paths) < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert not loading.done()
        store.gates[0].set()
        assert not (await loading).hedge_won


@pytest.mark.rule("TIER-42")
async def test_a_failure_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    store = SlowStore(failures=[UNKNOWN])
    async with downloads(store) as loads:
        with pytest.raises(StoreUnavailableError):
            await loads.download(KEY, 0, len(CONTENT), str(tmp_path / "chunk"))
        await loads.download(KEY, 0, len(CONTENT), str(tmp_path / "chunk"))
    assert os.listdir(tmp_path) == ["chunk"]


@pytest.mark.parametrize("stays_after_cancel", [False, True])
async def test_a_cancelled_download_leaves_nothing(
    tmp_path: Path, *, stays_after_cancel: bool
) -> None:
    store = SlowStore(gates=[gate(is_open=False)] * 2, stays_after_cancel=stays_after_cancel)
    async with downloads(store) as loads, asyncio.TaskGroup() as tasks:
        path = str(tmp_path / "chunk")
        loading = tasks.create_task(loads.download(KEY, 0, len(CONTENT), path))
        while len(store.paths) < 2:
            await asyncio.sleep(0.001)
        loading.cancel()
        await asyncio.wait([loading])
        assert loading.cancelled()
    assert os.listdir(tmp_path) == []
