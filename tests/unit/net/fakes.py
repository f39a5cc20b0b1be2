"""A transport and a network in memory, and connections over them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from service.model.serving import Deferred, Peer
from service.net.budget import InflightBudget
from service.net.connection import Connection, ConnectionServices
from service.protocol.codec import encode_request
from service.protocol.frame_memory import FrameMemory
from service.protocol.headers import RequestHeader
from service.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from tests.simulation.clock import ManualClock

OK = HeartbeatResponse()


class FakeTransport:
    """Remembers what is done to it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.written = b""
        self.is_reading = True
        self.is_aborted = False
        self.is_closed = False
        self.writes = 0
        self._host = host

    def set_write_buffer_limits(self, high: int) -> None:
        assert high > 0

    def get_extra_info(self, name: str) -> object:
        return (self._host, 1234) if name == "peername" else None

    def is_closing(self) -> bool:
        return self.is_aborted or self.is_closed

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.written += data

    def writelines(self, buffers: list[bytes]) -> None:
        self.write(b"".join(buffers))

    def pause_reading(self) -> None:
        assert self.is_reading, "paused twice"
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading, "resumed twice"
        self.is_reading = True

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        self.is_closed = True

    def answers(self) -> list[int]:
        """Return the correlation ids of the responses so far."""
        found, rest = [], self.written
        while rest:
            size = int.from_bytes(rest[:4], "big")
            found.append(int.from_bytes(rest[4:8], "big"))
            rest = rest[4 + size :]
        return found


Answer = Any | Deferred | Coroutine[Any, Any, Any]


class Line:
    """A connection whose requests are answered by a function of their correlation ids."""

    def __init__(
        self,
        answer: Callable[[int], Answer],
        *,
        budget_bytes: int = 1 << 20,
        frame_max: int = 1 << 20,
    ) -> None:
        self.transport = FakeTransport()
        self.clock = ManualClock()
        self.budget = InflightBudget(bytes_max=budget_bytes)
        self.ended: list[Exception | None] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._answer = answer
        services = ConnectionServices(
            serve=self._serve,
            budget=self.budget,
            clock=self.clock,
            staging=bytearray(4096),
            memory=FrameMemory(),
            frame_bytes_max=frame_max,
            spawn=self._spawn,
            on_close=lambda _, reason: self.ended.append(reason),
        )
        self.connection = Connection(lambda *_: Peer("/127.0.0.1", 1, "PLAINTEXT"), services)
        self.connection.connection_made(cast("asyncio.BaseTransport", self.transport))

    def receive(self, data: bytes) -> None:
        """Let the client send bytes."""
        while data and not self.transport.is_aborted:
            room = self.connection.get_buffer(-1)
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]

    def request(self, *correlation_ids: int) -> None:
        """Let the client send requests, all in one piece."""
        self.receive(b"".join(map(a_request, correlation_ids)))

    async def settled(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def _serve(self, peer: Peer, header: RequestHeader, frame: memoryview) -> Answer:
        return self._answer(header.correlation_id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))


def a_request(correlation_id: int, *, group: str = "g") -> bytes:
    request = HeartbeatRequest(group_id=group, member_id="m")
    buffers = encode_request(request, request.API_KEY, 0, correlation_id, "c")
    return b"".join(map(bytes, buffers))


class FakeListener:
    def __init__(self, port: int) -> None:
        self.port = port
        self.is_started = False
        self.is_closed = False

    async def start(self) -> None:
        self.is_started = True

    def close(self) -> None:
        self.is_closed = True


class FakeNetwork:
    """Hands out listeners; a test makes the connections."""

    def __init__(self) -> None:
        self.listener: FakeListener
        self._make: Callable[[], asyncio.BaseProtocol]

    async def listen(
        self, make: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> FakeListener:
        self._make = make
        self.listener = FakeListener(port or 4321)
        return self.listener

    def connect(self, host: str = "127.0.0.1") -> tuple[Any, FakeTransport]:
        """Return the broker's side of a new connection."""
        protocol, transport = self._make(), FakeTransport(host)
        protocol.connection_made(cast("asyncio.BaseTransport", transport))
        return protocol, transport
