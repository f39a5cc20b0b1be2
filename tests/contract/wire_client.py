"""Speaks ZooKeeper's protocol frame by frame, by kazoo's own encoding, over any network."""

import asyncio
import struct
from dataclasses import dataclass
from typing import Any, Self, cast

from kazoo.protocol.serialization import Connect, Watch

from service.model.network import Network

WAIT_SECONDS_MAX = 60.0
NO_PASSWORD = bytes(16)


@dataclass(frozen=True)
class Greeting:
    timeout_ms: int
    session: int
    password: bytes


@dataclass(frozen=True)
class Reply:
    xid: int
    zxid: int
    code: int
    body: bytes

    def decoded(self, request: Any) -> Any:
        """Return what kazoo makes of it."""
        return request.deserialize(self.body, 0)

    @property
    def event(self) -> tuple[int, str]:
        """Kind and path, if it is a hint."""
        assert (self.xid, self.zxid, self.code) == (-1, -1, 0)
        watch, _ = Watch.deserialize(self.body, 0)
        return watch.type, watch.path


def connect(
    *,
    session: int = 0,
    password: bytes = NO_PASSWORD,
    timeout_ms: int = 6000,
    last_zxid: int = 0,
) -> bytes:
    """Return the content of a first frame."""
    request = Connect(0, last_zxid, timeout_ms, session, password, read_only=False)
    return bytes(request.serialize())


class WireClient(asyncio.Protocol):
    """One connection, and all that it was told, in order."""

    def __init__(self) -> None:
        self._received = b""
        self._news = asyncio.Event()
        self._xid = 0
        self.is_closed = False
        self.transport: asyncio.Transport

    @classmethod
    async def open(cls, network: Network, port: int) -> Self:
        transport, client = await network.connect(cls, "127.0.0.1", port)
        client.transport = transport
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._news.set()

    def send(self, content: bytes) -> None:
        """Send one frame."""
        self.transport.write(struct.pack(">i", len(content)) + content)

    async def frame(self) -> bytes | None:
        """Return the next frame; None when the connection has ended before."""
        while True:
            if len(self._received) >= 4:
                (length,) = struct.unpack_from(">i", self._received)
                if len(self._received) >= 4 + length:
                    content = self._received[4 : 4 + length]
                    self._received = self._received[4 + length :]
                    return content
            if self.is_closed:
                return None
            await self._wait()

    async def rest(self) -> bytes:
        """Return all that comes until the end of the connection."""
        while not self.is_closed:
            await self._wait()
        return self._received

    async def _wait(self) -> None:
        self._news.clear()
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await self._news.wait()

    async def greet(
        self, *, session: int = 0, password: bytes = NO_PASSWORD, timeout_ms: int = 6000
    ) -> Greeting:
        """Begin a session, or come back to one; refused, it has no time."""
        self.send(connect(session=session, password=password, timeout_ms=timeout_ms))
        content = await self.frame()
        assert content is not None, "the server has said nothing"
        greeting, end = Connect.deserialize(content, 0)
        assert end == len(content)
        return Greeting(greeting.time_out, greeting.session_id, greeting.passwd)

    def ask(self, request: Any, xid: int | None = None) -> int:
        """Send a request of kazoo's; return its xid."""
        if xid is None:
            self._xid += 1
            xid = self._xid
        self.send(struct.pack(">ii", xid, request.type) + bytes(request.serialize()))
        return xid

    async def reply(self) -> Reply:
        """Return the next answer or hint."""
        content = await self.frame()
        assert content is not None, "the connection has ended"
        return Reply(*struct.unpack_from(">iqi", content), content[16:])

    async def call(self, request: Any, xid: int | None = None) -> Reply:
        """Send a request and return its answer, which must be the next that comes."""
        xid = self.ask(request, xid)
        reply = await self.reply()
        assert reply.xid == xid
        return reply
