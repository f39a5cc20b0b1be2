"""Group commit, crashes at every point, and a disk that runs full."""

import asyncio
from concurrent.futures import Executor
from typing import Any

import pytest
from typing_extensions import override

from service.coordination.embedded.server import GROUP_TRANSACTIONS_MAX, TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.metadata_store import (
    BadVersionError,
    ConnectionLostError,
    Create,
    Delete,
    NodeExistsError,
    Op,
    SessionState,
    Set,
)
from service.model.disk import DiskFullError
from tests.unit.coordination.memory_disk import (
    HeldExecutor,
    InlineExecutor,
    MemoryDisk,
    Survival,
    all_of_it,
    nothing_more,
    the_first_half,
    the_second_half,
    turns,
)

LOG_BYTES_MIN = 700
"""So small that the workload makes several snapshots."""


async def _open(disk: MemoryDisk, executor: Executor | None = None) -> TreeServer:
    return await open_tree(
        disk=disk,
        directory="/m",
        executor=executor or InlineExecutor(),
        log_bytes_min=LOG_BYTES_MIN,
    )


async def _held(disk: MemoryDisk) -> tuple[HeldExecutor, TreeServer, EmbeddedStore]:
    """Return a server with one session and ``/a``, whose disk calls wait from now on."""
    executor = HeldExecutor()
    server = await _open(disk, executor)
    store = await EmbeddedStore.connect(server)
    await store.create("/a", b"zero")
    executor.is_holding = True
    return executor, server, store


# ---- group commit


async def test_calls_of_one_turn_share_a_sync() -> None:
    disk = MemoryDisk()
    server = await _open(disk)
    store = await EmbeddedStore.connect(server)
    before = disk.syncs
    await asyncio.gather(*(store.create(f"/{n}") for n in range(100)))
    assert disk.syncs == before + 1


async def test_calls_that_arrive_during_a_sync_share_the_next() -> None:
    executor, _, store = await _held(MemoryDisk())
    first = asyncio.ensure_future(store.create("/first"))
    await turns()
    rest = [asyncio.ensure_future(store.create(f"/{n}")) for n in range(5)]
    await turns()
    assert len(executor.waiting) == 1
    await executor.release()
    assert first.done()
    assert not any(each.done() for each in rest)
    await executor.release()
    assert all(each.done() for each in rest)
    assert executor.waiting == []


async def test_a_group_is_bounded() -> None:
    executor, _, store = await _held(MemoryDisk())
    calls: list[asyncio.Future[Any]]
    calls = [asyncio.ensure_future(store.sync("/")) for _ in range(GROUP_TRANSACTIONS_MAX)]
    calls += [asyncio.ensure_future(store.create(f"/{n}")) for n in range(10)]
    calls.insert(0, asyncio.ensure_future(store.create("/first")))
    await turns()
    while executor.waiting:
        await executor.release()
    assert all(call.done() for call in calls)


async def test_a_read_waits_for_what_it_has_seen() -> None:
    executor, _, store = await _held(MemoryDisk())
    writing = asyncio.ensure_future(store.set("/a", b"one", version=0))
    await turns()
    reading = asyncio.ensure_future(store.get("/a"))
    refused = asyncio.ensure_future(store.create("/a"))
    await turns()
    assert not reading.done()
    assert not refused.done(), "the refusal rests on what could still be lost"
    await executor.release()
    assert writing.done()
    assert (await reading)[0] == b"one"
    with pytest.raises(NodeExistsError):
        await refused


async def test_a_caller_that_stops_waiting_stops_nothing() -> None:
    executor, _, store = await _held(MemoryDisk())
    leaving = asyncio.ensure_future(store.create("/leaving"))
    staying = asyncio.ensure_future(store.create("/staying"))
    await turns()
    leaving.cancel()
    await turns()
    await executor.release()
    assert await staying == "/staying"
    assert await store.children("/") == ["a", "leaving", "staying"]


async def test_a_session_of_a_dead_process_ends_before_the_next_begins() -> None:
    disk = MemoryDisk()
    dead = await EmbeddedStore.connect(await _open(disk))
    await dead.create("/mine", ephemeral=True)
    store = await EmbeddedStore.connect(await _open(disk.after_crash(nothing_more)))
    assert await store.exists("/mine") is None
    assert store.session_id > dead.session_id


async def test_closing_the_server_ends_its_sessions_and_keeps_the_tree() -> None:
    disk = MemoryDisk()
    server = await _open(disk)
    store = await EmbeddedStore.connect(server)
    await store.create("/a", b"kept")
    await store.create("/mine", ephemeral=True)
    await server.close()
    await server.close()
    assert store.state is SessionState.LOST
    store = await EmbeddedStore.connect(await _open(disk))
    assert await store.children("/") == ["a"]


# ---- crashes


WORKLOAD: list[list[Op]] = [
    [Create("/a", b"x" * 300)],
    [Create("/a/q"), Create("/a/q/n-", sequential=True)],
    [Set("/a", b"y" * 400, 0), Create("/b", ephemeral=True)],
    [Create("/a/q/n-", b"z", sequential=True), Delete("/a/q/n-0000000000", 0)],
    [Set("/a", b"", 1), Set("/a/q", b"w" * 500, 0)],
    [Delete("/a/q/n-0000000001", 0), Create("/c")],
]


async def _contents(disk: MemoryDisk) -> dict[str, tuple[bytes, int]]:
    """Return what survived, but for ephemeral nodes."""
    store = await EmbeddedStore.connect(await _open(disk))
    found: dict[str, tuple[bytes, int]] = {}
    paths = ["/" + name for name in await store.children("/")]
    while paths:
        path = paths.pop()
        data, stat = await store.get(path)
        found[path] = (data, stat.version)
        paths += [f"{path}/{name}" for name in await store.children(path)]
    return found


