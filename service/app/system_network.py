"""The real network: asyncio's own sockets."""

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar

from service.model.network import CannotListenError, Listener

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

BACKLOG = 1024
"""Connections that wait to be accepted; a fleet of clients reconnects at once after a restart."""


class _Bound:
    """A listening server of asyncio."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    async def start(self) -> None:
        await self._server.start_serving()

    def close(self) -> None:
        self._server.close()


class SystemNetwork:
    """TCP of the operating system."""

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> Listener:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                factory, host, port, backlog=BACKLOG, start_serving=False
            )
        except OSError as error:
            raise CannotListenError(host, port, error) from error
        return _Bound(server)

    async def connect(
        self, factory: Callable[[], ProtocolT], host: str, port: int
    ) -> tuple[asyncio.Transport, ProtocolT]:
        transport, protocol = await asyncio.get_running_loop().create_connection(
            factory, host, port
        )
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return transport, protocol
