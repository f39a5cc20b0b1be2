"""Sends requests to one other broker over one connection, and matches the responses."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import cast

from typing_extensions import override

from everlog.model.errors import RetriableError
from service.model.network import Network
from service.protocol.codec import decode_response, encode_request
from service.protocol.errors import ProtocolError
from service.protocol.frame_memory import FrameMemory
from service.protocol.framing import FRAME_BYTES_MAX, STAGING_BYTES, FrameReceiver
from service.protocol.schema import Request, Response


class PeerLostError(RetriableError):
    """The other broker does not answer; whether it did what was asked is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimits:
    """What one connection may cost.

    Attributes:
        connect_seconds: An attempt to connect is given up after so long.
        frame_bytes_max: A larger response ends the connection.
        in_flight_max: More requests wait for an answer to one of them.
    """

    connect_seconds: float = 10.0
    frame_bytes_max: int = FRAME_BYTES_MAX
    in_flight_max: int = 100


class PeerClient:
    """One connection, opened when there is something to ask and again after it was lost."""

    def __init__(
        self, *, network: Network, host: str, port: int, client_id: str, limits: PeerLimits
    ) -> None:
        self._network = network
        self._host = host
        self._port = port
        self._client_id = client_id
        self._limits = limits
        self._line: _Line | None = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(limits.in_flight_max)
        self._is_closed = False

    async def request(self, message: Request, *, version: int, timeout_seconds: float) -> Response:
        """Send a request, and return its response; records are the caller's to keep.

        Raises:
            PeerLostError: There is no connection, no answer in time, or none that can be read. The
                connection is over then: a late answer must not be taken for another one.
        """
        async with self._slots:
            line = await self._connected()
            answer = line.send(message, version)
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await answer
            except TimeoutError as error:
                reason = f"no answer within {timeout_seconds:g} s"
                line.end(reason)
                raise self._lost(reason) from error

    def close(self) -> None:
        """End the connection; whoever waits gets a `PeerLostError`."""
        self._is_closed = True
        if self._line is not None:
            self._line.end("this side has closed the connection")

    async def _connected(self) -> "_Line":
        async with self._connecting:
            if self._is_closed:
                raise self._lost("this side has closed the connection")
            if self._line is None or self._line.is_over:
                try:
                    async with asyncio.timeout(self._limits.connect_seconds):
                        _, self._line = await self._network.connect(
                            self._new_line, self._host, self._port
                        )
                except (OSError, TimeoutError) as error:
                    raise self._lost(str(error) or "no connection in time") from error
            return self._line

    def _new_line(self) -> "_Line":
        return _Line(self._where, self._client_id, self._limits.frame_bytes_max)

    @property
    def _where(self) -> str:
        return f"{self._host}:{self._port}"

    def _lost(self, reason: str) -> PeerLostError:
        return PeerLostError(f"broker at {self._where}: {reason}")


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that has no answer yet; brokers answer in order."""

    correlation_id: int
    api_key: int
    version: int
    answer: "asyncio.Future[Response]"


class _Line(asyncio.BufferedProtocol):
    """The protocol object of one connection."""

    def __init__(self, where: str, client_id: str, frame_bytes_max: int) -> None:
        self._where = where
        self._client_id = client_id
        self._receiver = FrameReceiver(
            bytearray(STAGING_BYTES), FrameMemory(), frame_bytes_max=frame_bytes_max
        )
        self._sent: deque[_Sent] = deque()
        self._next_id = 0
        self._transport: asyncio.Transport
        self.is_over = False

    def send(self, message: Request, version: int) -> "asyncio.Future[Response]":
        """Send a request; the future gets its response, or a `PeerLostError`."""
        sent = _Sent(
            self._next_id,
            int(message.API_KEY),
            version,
            asyncio.get_running_loop().create_future(),
        )
        self._next_id = (self._next_id + 1) & 0x7FFFFFFF
        buffers = encode_request(
            message, sent.api_key, version, sent.correlation_id, self._client_id
        )
        if self.is_over:
            sent.answer.set_exception(PeerLostError(f"broker at {self._where} has gone"))
            return sent.answer
        self._sent.append(sent)
        self._transport.writelines(buffers)
        return sent.answer

    def end(self, reason: str) -> None:
        """Close the connection; what was not answered never will be."""
        if not self.is_over:
            self.is_over = True
            self._transport.abort()
        self._fail(PeerLostError(f"broker at {self._where}: {reason}"))

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._receiver.buffer()

    @override
    def buffer_updated(self, nbytes: int) -> None:
        try:
            for frame in self._receiver.received(nbytes):
                self._take(frame)
        except ProtocolError as error:
            self.end(str(error))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = True
        self._fail(PeerLostError(f"broker at {self._where}: {exc or 'it has hung up'}"))

    def _take(self, frame: memoryview) -> None:
        if not self._sent:
            raise ProtocolError("an answer to nothing")
        sent = self._sent[0]
        correlation_id, response = decode_response(frame, sent.api_key, sent.version)
        if correlation_id != sent.correlation_id:
            raise ProtocolError(f"the answer to {correlation_id} instead of the next")
        self._sent.popleft()
        if not sent.answer.done():
            sent.answer.set_result(response)

    def _fail(self, error: PeerLostError) -> None:
        sent, self._sent = self._sent, deque()
        for each in sent:
            if not each.answer.done():
                each.answer.set_exception(error)
