"""What passes between sockets and the meaning of requests, which do not know each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from everlog.model.errors import EverlogError


class ConnectionClosingError(EverlogError):
    """The connection has to be closed: the protocol has no other way to tell the client."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of a connection.

    Attributes:
        host: Its address as Kafka prints it, ``/127.0.0.1``.
        connection_id: Unique for the life of the process.
        listener: Name of the listener that it came in by.
    """

    host: str
    connection_id: int
    listener: str


class Deferred:
    """A response that comes later: what a future is, less the round through the loop.

    Resolved once, on the loop, by whoever made it; one receiver takes it, before or after. A
    `ConnectionClosingError` in its place closes the connection.
    """

    __slots__ = ("_is_resolved", "_receive", "_response")

    def __init__(self) -> None:
        self._receive: Callable[[Any], None] | None = None
        self._response: Any = None
        self._is_resolved = False

    @property
    def is_resolved(self) -> bool:
        """Whether the response is there."""
        return self._is_resolved

    def resolve(self, response: Any) -> None:
        """Give the response; later ones are ignored, as for a time-out and its race."""
        if self._is_resolved:
            return
        self._is_resolved = True
        if self._receive is None:
            self._response = response
        else:
            self._receive(response)

    def then(self, receive: Callable[[Any], None]) -> None:
        """Hand the response to ``receive``, at once if it is there."""
        if self._is_resolved:
            receive(self._response)
        else:
            self._receive = receive


class HeldBack:
    """The result of a request whose connection has to wait before its next one is taken up.

    Attributes:
        result: What there would be without the wait: a response, a `Deferred`, or None.
        seconds: For how long, from now on; the response says the same (KIP-219).
    """

    __slots__ = ("result", "seconds")

    def __init__(self, result: Any, seconds: float) -> None:
        self.result = result
        self.seconds = seconds
