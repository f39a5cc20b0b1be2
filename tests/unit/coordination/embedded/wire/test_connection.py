"""Order and bounds of one connection, while the disk takes its time or is full."""

import asyncio
import struct
from typing import Any

import pytest
from kazoo.protocol import serialization as kazoo
from kazoo.security import OPEN_ACL_UNSAFE
from structlog.testing import capture_logs
from typing_extensions import override

from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import open_tree
from service.coordination.embedded.tree import WatchKind
from service.coordination.embedded.wire.connection import Connection, ConnectionServices
from service.coordination.embedded.wire.limits import WireLimits
from service.coordination.embedded.wire.sessions import Sessions
from tests.contract.wire_client import connect
from tests.simulation.clock import SeededIds
from tests.unit.coordination.memory_disk import HeldExecutor, MemoryDisk, turns

UNKNOWN = 999


class KeptTransport(asyncio.Transport):
    """Keeps what is written, until somebody reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_reading_now = True
        self.is_closed = False

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    @override
    def is_closing(self) -> bool:
        return self.is_closed

    @override
    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.written += bytes(data)

    @override
    def pause_reading(self) -> None:
        assert self.is_reading_now
        self.is_reading_now = False

    @override
    def resume_reading(self) -> None:
        assert not self.is_reading_now
        self.is_reading_now = True

    @override
    def close(self) -> None:
        self.is_closed = True

    def take(self) -> list[tuple[int, int, bytes]]:
        """Return xid, error and body of what has been written since the last call."""
        found, rest, self.written = [], self.written, b""
        while rest:
            (length,) = struct.unpack_from(">i", rest)
            xid, _, error = struct.unpack_from(">iqi", rest, 4)
            found.append((xid, error, rest[20 : 4 + length]))
            rest = rest[4 + length :]
        return found


class Stage:
    """One connection with a session, on a disk that can be held up."""

    def __init__(self, limits: WireLimits | None = None) -> None:
        self.disk = MemoryDisk()
        self.executor = HeldExecutor()
        self.limits = limits or WireLimits()
        self.transport = KeptTransport()
        self.tree: TreeServer
        self.connection: Connection
        self._tasks: list[asyncio.Task[None]] = []
        self._xid = 0

    async def begin(self) -> None:
        self.tree = await open_tree(disk=self.disk, directory="/m", executor=self.executor)
        sessions = Sessions(self.tree, ids=SeededIds(), limits=self.limits)
        services = ConnectionServices(
            tree=self.tree,
            sessions=sessions,
            limits=self.limits,
            connections=set(),
            spawn=lambda work: self._tasks.append(asyncio.ensure_future(work)),
        )
        self.connection = Connection(services)
        self.connection.connection_made(self.transport)
        content = connect()
        self.connection.data_received(struct.pack(">i", len(content)) + content)
        await turns()
        self.transport.written = b""

    def encoded(self, request: Any) -> bytes:
        self._xid += 1
        content = struct.pack(">ii", self._xid, request.type) + bytes(request.serialize())
        return struct.pack(">i", len(content)) + content

    def ask(self, *requests: Any) -> None:
        """Have requests arrive in one piece."""
        self.connection.data_received(b"".join(map(self.encoded, requests)))

    def end(self) -> None:
        self.connection.connection_lost(None)


@pytest.fixture
async def stage() -> Any:
    stage = Stage()
    await stage.begin()
    yield stage
    stage.end()


def create(path: str, data: bytes = b"") -> Any:
    return kazoo.Create(path, data, OPEN_ACL_UNSAFE, 0)


class Unknown:
    type = UNKNOWN

    def serialize(self) -> bytes:
        return b"whatever"


async def test_nothing_is_answered_before_what_was_asked_for_earlier(stage: Stage) -> None:
    stage.executor.is_holding = True
    stage.ask(create("/a"), kazoo.PingInstance, Unknown(), kazoo.GetData("/", watcher=False))
    await turns()
    assert stage.transport.take() == []
    await stage.executor.release()
    assert [(xid, error) for xid, error, _ in stage.transport.take()] == [
        (1, 0),
        (2, 0),
        (3, -6),
        (4, 0),
    ]


async def test_what_comes_between_a_sync_and_its_answers_is_answered_behind_them(
    stage: Stage,
) -> None:
    stage.executor.is_holding = True
    stage.ask(create("/a"))
    # A hint runs right there: the transaction is durable, and its answer on its way.
    stage.tree.watch(
        (WatchKind.DATA, "/b"), session=0, callback=lambda *_: stage.ask(kazoo.PingInstance)
    )
    stage.ask(create("/b"))
    await turns()
    await stage.executor.release()
    assert [xid for xid, _, _ in stage.transport.take()] == [1, 2, 3]


async def test_an_unknown_operation_costs_nothing_but_its_answer(stage: Stage) -> None:
    stage.ask(Unknown(), create("/a"), kazoo.SetACL("/a", OPEN_ACL_UNSAFE, 0))
    await turns()
    assert [error for _, error, _ in stage.transport.take()] == [-6, 0, -6]
    assert not stage.transport.is_closed


async def test_a_bad_path_is_refused_with_its_reason(stage: Stage) -> None:
    paths = ["", "a", "//", "/a/", "/a//b", "/./a", "/a\0b"]
    stage.ask(*(create(path) for path in paths))
    stage.ask(*(kazoo.GetData(path, watcher=True) for path in paths))
    await turns()
    assert {error for _, error, _ in stage.transport.take()} == {-8}
    assert stage.tree.tree.node_count == 1


async def test_no_more_requests_are_taken_than_may_be_in_flight() -> None:
    stage = Stage(WireLimits(requests_in_flight_max=3))
    await stage.begin()
    stage.executor.is_holding = True
    stage.ask(*(create(f"/{number}") for number in range(10)))
    await turns()
    assert stage.tree.tree.node_count == 1 + 3
    assert not stage.transport.is_reading_now
    counts = []
    while stage.executor.waiting:
        await stage.executor.release()
        counts.append(len(stage.transport.take()))
    assert max(counts) <= 3
    assert sum(counts) == 10
    assert stage.transport.is_reading_now
    stage.end()


async def test_no_more_bytes_of_answers_are_held_than_one_above_the_limit() -> None:
    stage = Stage(WireLimits(answer_bytes_in_flight_max=1000))
    await stage.begin()
    stage.ask(create("/large", bytes(900)))
    await turns()
    stage.transport.take()
    stage.executor.is_holding = True
    stage.ask(create("/a"), *[kazoo.GetData("/large", watcher=False)] * 20)
    await turns()
    assert stage.connection._in_flight == 3
    assert not stage.transport.is_reading_now
    await stage.executor.release()
    for _ in range(5):
        await turns()
    assert len(stage.transport.take()) == 21
    stage.end()


async def test_a_client_that_does_not_read_is_not_served_until_it_does(stage: Stage) -> None:
    stage.connection.pause_writing()
    stage.ask(create("/a"))
    await turns()
    assert not stage.transport.is_reading_now
    assert stage.tree.tree.find("/a") is None
    stage.connection.resume_writing()
    await turns()
    assert stage.transport.is_reading_now
    assert [error for _, error, _ in stage.transport.take()] == [0]


async def test_what_the_disk_had_no_room_for_is_an_open_outcome_and_the_connection_goes_on(
    stage: Stage,
) -> None:
    stage.disk.free = 10
    stage.ask(create("/a"), kazoo.GetData("/a", watcher=False), create("/a"))
    await turns()
    assert stage.transport.take() == [(1, -4, b""), (2, -4, b""), (3, -4, b"")]
    stage.disk.free = 1 << 30
    stage.ask(kazoo.GetData("/a", watcher=False), create("/a"))
    await turns()
    assert [error for _, error, _ in stage.transport.take()] == [-101, 0]


async def test_a_failed_disk_ends_the_connection(stage: Stage) -> None:
    stage.disk.steps_left = 0
    stage.ask(create("/a"))
    await turns()
    assert stage.transport.is_closed
    assert stage.transport.take() == []


async def test_more_watches_than_allowed_end_the_connection_and_are_forgotten() -> None:
    stage = Stage(WireLimits(watches_max=2))
    await stage.begin()
    session = next(iter(stage.tree._sessions))
    for path in ("/a", "/b", "/a"):
        stage.ask(kazoo.Exists(path, watcher=True))
        await turns()
    assert stage.tree.watch_count(session) == 2
    assert not stage.transport.is_closed
    with capture_logs() as logs:
        stage.ask(kazoo.GetChildren("/", watcher=True))
    assert stage.transport.is_closed
    assert stage.tree.watch_count(session) == 0
    assert [line["reason"] for line in logs] == ["more than 2 watches"]


async def test_a_malformed_request_ends_its_connection_with_one_line(stage: Stage) -> None:
    with capture_logs() as logs:
        stage.ask(create("/a"))
        content = struct.pack(">iii", 9, 4, 1 << 20)
        stage.connection.data_received(struct.pack(">i", len(content)) + content)
        await turns()
    assert stage.transport.is_closed
    assert [line["event"] for line in logs] == ["wire_connection_closed"]