async def _expected() -> list[dict[str, tuple[bytes, int]]]:
    """Return the contents after each number of committed transactions."""
    images = []
    for count in range(len(WORKLOAD) + 1):
        disk = MemoryDisk()
        store = await EmbeddedStore.connect(await _open(disk))
        for ops in WORKLOAD[:count]:
            await store.multi(ops)
        images.append(await _contents(disk))
    return images


@pytest.mark.rule("BP-D7")
@pytest.mark.parametrize("names_survive", [False, True])
@pytest.mark.parametrize("survival", [nothing_more, all_of_it, the_first_half, the_second_half])
async def test_a_crash_at_any_point_keeps_what_was_acknowledged_and_at_most_one_more(
    survival: Survival, *, names_survive: bool
) -> None:
    images = await _expected()
    steps = 0
    while True:
        disk = MemoryDisk()
        disk.steps_left = steps
        acknowledged, is_finished = await _until_the_power_goes(disk)
        left = disk.after_crash(survival, names_survive=names_survive)
        found = await _contents(left)
        allowed = images[acknowledged : acknowledged + 2]
        assert found in allowed, f"after {steps} steps"
        # And again: what was found once must not go at the next crash.
        assert await _contents(left.after_crash(nothing_more)) == found
        if is_finished:
            break
        steps += 1
    assert steps > 3 * len(WORKLOAD)
    assert disk.content("/m/snapshot"), "the workload was to make snapshots too"


async def _until_the_power_goes(disk: MemoryDisk) -> tuple[int, bool]:
    acknowledged = 0
    try:
        store = await EmbeddedStore.connect(await _open(disk))
        for ops in WORKLOAD:
            await store.multi(ops)
            acknowledged += 1
    except Exception:  # noqa: BLE001  (whatever the dying machine says)
        return acknowledged, False
    return acknowledged, disk.steps_left != 0


async def test_a_failed_sync_ends_the_server_and_tells_everybody() -> None:
    disk = MemoryDisk()
    server = await _open(disk)
    store = await EmbeddedStore.connect(server)
    states: list[SessionState] = []
    store.subscribe(states.append)
    disk.steps_left = 1
    calls = [store.create("/a"), store.create("/b"), store.exists("/a")]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, ConnectionLostError) for outcome in outcomes)
    assert states == [SessionState.LOST]
    assert server.failure is not None
    with pytest.raises(ConnectionLostError):
        await EmbeddedStore.connect(server)
    await server.close()


async def test_a_full_disk_refuses_and_the_tree_goes_on_once_there_is_room() -> None:
    disk = MemoryDisk()
    server = await _open(disk)
    store = await EmbeddedStore.connect(server)
    await store.create("/a", b"zero")
    before = await store.get("/a")
    disk.free = 10
    outcomes = await asyncio.gather(
        store.set("/a", b"one", version=0),
        store.set("/a", b"two", version=1),
        store.create("/b"),
        store.get("/a"),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, ConnectionLostError) for outcome in outcomes)
    assert await store.get("/a") == before
    assert await store.exists("/b") is None
    disk.free = 1 << 30
    with pytest.raises(BadVersionError):
        await store.set("/a", b"three", version=1)
    await store.set("/a", b"three", version=0)
    assert (await _contents(disk.after_crash(nothing_more)))["/a"] == (b"three", 1)


async def test_a_watch_survives_a_refused_write_and_fires_at_the_next() -> None:
    disk = MemoryDisk()
    store = await EmbeddedStore.connect(await _open(disk))
    await store.create("/a")
    heard: list[str] = []
    disk.free = 10
    writing = asyncio.ensure_future(store.set("/a", b"refused", version=0))
    await asyncio.sleep(0)
    # Registered while the write was in the tree, and before it was taken back.
    reading = asyncio.ensure_future(store.get("/a", watch=heard.append))
    await asyncio.gather(writing, reading, return_exceptions=True)
    disk.free = 1 << 30
    await store.get("/a", watch=heard.append)
    await store.set("/a", b"written", version=0)
    assert heard == ["/a"]


async def test_a_watch_set_by_who_has_seen_a_change_before_its_sync_hears_of_the_next() -> None:
    executor, _, store = await _held(MemoryDisk())
    heard: list[str] = []
    await store.get("/a", watch=heard.append)
    writing = asyncio.ensure_future(store.set("/a", b"one", version=0))
    await turns()
    reading = asyncio.ensure_future(store.get("/a", watch=heard.append))
    await turns()
    await executor.release()
    await writing
    assert (await reading)[0] == b"one"
    assert heard == ["/a"]
    executor.is_holding = False
    await store.set("/a", b"two", version=1)
    assert heard == ["/a", "/a"]


class FullAfter(MemoryDisk):
    """Has room for so many writes to the log, and for any snapshot."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self._writes_left = writes

    @override
    def step(self, operation: str, path: str, size: int = 0) -> None:
        super().step(operation, path, size)
        if operation == "write":
            self._writes_left -= 1
            if self._writes_left < 0:
                raise DiskFullError(operation, path, "no space left")


async def test_a_snapshot_holds_nothing_that_may_yet_be_refused() -> None:
    disk = FullAfter(writes=3)
    store = await EmbeddedStore.connect(await _open(disk))
    await store.create("/a", b"x" * 2 * LOG_BYTES_MIN)
    calls = [store.create(f"/{n}") for n in range(GROUP_TRANSACTIONS_MAX)]
    *accepted, refused = await asyncio.gather(
        *calls, store.create("/refused"), return_exceptions=True
    )
    assert all(isinstance(path, str) for path in accepted)
    assert isinstance(refused, ConnectionLostError)
    assert "/refused" not in await _contents(disk.after_crash(nothing_more))
