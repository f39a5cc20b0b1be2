"""A broker's own HTTP: ``/metrics``, ``/livez``, ``/readyz``, and nothing else.

One short request a connection; whatever is longer or of another method is refused.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from typing_extensions import override

from service.model.network import Listener, Network

REQUEST_BYTES_MAX = 8 * 1024
REQUEST_SECONDS_MAX = 5.0
_END_OF_HEAD = b"\r\n\r\n"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Page = Callable[[], Answer]


class AdminHttp:
    """Serves pages by path."""

    def __init__(self, *, network: Network, pages: Mapping[str, Page]) -> None:
        self._network = network
        self._pages = pages
        self._listener: Listener | None = None

    async def bind(self, host: str, port: int) -> int:
        """Listen, accept, and return the port that was bound.

        Raises:
            CannotListenError: The address cannot be bound.
        """
        self._listener = await self._network.listen(lambda: _Exchange(self._answer), host, port)
        await self._listener.start()
        return self._listener.port

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()

    def _answer(self, head: bytes) -> Answer:
        line = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(line) != len(("method", "target", "version")):
            return Answer(400, b"this is no HTTP request\n")
        method, target, _ = line
        page = self._pages.get(target.partition("?")[0])
        if page is None:
            known = ", ".join(sorted(self._pages))
            return Answer(404, f"there is no {target}; try {known}\n".encode())
        if method not in ("GET", "HEAD"):
            return Answer(405, b"only GET is offered\n")
        return page()


class _Exchange(asyncio.Protocol):
    """One request and its response."""

    def __init__(self, answer: Callable[[bytes], Answer]) -> None:
        self._answer = answer
        self._head = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(REQUEST_SECONDS_MAX, self._transport.abort)

    @override
    def data_received(self, data: bytes) -> None:
        self._head += data
        if _END_OF_HEAD in self._head:
            self._send(self._answer(self._head))
        elif len(self._head) > REQUEST_BYTES_MAX:
            self._send(Answer(400, b"the request is too long\n"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _send(self, answer: Answer) -> None:
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\n"
            f"Content-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + answer.body)
        self._transport.close()
