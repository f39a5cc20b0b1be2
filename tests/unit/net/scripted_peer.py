"""Another broker on the simulator's network, which answers as a test tells it, byte for byte."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from service.net.peer_client import PeerClient
from service.net.peer_connection import PeerLimits
from service.protocol.codec import decode_request, encode_response
from service.protocol.headers import RequestHeader, decode_request_header
from service.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from service.protocol.schema import Request, Response
from tests.simulation.clock import SeededIds
from tests.simulation.loop import LoopClock, SimLoop, run_simulated
from tests.simulation.network import SimNetwork, SimTransport

HOST = "peer"
PORT = 9092
VERSION = 4
SEEDS = range(5)

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class Line(asyncio.Protocol):
    """One connection that the peer has accepted."""

    def __init__(self, peer: "ScriptedPeer") -> None:
        self._peer = peer
        self._received = b""
        self.transport: SimTransport
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(SimTransport, transport)
        self._peer.lines.append(self)
        self._peer.on_connected(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 4:
            end = 4 + int.from_bytes(self._received[:4], "big")
            if len(self._received) < end:
                return
            frame, self._received = self._received[4:end], self._received[end:]
            header = decode_request_header(frame)
            request = decode_request(header, frame)
            self._peer.requests.append((header, request))
            self._peer.reply(self, header, request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False

    def send(self, data: bytes) -> None:
        self.transport.write(data)


Reply = Callable[[Line, RequestHeader, Request], None]


def framed(header: RequestHeader, response: Response) -> bytes:
    """Return a whole response, its size included."""
    return b"".join(
        encode_response(response, header.api_key, header.api_version, header.correlation_id)
    )


def echo(header: RequestHeader, request: Request) -> bytes:
    """Return the honest response to a request of `ask`: the number that it has brought."""
    assert isinstance(request, HeartbeatRequest)
    return framed(header, HeartbeatResponse(throttle_time_ms=request.generation_id))


def honest(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(echo(header, request))


def silent(line: Line, header: RequestHeader, request: Request) -> None:
    pass


class ScriptedPeer:
    """What it does, and what it has seen.

    Attributes:
        reply: Takes each request.
        on_connected: Takes each connection.
    """

    def __init__(self, network: SimNetwork) -> None:
        self._network = network
        self.reply: Reply = honest
        self.on_connected: Callable[[Line], None] = lambda _: None
        self.lines: list[Line] = []
        self.requests: list[tuple[RequestHeader, Request]] = []

    @property
    def numbers(self) -> list[int]:
        """The numbers of the requests that have come, in order."""
        return [cast(HeartbeatRequest, request).generation_id for _, request in self.requests]

    async def start(self) -> None:
        listener = await self._network.listen(lambda: Line(self), HOST, PORT)
        await listener.start()

    def stop(self) -> None:
        self._network.kill_servers()


class WatchedNetwork(SimNetwork):
    """Notes when connections are tried.

    Attributes:
        is_stuck: No attempt ends.
        is_cut: Connections have ended by the time that they are there.
    """

    def __init__(self, loop: SimLoop) -> None:
        super().__init__(loop, loop.rng)
        self.attempts: list[float] = []
        self.is_stuck = False
        self.is_cut = False

    async def connect(
        self, factory: Callable[[], ProtocolT], host: str, port: int
    ) -> tuple[asyncio.Transport, ProtocolT]:
        loop = asyncio.get_running_loop()
        self.attempts.append(loop.time())
        if self.is_stuck:
            await loop.create_future()
        transport, protocol = await super().connect(factory, host, port)
        if self.is_cut:
            transport.abort()
            await asyncio.sleep(0)
        return transport, protocol


class Scene:
    """A client and its peer, which is up."""

    def __init__(self, loop: SimLoop, limits: PeerLimits) -> None:
        self.loop = loop
        self.network = WatchedNetwork(loop)
        self.peer = ScriptedPeer(self.network)
        self.client = PeerClient(
            network=self.network,
            host=HOST,
            port=PORT,
            client_id="me",
            limits=limits,
            clock=LoopClock(loop),
            ids=SeededIds(loop.rng.randrange(1 << 30)),
        )

    async def ask(self, number: int = 0, *, seconds: float = 30.0) -> int:
        """Ask for a number; return the one that the response brings."""
        request = HeartbeatRequest(generation_id=number)
        response = await self.client.request(request, version=VERSION, timeout_seconds=seconds)
        assert isinstance(response, HeartbeatResponse)
        return response.throttle_time_ms

    def asking(self, number: int, *, seconds: float = 30.0) -> "asyncio.Task[int]":
        return self.loop.create_task(self.ask(number, seconds=seconds))


def play(life: Callable[[Scene], Coroutine[Any, Any, None]], **limits: Any) -> None:
    """Run a story some times over, each with its own delays."""

    async def run(loop: SimLoop) -> None:
        scene = Scene(loop, PeerLimits(**limits))
        await scene.peer.start()
        await life(scene)

    for seed in SEEDS:
        run_simulated(seed, run)
