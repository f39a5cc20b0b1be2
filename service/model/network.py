"""Port for the network: listening and connecting, with asyncio's own protocols and transports.

asyncio's event loop satisfies it as it is (`SystemNetwork` delegates to the running loop); the
simulator joins two protocols by a pair of in-memory transports that delay, split, cut and reset.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from everlog.model.errors import RejectedError

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class CannotListenError(RejectedError):
    """An address cannot be bound.

    Attributes:
        error: What the operating system said.
    """

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(f"{host}:{port} cannot be listened on: {error.strerror or error}")
        self.host = host
        self.port = port
        self.error = error


class Listener(Protocol):
    """A bound and listening socket."""

    @property
    def port(self) -> int:
        """The port that was really bound, also when 0 was asked for."""
        ...

    async def start(self) -> None:
        """Accept connections; until then they wait in the backlog."""
        ...

    def close(self) -> None:
        """Stop accepting; open connections stay."""
        ...


class Network(Protocol):
    """TCP, or something that behaves like it."""

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> Listener:
        """Bind and listen; each accepted connection gets a protocol from ``factory``.

        Raises:
            CannotListenError: The address cannot be bound.
        """
        ...

    async def connect(
        self, factory: Callable[[], ProtocolT], host: str, port: int
    ) -> tuple[asyncio.Transport, ProtocolT]:
        """Open a connection.

        Raises:
            OSError: Nobody answers at that address.
        """
        ...
