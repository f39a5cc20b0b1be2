"""One connection to another broker: requests out, and their responses in the same order."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from typing_extensions import override

from everlog.model.errors import RetriableError
from service.protocol.codec import decode_response, encode_request
from service.protocol.errors import ProtocolError
from service.protocol.frame_memory import FrameMemory
from service.protocol.framing import FRAME_BYTES_MAX, STAGING_BYTES, FrameReceiver
from service.protocol.primitives import ARRAY_ELEMENTS_MAX
from service.protocol.schema import Request, Response

RESPONSE_BYTES_MAX = FRAME_BYTES_MAX + 8 * 1024 * 1024
"""The largest batch that a request can bring, and what lies around it.

A Fetch of as many partitions as a request may name is answered with some 100 bytes for each.
"""

RESPONSE_ELEMENTS_MAX = 10 * ARRAY_ELEMENTS_MAX
"""More than a request may bring: CreateTopics is answered with every setting of each topic."""

_CORRELATION_ID_MAX = 2**31 - 1


class PeerLostError(RetriableError):
    """The other broker does not answer; whether it did what was asked is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimits:
    """Bounds on what one other broker may take.

    Attributes:
        connect_seconds_max: Kafka's ``socket.connection.setup.timeout.ms``.
        requests_in_flight_max: Requests without a response, those included that nobody waits for
            any more. Kafka's consumers have as many.
        frame_bytes_max: Of one response.
        elements_max: Of one response, over all its arrays and tags together.
    """

    connect_seconds_max: float = 10.0
    requests_in_flight_max: int = 100
    frame_bytes_max: int = RESPONSE_BYTES_MAX
    elements_max: int = RESPONSE_ELEMENTS_MAX


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that has not been answered."""

    correlation_id: int
    api_key: int
    version: int
    response: "asyncio.Future[Response]"
    patience: asyncio.TimerHandle


class PeerConnection(asyncio.BufferedProtocol):
    """The protocol object of one connection that this broker opens.

    Args:
        name: Of the other broker, for errors.
        client_id: How this one calls itself.
        limits: What the other one may take.
        on_settled: Told once for each request that was sent: it is answered, or never will be.

    Attributes:
        is_open: Whether a request can be sent.
        has_answered: Whether there ever was a response.
    """

    def __init__(
        self, *, name: str, client_id: str, limits: PeerLimits, on_settled: Callable[[], None]
    ) -> None:
        self._name = name
        self._client_id = client_id
        self._elements_max = limits.elements_max
        self._on_settled = on_settled
        self._receiver = FrameReceiver(
            bytearray(STAGING_BYTES), FrameMemory(), frame_bytes_max=limits.frame_bytes_max
        )
        self._sent: deque[_Sent] = deque()
        self._correlation_id = 0
        self._transport: asyncio.Transport
        self.is_open = False
        self.has_answered = False

    def send(
        self, message: Request, *, version: int, deadline: float
    ) -> "asyncio.Future[Response]":
        """Send a request while the connection is open.

        The future gets the response, or a `PeerLostError`. Whoever cancels it gives up the
        response, not its place in the order. At the deadline, in seconds of the loop's clock, the
        connection is closed if there is no response, whether somebody still waits for it or not.

        Raises:
            ProtocolError: The version does not exist, or cannot carry the message; nothing is sent.
        """
        assert self.is_open, "what is sent now would never be settled"
        key, number = int(message.API_KEY), self._correlation_id
        buffers = encode_request(message, key, version, number, self._client_id)
        loop = asyncio.get_running_loop()
        overdue = f"no response to {message.API_KEY.name} in time"
        patience = loop.call_at(deadline, self.end, overdue)
        sent = _Sent(number, key, version, loop.create_future(), patience)
        self._correlation_id = number + 1 if number < _CORRELATION_ID_MAX else 0
        self._sent.append(sent)
        self._transport.writelines(buffers)
        return sent.response

    def end(self, reason: str) -> None:
        """Close the connection; what is not answered yet gets a `PeerLostError`."""
        if not self.is_open:
            return
        self.is_open = False
        self._transport.abort()
        while self._sent:
            response = self._settle().response
            if not response.done():
                response.set_exception(PeerLostError(f"broker at {self._name}: {reason}"))

    # ---- asyncio's side

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._receiver.buffer()

    @override
    def buffer_updated(self, nbytes: int) -> None:
        try:
            for frame in self._receiver.received(nbytes):
                self._answer(frame)
        except ProtocolError as error:
            self.end(str(error))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.end(str(exc or "it has closed the connection"))

    def _answer(self, frame: memoryview) -> None:
        """Give a response to the oldest request, whose it has to be."""
        if not self._sent:
            raise ProtocolError("a response to nothing")
        sent = self._sent[0]
        correlation_id, response = decode_response(
            frame, sent.api_key, sent.version, elements_max=self._elements_max
        )
        if correlation_id != sent.correlation_id:
            raise ProtocolError(f"response {correlation_id} in place of {sent.correlation_id}")
        self.has_answered = True
        self._settle()
        if not sent.response.done():
            sent.response.set_result(response)

    def _settle(self) -> _Sent:
        """Take the oldest request away: it is answered, or never will be."""
        sent = self._sent.popleft()
        sent.patience.cancel()
        self._on_settled()
        return sent
