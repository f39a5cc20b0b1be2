"""Serves the embedded tree to other processes of this machine, as a ZooKeeper that stands alone.

Loopback only: there is no TLS, no user, and no access list but the open one. Sessions end with this
process, as those of the embedded tree do.
"""

import asyncio

from everlog.model.clock import IdSource
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.wire.connection import Connection, ConnectionServices
from service.coordination.embedded.wire.limits import WireLimits
from service.coordination.embedded.wire.sessions import TICK_SECONDS, Sessions
from service.coordination.metadata_store import ConnectionLostError
from service.model.network import Listener, Network

HOST = "127.0.0.1"


class WireServer:
    """One listening socket and its connections: `bind`, `start`, and `run` as long as it serves.

    Args:
        tree: Whose tree it serves; stays its owner's to close, after this.
        network: Where it listens.
        ids: Makes passwords of sessions.
        limits: What clients may hold.
    """

    def __init__(
        self,
        tree: TreeServer,
        *,
        network: Network,
        ids: IdSource,
        limits: WireLimits | None = None,
    ) -> None:
        self._tree = tree
        self._network = network
        self._limits = limits or WireLimits()
        self._sessions = Sessions(tree, ids=ids, limits=self._limits)
        self._connections: set[Connection] = set()
        self._listener: Listener | None = None

    @property
    def session_count(self) -> int:
        """Sessions that live."""
        return len(self._sessions)

    @property
    def connection_count(self) -> int:
        """Open connections."""
        return len(self._connections)

    async def bind(self, port: int, tasks: asyncio.TaskGroup) -> int:
        """Listen on a port of loopback, 0 for any; return it. Sessions begin in tasks of ``tasks``.

        Raises:
            CannotListenError: The port cannot be bound.
        """
        services = ConnectionServices(
            tree=self._tree,
            sessions=self._sessions,
            limits=self._limits,
            connections=self._connections,
            spawn=tasks.create_task,
        )
        self._listener = await self._network.listen(lambda: Connection(services), HOST, port)
        return self._listener.port

    async def start(self) -> None:
        """Begin to accept connections."""
        assert self._listener is not None, "a server is bound before it starts"
        await self._listener.start()

    async def run(self) -> None:
        """Watch over the sessions, until cancelled.

        Raises:
            ConnectionLostError: The tree's disk has failed; the process has to end.
        """
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._tree.failure is not None:
                raise ConnectionLostError(
                    f"the metadata tree has failed: {self._tree.failure}"
                ) from self._tree.failure
            await self._sessions.tick()

    def close(self) -> None:
        """Stop accepting and drop the connections; their sessions live as long as the tree's."""
        if self._listener is not None:
            self._listener.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """End every connection, so that clients come back to their sessions by others."""
        for connection in list(self._connections):
            connection.end()
