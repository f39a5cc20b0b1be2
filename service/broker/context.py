"""What a handler knows about the request besides its body."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from service.model.serving import Deferred, HeldBack

FORWARDER = "everlog-forwarder"
"""Client id of what a broker sends on; nobody sends it on again while the controller moves."""


class RequestContext(NamedTuple):
    """Where a request came from.

    Attributes:
        api_version: Version of the API that the request used and that the response will be written
            in.
        client_id: As the client named itself; empty when it did not.
        client_host: Its address as Kafka prints it, ``/127.0.0.1``.
        connection_id: Unique for the life of the process.
        listener: Name of the listener that it came in by.
    """

    api_version: int
    client_id: str
    client_host: str
    connection_id: int
    listener: str

    @property
    def is_forwarded(self) -> bool:
        """Whether another broker has sent it on."""
        return self.client_id == FORWARDER


Handler = Callable[[RequestContext, Any], Any | Deferred | HeldBack | Awaitable[Any]]
"""One API: returns the response, a `Deferred` or a coroutine of it; None sends no response.

With a `Deferred` the next request of the connection may begin; a coroutine is run to its end first,
so that requests take effect in the order in which they came. A `HeldBack` around a response or a
`Deferred` keeps the next request waiting for a while.
"""
