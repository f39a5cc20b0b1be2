"""The channel to the transfer process, and what happens to calls when one side goes away."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.model.errors import EverlogError, RejectedError
from everlog.stores.body import FilePart
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreCorruptionError,
    StoreDeniedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.model.disk import DiskError
from service.tiering.worker.channel import Channel
from service.tiering.worker.downloads import Downloads
from service.tiering.worker.faults import decode_fault, encode_fault
from service.tiering.worker.hedging import Hedging
from service.tiering.worker.main import TransferServer
from service.tiering.worker.remote_store import WorkerObjectStore
from service.tiering.worker.supervisor import WorkerSupervisor
from service.tiering.worker.transfers import Transfers
from tests.contract.object_store_contract import ObjectStoreContract
from tests.contract.object_stores import FailingStore, SteadyClock
from tests.simulation.clock import SeededIds

KEY = object_key("a/b")


class ThreadWorker:
    """A worker in this process: a server on the other end of a real socket pair."""

    pid = 1

    def __init__(self, store: ObjectStore, tasks: asyncio.TaskGroup) -> None:
        self._store = store
        self._tasks = tasks
        self.server: asyncio.Task[None] | None = None

    async def start(self) -> "ThreadWorker":
        ours, theirs = socket.socketpair()
        self.reader, self.writer = await asyncio.open_unix_connection(sock=ours)
        downloads = Downloads(self._store, hedging=Hedging(), spawn=self._tasks.create_task)
        transfers = Transfers(self._store, downloads=downloads)
        server = TransferServer(transfers, channel=theirs)
        self.server = self._tasks.create_task(server.run())
        return self

    async def ended(self) -> int:
        assert self.server is not None
        await asyncio.wait([self.server])
        return 0

    def kill(self) -> None:
        if self.server is not None:
            self.server.cancel()


@asynccontextmanager
async def channel_to(store: ObjectStore) -> AsyncIterator[tuple[Channel, ThreadWorker]]:
    async with asyncio.TaskGroup() as tasks:
        worker = await ThreadWorker(store, tasks).start()
        channel = Channel(worker.reader, worker.writer)
        running = tasks.create_task(channel.run())
        yield channel, worker
        channel.close()
        await asyncio.wait([running])
        await worker.ended()


class TestStoreOverChannel(ObjectStoreContract):
    @pytest.fixture(params=["memory", "filesystem"])
    async def store(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> AsyncIterator[ObjectStore]:
        real: ObjectStore = MemoryObjectStore(clock=SteadyClock())
        if request.param == "filesystem":
            real = FilesystemObjectStore(str(tmp_path / "store"))
        async with channel_to(real) as (channel, _):
            yield WorkerObjectStore(channel, local_path=real.local_path)
        await real.close()


FAULTS: list[EverlogError] = [
    ObjectExistsError(KEY),
    ObjectMissingError(KEY),
    StoreUnavailableError("read", KEY, "down"),
    StoreThrottledError("read", KEY, "slow"),
    StoreDeniedError("read", KEY, "no"),
    StoreCorruptionError("read", KEY, "bits"),
    ObjectsNotDeletedError({KEY: StoreThrottledError("delete", KEY, "slow")}),
    CorruptObjectError("root", "bits"),
    RejectedError("something else"),
]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_an_error_keeps_its_kind_and_facts_on_its_way(error: EverlogError) -> None:
    back = decode_fault(encode_fault(error))
    assert type(back) is type(error)
    assert str(back) == str(error)


async def test_calls_run_side_by_side() -> None:
    gate = asyncio.Event()
    store = GatedStore(gate)
    async with channel_to(store.failing) as (channel, _):
        remote = WorkerObjectStore(channel)
        slow = asyncio.ensure_future(remote.head(KEY))
        await remote.create(KEY, b"x")
        assert not slow.done()
        gate.set()
        assert (await slow).size == 1


async def test_calls_under_way_fail_when_the_worker_ends() -> None:
    store = GatedStore(asyncio.Event())
    async with channel_to(store.failing) as (channel, worker):
        remote = WorkerObjectStore(channel)
        call = asyncio.ensure_future(remote.head(KEY))
        await asyncio.sleep(0.01)
        worker.kill()
        with pytest.raises(StoreUnavailableError):
            await call
        with pytest.raises(StoreUnavailableError):
            await remote.head(KEY)


async def test_a_call_that_is_given_up_ends_over_there_too() -> None:
    store = GatedStore(asyncio.Event())
    async with channel_to(store.failing) as (channel, _):
        call = asyncio.ensure_future(WorkerObjectStore(channel).head(KEY))
        await asyncio.sleep(0.01)
        call.cancel()
        async with asyncio.timeout(5):
            await store.cancelled.wait()


async def test_a_defect_over_there_is_told_and_ends_nothing() -> None:
    async with channel_to(MemoryObjectStore(clock=SteadyClock())) as (channel, _):
        with pytest.raises(StoreUnavailableError, match="defect"):
            await channel.call("read", {})
        with pytest.raises(RejectedError, match="no call"):
            await channel.call("juggle", {})
        await WorkerObjectStore(channel).create(KEY, b"x")


async def test_a_file_arrives_whole_or_not_at_all(tmp_path: Path) -> None:
    real = MemoryObjectStore(clock=SteadyClock())
    async with channel_to(real) as (channel, _):
        remote = WorkerObjectStore(channel)
        source = tmp_path / "source"
        source.write_bytes(b"0123456789")
        made = await remote.create(KEY, b"0123456789")
        parts = [FilePart(str(source), 0, 10)]
        await remote.create_from_file(object_key("c"), parts, crc32c=made.crc32c)
        target = tmp_path / "target"
        await remote.read_into_file(KEY, 2, 5, str(target))
        assert target.read_bytes() == b"23456"
        with pytest.raises(StoreCorruptionError):
            await remote.read_into_file(KEY, 2, 50, str(tmp_path / "other"))
        assert sorted(os.listdir(tmp_path)) == ["source", "target"]


@pytest.mark.rule("TIER-22")
async def test_a_worker_that_ends_is_started_again_and_calls_go_on() -> None:
    real = MemoryObjectStore(clock=SteadyClock())
    started: list[ThreadWorker] = []
    async with asyncio.TaskGroup() as tasks:

        async def launch() -> ThreadWorker:
            if len(started) == 1:
                started.append(started[0])
                raise OSError("no process to be had")
            worker = await ThreadWorker(real, tasks).start()
            started.append(worker)
            return worker

        async def clean() -> None:
            assert started[-1].server is not None
            is_over.append(started[-1].server.done())
            raise DiskError("unlink", "file", "it refuses")  # no reason to do without a worker

        is_over: list[bool] = []
        supervisor = WorkerSupervisor(launch, clean=clean, clock=SteadyClock(), ids=SeededIds())
        running = tasks.create_task(supervisor.run())
        remote = WorkerObjectStore(supervisor)
        await remote.create(KEY, b"x")
        started[0].kill()
        await started[0].ended()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await remote.head(KEY)).size == 1
                    break
                except StoreUnavailableError:
                    await asyncio.sleep(0.01)
        assert supervisor.restarts == 2
        assert len(started) == 3
        assert is_over == [True]
        running.cancel()


class GatedStore:
    """A memory store whose ``head`` waits for a gate."""

    def __init__(self, gate: asyncio.Event) -> None:
        self.cancelled = asyncio.Event()
        self.failing = _Gated(MemoryObjectStore(clock=SteadyClock()), gate, self.cancelled)


class _Gated(FailingStore):
    def __init__(self, store: ObjectStore, gate: asyncio.Event, cancelled: asyncio.Event) -> None:
        super().__init__(store, lambda: (None, None))
        self._gate = gate
        self._cancelled = cancelled

    async def _run(self, name: str, call: Callable[[], Awaitable[object]]) -> object:  # type: ignore[override]
        if name == "head":
            try:
                await self._gate.wait()
            except asyncio.CancelledError:
                self._cancelled.set()
                raise
        return await super()._run(name, call)
