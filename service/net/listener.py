"""Accepts connections, counts them, and ends those that are idle or do not finish a frame."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from everlog.model.clock import Clock
from service.model.network import Listener, Network
from service.model.serving import ConnectionClosingError, Peer
from service.net.budget import InflightBudget
from service.net.connection import Connection, ConnectionServices, Serve, Traffic
from service.protocol.frame_memory import FrameMemory
from service.protocol.framing import FRAME_BYTES_MAX, STAGING_BYTES

SWEEP_SECONDS = 1.0
"""How often idle connections are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """Bounds on what strangers may hold.

    Attributes:
        connections_max: Open connections in all.
        connections_per_ip_max: Open connections of one address.
        idle_seconds_max: A connection without a request for so long is closed
            (``connections.max.idle.ms``).
        frame_seconds_max: A frame has to be complete so long after its first byte
            (``socket.request.timeout.ms``).
        frame_bytes_max: ``socket.request.max.bytes``.
    """

    connections_max: int = 10_000
    connections_per_ip_max: int = 10_000
    idle_seconds_max: float = 600.0
    frame_seconds_max: float = 30.0
    frame_bytes_max: int = FRAME_BYTES_MAX


class ClientListener:
    """The listening socket of the Kafka protocol, and its connections.

    Attributes:
        traffic: What has passed them all.
    """

    def __init__(
        self,
        *,
        name: str,
        network: Network,
        serve: Serve,
        budget: InflightBudget,
        clock: Clock,
        limits: ListenerLimits,
        on_refused: Callable[[Peer, Exception], None],
    ) -> None:
        self._name = name
        self._network = network
        self._limits = limits
        self._clock = clock
        self._on_refused = on_refused
        self._serve = serve
        self._budget = budget
        self._connections: dict[Connection, None] = {}
        self._by_host: dict[str, int] = {}
        self._next_id = 0
        self.traffic = Traffic()
        self._tasks: asyncio.TaskGroup
        self._listener: Listener | None = None

    @property
    def connection_count(self) -> int:
        """Open connections."""
        return len(self._connections)

    @property
    def accepted_count(self) -> int:
        """Connections that there have ever been."""
        return self._next_id

    async def bind(self, host: str, port: int, tasks: asyncio.TaskGroup) -> int:
        """Listen, and return the port that was bound. Requests run as tasks of ``tasks``.

        Raises:
            CannotListenError: The address cannot be bound.
        """
        self._tasks = tasks
        services = ConnectionServices(
            serve=self._serve,
            budget=self._budget,
            clock=self._clock,
            staging=bytearray(STAGING_BYTES),
            memory=FrameMemory(),
            frame_bytes_max=self._limits.frame_bytes_max,
            spawn=tasks.create_task,
            on_close=self._forget,
            traffic=self.traffic,
        )
        self._listener = await self._network.listen(
            lambda: Connection(self._admit, services), host, port
        )
        return self._listener.port

    async def start(self) -> None:
        """Begin to accept connections."""
        assert self._listener is not None, "a listener is bound before it starts"
        await self._listener.start()

    async def run(self) -> None:
        """End connections that have outstayed their welcome, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._clock.monotonic()
            for connection in list(self._connections):
                if self._is_too_slow(connection, now):
                    connection.close(ConnectionClosingError("a request took too long to arrive"))
                elif self._is_idle(connection, now):
                    connection.close()

    def _is_too_slow(self, connection: Connection, now: float) -> bool:
        began = connection.frame_began
        if began is None or connection.is_paused:
            return False
        return now - began > self._limits.frame_seconds_max

    def _is_idle(self, connection: Connection, now: float) -> bool:
        silent = now - connection.last_read
        return silent > self._limits.idle_seconds_max and not connection.has_requests

    def close(self) -> None:
        """Stop accepting; open connections go on."""
        if self._listener is not None:
            self._listener.close()

    def close_connections(self) -> None:
        """Drop every open connection."""
        for connection in list(self._connections):
            connection.close()

    def _admit(self, connection: Connection, transport: asyncio.Transport) -> Peer:
        """Name a new connection; one beyond the limits is closed again."""
        address = transport.get_extra_info("peername")
        host = f"/{address[0]}" if address else "/unknown"
        self._next_id += 1
        peer = Peer(host, self._next_id, self._name)
        self._connections[connection] = None
        self._by_host[host] = self._by_host.get(host, 0) + 1
        if (
            len(self._connections) > self._limits.connections_max
            or self._by_host[host] > self._limits.connections_per_ip_max
        ):
            connection.close(ConnectionClosingError(f"too many connections from {host}"))
        return peer

    def _forget(self, connection: Connection, reason: Exception | None) -> None:
        del self._connections[connection]
        host = connection.peer.host
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
        if reason is not None:
            self._on_refused(connection.peer, reason)
