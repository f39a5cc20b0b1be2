"""From a frame to its handler and back to a frame."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from service.broker.context import Handler, RequestContext
from service.model.serving import ConnectionClosingError, Deferred, HeldBack, Peer
from service.protocol.api import ApiKey
from service.protocol.codec import decode_request
from service.protocol.errors import ProtocolError
from service.protocol.headers import RequestHeader

OnDefect = Callable[[ApiKey, int, Exception], None]
"""Told when a handler has failed in a way that no client can cause on purpose."""


class Dispatcher:
    """Finds the handler of a request (a `service.net.connection.Serve`).

    Args:
        handlers: By API key; an API without one closes the connection.
        on_defect: For the log and the metrics.
    """

    def __init__(self, *, handlers: Mapping[ApiKey, Handler], on_defect: OnDefect) -> None:
        self._handlers: dict[int, Handler] = {int(key): value for key, value in handlers.items()}
        self._on_defect = on_defect
        self._counts = [0] * (max(self._handlers, default=0) + 1)

    @property
    def request_counts(self) -> dict[ApiKey, int]:
        """Requests that have come, by API."""
        return {ApiKey(key): self._counts[key] for key in self._handlers}

    def serve(
        self, peer: Peer, header: RequestHeader, frame: memoryview
    ) -> Any | Deferred | HeldBack | Awaitable[Any]:
        """Decode the body of a request and hand it to its handler; return what that returns.

        Raises:
            ProtocolError: The frame is no request that is served here.
            ConnectionClosingError: There is no way to answer it.
        """
        handler = self._handlers.get(header.api_key)
        if handler is None:
            raise ProtocolError(f"API {header.api_key} is not served")
        self._counts[header.api_key] += 1
        request = decode_request(header, frame)
        context = RequestContext(
            header.api_version,
            header.client_id or "",
            peer.host,
            peer.connection_id,
            peer.listener,
        )
        try:
            result = handler(context, request)
        except ConnectionClosingError:
            raise
        except Exception as error:
            raise self._defect(header, error) from error
        if asyncio.iscoroutine(result):
            return self._supervised(header, result)
        return result

    async def _supervised(self, header: RequestHeader, work: Awaitable[Any]) -> Any:
        try:
            return await work
        except ConnectionClosingError:
            raise
        except Exception as error:
            raise self._defect(header, error) from error

    def _defect(self, header: RequestHeader, error: Exception) -> ConnectionClosingError:
        """Report a handler's failure; the client sees its connection end and asks again."""
        self._on_defect(ApiKey(header.api_key), header.api_version, error)
        return ConnectionClosingError("the request could not be served")
