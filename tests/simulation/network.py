"""A network in memory: bytes arrive late, in pieces and in order, until somebody cuts the line."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from service.model.network import CannotListenError, Listener

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

DELAY_SECONDS = (0.0001, 0.004)
PIECE_BYTES_MAX = 4096


class SimTransport(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random) -> None:
        super().__init__()
        self._loop = loop
        self._rng = rng
        self._protocol: asyncio.BaseProtocol | None = None
        self._held: list[bytes] = []
        self._is_paused = False
        self._is_closing = False
        self._arrival = 0.0
        self.other: SimTransport

    def attach(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        held, self._held = self._held, []
        for piece in held:
            self._deliver(piece)

    def write(self, data: Any) -> None:
        if self._is_closing:
            return
        rest = bytes(data)
        while rest:
            size = self._rng.randint(1, PIECE_BYTES_MAX)
            piece, rest = rest[:size], rest[size:]
            # In order, though each piece has a delay of its own.
            self._arrival = max(
                self._arrival + 1e-6, self._loop.time() + self._rng.uniform(*DELAY_SECONDS)
            )
            self._loop.call_at(self._arrival, self.other._deliver, piece)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(bytes(each) for each in list_of_data))

    def close(self) -> None:
        # What has been written still arrives, as with asyncio's own transports.
        self._end_both(max(self._arrival, self._loop.time()))

    def abort(self) -> None:
        self._end_both(self._loop.time())

    def _end_both(self, soonest: float) -> None:
        self._end()
        self._loop.call_at(soonest + self._rng.uniform(*DELAY_SECONDS), self.other._end)

    def vanish(self) -> None:
        """Drop this end without a word to its owner, as when its process dies."""
        self._protocol = None
        self.abort()

    def _end(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            protocol, self._protocol = self._protocol, None
            if protocol is not None:
                self._loop.call_soon(protocol.connection_lost, None)

    def _deliver(self, data: bytes) -> None:
        if self._is_paused:
            self._held.append(data)
            return
        while data and self._protocol is not None:
            if isinstance(self._protocol, asyncio.BufferedProtocol):
                room = memoryview(self._protocol.get_buffer(-1))
                size = min(len(room), len(data))
                room[:size] = data[:size]
                self._protocol.buffer_updated(size)
            else:
                size = len(data)
                assert isinstance(self._protocol, asyncio.Protocol)
                self._protocol.data_received(data)
            data = data[size:]


class _SimListener:
    def __init__(self, network: "SimNetwork", port: int) -> None:
        self._network = network
        self.port = port
        self.is_started = False

    async def start(self) -> None:
        self.is_started = True

    def close(self) -> None:
        self._network.listeners.pop(self.port, None)


@dataclass(frozen=True, slots=True)
class _Served:
    listener: _SimListener
    factory: Callable[[], asyncio.BaseProtocol]
    ends: list[SimTransport]


class SimNetwork:
    """Everybody's loopback."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self._ends: list[SimTransport] = []
        self._next_port = 20_000
        self.listeners: dict[int, _Served] = {}

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> Listener:
        return await self.listen_for(self._ends, factory, host, port)

    async def listen_for(
        self,
        ends: list[SimTransport],
        factory: Callable[[], asyncio.BaseProtocol],
        host: str,
        port: int,
    ) -> Listener:
        """Listen for whoever keeps the ends of accepted connections in a list."""
        if port == 0:
            self._next_port += 1
            port = self._next_port
        if port in self.listeners:
            raise CannotListenError(host, port, OSError("it is taken"))
        listener = _SimListener(self, port)
        self.listeners[port] = _Served(listener, factory, ends)
        return listener

    async def connect(
        self, factory: Callable[[], ProtocolT], host: str, port: int
    ) -> tuple[asyncio.Transport, ProtocolT]:
        await asyncio.sleep(self._rng.uniform(*DELAY_SECONDS))
        known = self.listeners.get(port)
        if known is None or not known.listener.is_started:
            raise ConnectionRefusedError(f"{host}:{port}")
        near, far = (SimTransport(self._loop, self._rng) for _ in range(2))
        near.other, far.other = far, near
        known.ends.append(far)
        far.attach(known.factory())
        protocol = factory()
        near.attach(protocol)
        return near, protocol

    def kill_servers(self) -> None:
        """Take every server away at once, as when its process dies."""
        self.listeners.clear()
        _vanish(self._ends)


class SimHost:
    """One machine's network: what it listens on and what it has opened goes with it."""

    def __init__(self, network: SimNetwork) -> None:
        self._network = network
        self._ends: list[SimTransport] = []
        self._listeners: list[Listener] = []

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> Listener:
        listener = await self._network.listen_for(self._ends, factory, host, port)
        self._listeners.append(listener)
        return listener

    async def connect(
        self, factory: Callable[[], ProtocolT], host: str, port: int
    ) -> tuple[asyncio.Transport, ProtocolT]:
        transport, protocol = await self._network.connect(factory, host, port)
        assert isinstance(transport, SimTransport)
        self._ends.append(transport)
        return transport, protocol

    def kill(self) -> None:
        """Take the machine off the network without a word to anybody."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        _vanish(self._ends)


def _vanish(ends: list[SimTransport]) -> None:
    gone = ends.copy()
    ends.clear()
    for end in gone:
        end.vanish()
