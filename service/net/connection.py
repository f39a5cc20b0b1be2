"""One client connection: frames in, responses out in the order of the requests.

Several requests may be in flight. A response that is ready early waits in its slot for those before
it, and everything that is ready is sent in one write.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from typing_extensions import override

from everlog.model.clock import Clock
from service.model.disk import Buffer
from service.model.serving import ConnectionClosingError, Deferred, HeldBack, Peer
from service.net.budget import InflightBudget
from service.protocol.codec import encode_response
from service.protocol.errors import EncodeError, ProtocolError
from service.protocol.frame_memory import FrameMemory
from service.protocol.framing import FrameReceiver
from service.protocol.headers import RequestHeader, decode_request_header

REQUESTS_IN_FLIGHT_MAX = 1000
"""Requests of one connection that may be at work.

An idempotent producer has five. Others send as fast as they can, and the more of their requests
share a round of the group commit, the less each costs.
"""

WRITE_BUFFER_BYTES_MAX = 64 * 1024 * 1024
"""Unsent response bytes at which a connection is not read: its client does not read either."""

JOIN_BYTES_MAX = 4 * 1024
"""Small buffers are joined before they are written; a copy is cheaper than handing them over."""


Serve = Callable[
    [Peer, RequestHeader, memoryview], Any | Deferred | HeldBack | Coroutine[Any, Any, Any]
]
"""Gives a request a meaning; returns the response, or what it will come from.

With a `Deferred` the next request of the connection begins; a coroutine is run to its end first;
after a `HeldBack` nothing begins for a while.

Raises:
    ProtocolError, ConnectionClosingError: The request cannot be answered; the connection is closed.
"""


@dataclass(slots=True)
class Traffic:
    """What has passed the connections of a listener, for the metrics; only ever raised."""

    bytes_received: int = 0
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionServices:
    """What all connections of a listener share.

    Attributes:
        spawn: Starts a task that has an owner.
        on_close: Told when a connection has ended, with the reason if it was the broker's.
    """

    serve: Serve
    budget: InflightBudget
    clock: Clock
    staging: bytearray
    memory: FrameMemory
    frame_bytes_max: int
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    on_close: "Callable[[Connection, Exception | None], None]"
    traffic: Traffic = field(default_factory=Traffic)


Admit = Callable[["Connection", asyncio.Transport], Peer]
"""Names a new connection, or closes it because there are too many."""


class _Slot:
    """The place of one response in the order."""

    __slots__ = ("buffers", "connection", "header", "is_done", "request_bytes")

    def __init__(self, connection: "Connection", header: RequestHeader, size: int) -> None:
        self.connection = connection
        self.header = header
        self.request_bytes = size
        self.buffers: list[Buffer] = []
        self.is_done = False

    def fill(self, response: Any) -> None:
        """Take the response; None takes part in the order and sends nothing."""
        self.is_done = True
        if isinstance(response, ConnectionClosingError):
            self.connection.close(response)
            return
        if response is not None:
            header = self.header
            try:
                self.buffers = encode_response(
                    response, header.api_key, header.api_version, header.correlation_id
                )
            except EncodeError as error:
                # Raised further, it would end the round of whoever has brought the response.
                self.connection.close(error)
                return
        self.connection.send_ready(self)


class Connection(asyncio.BufferedProtocol):
    """The protocol object of one accepted socket.

    Attributes:
        last_read: When something was received last, in seconds of the monotonic clock.
        frame_began: When the request began that is not here as a whole; None between requests.
    """

    def __init__(self, admit: Admit, services: ConnectionServices) -> None:
        self._admit = admit
        self._services = services
        self._receiver = FrameReceiver(
            services.staging, services.memory, frame_bytes_max=services.frame_bytes_max
        )
        self._slots: deque[_Slot] = deque()
        self._waiting: deque[memoryview] = deque()
        self._pauses = 0
        self._is_serial = False
        self._is_crowded = False
        self._mute: asyncio.TimerHandle | None = None
        self._admitted = 0
        self._flush_is_scheduled = False
        self._failure: Exception | None = None
        self._transport: asyncio.Transport
        self.peer: Peer
        self.last_read = services.clock.monotonic()
        self.frame_began: float | None = None

    # ---- asyncio's side

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self.peer = self._admit(self, self._transport)

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._receiver.buffer()

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self.last_read = self._services.clock.monotonic()
        self._services.traffic.bytes_received += nbytes
        try:
            frames = self._receiver.received(nbytes)
        except ProtocolError as error:
            self.close(error)
            return
        if self._receiver.is_idle:
            self.frame_began = None
        elif frames or self.frame_began is None:
            self.frame_began = self.last_read
        for frame in frames:
            if self._transport.is_closing():
                break  # what follows a request that was refused is not served
            self._services.budget.take(len(frame), self)
            if self._waiting or not self._may_begin:
                self._waiting.append(frame)
            else:
                self._begin(frame)
        if self._waiting and not self._is_crowded:
            self._is_crowded = True
            self.pause()

    @override
    def pause_writing(self) -> None:
        self.pause()

    @override
    def resume_writing(self) -> None:
        self.resume()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._mute is not None:
            self._mute.cancel()
        budget = self._services.budget
        budget.forget(self)
        for slot in self._slots:
            budget.give(slot.request_bytes)
            slot.request_bytes = 0
        for frame in self._waiting:
            budget.give(len(frame))
        self._slots.clear()
        self._waiting.clear()
        self._services.on_close(self, self._failure or exc)

    # ---- the listener's and the budget's side

    @property
    def is_paused(self) -> bool:
        """Whether the broker itself has stopped reading."""
        return self._pauses > 0

    @property
    def has_requests(self) -> bool:
        """Whether a request is waiting for its response."""
        return bool(self._slots)

    def close(self, reason: Exception | None = None) -> None:
        """Drop the connection without an answer."""
        if self._failure is None:
            self._failure = reason
        self._transport.abort()

    def pause(self) -> None:
        """Stop reading; every pause needs its own `resume`."""
        self._pauses += 1
        if self._pauses == 1 and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on when nobody else wants a pause."""
        self._pauses -= 1
        if self._pauses == 0 and not self._transport.is_closing():
            if self.frame_began is not None:
                # The client could not go on with its request; it is not to blame for the pause.
                self.frame_began = self._services.clock.monotonic()
            self._transport.resume_reading()

    # ---- requests

    @property
    def _may_begin(self) -> bool:
        if self._is_serial or len(self._slots) >= REQUESTS_IN_FLIGHT_MAX:
            return False
        return self._mute is None or self._admitted > 0

    def _begin(self, frame: memoryview) -> None:
        try:
            header = decode_request_header(frame)
        except ProtocolError as error:
            # Without a slot nobody else gives its bytes back.
            self._services.budget.give(len(frame))
            self.close(error)
            return
        slot = _Slot(self, header, len(frame))
        self._slots.append(slot)
        try:
            result = self._services.serve(self.peer, header, frame)
        except (ProtocolError, ConnectionClosingError) as error:
            self.close(error)
            return
        if isinstance(result, HeldBack):
            self._hold_back(result.seconds)
            result = result.result
        if isinstance(result, Deferred):
            result.then(slot.fill)
        elif asyncio.iscoroutine(result):
            self._is_serial = True
            self._services.spawn(self._run(slot, result))
        else:
            slot.fill(result)

    def _hold_back(self, seconds: float) -> None:
        """Take up no further request for so long."""
        if self._mute is None:
            self.pause()
        else:
            self._mute.cancel()
        self._mute = asyncio.get_running_loop().call_later(seconds, self._end_mute)

    def _end_mute(self) -> None:
        self._mute = None
        # What has come already was sent before the client knew; it waits once and no longer, or
        # the last of many would be given up by its client.
        self._admitted = len(self._waiting)
        self._begin_waiting()
        self.resume()

    async def _run(self, slot: _Slot, work: Coroutine[Any, Any, Any]) -> None:
        try:
            result = await work
        except ConnectionClosingError as error:
            self.close(error)
            return
        finally:
            self._is_serial = False
        slot.fill(result)
        self._begin_waiting()

    def send_ready(self, slot: _Slot) -> None:
        """Send what can be sent, now that a slot is filled."""
        if self._slots and self._slots[0] is slot and not self._flush_is_scheduled:
            # Later responses of the same round join the same write.
            self._flush_is_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_scheduled = False
        out: list[Buffer] = []
        slots = self._slots
        answered = 0
        while slots and slots[0].is_done:
            slot = slots.popleft()
            out += slot.buffers
            answered += slot.request_bytes
        self._services.budget.give(answered)
        if out and not self._transport.is_closing():
            self._write(out)
        if self._waiting:
            self._begin_waiting()

    def _write(self, buffers: list[Buffer]) -> None:
        size = sum(map(len, buffers))
        self._services.traffic.bytes_sent += size
        if size <= JOIN_BYTES_MAX:
            self._transport.write(b"".join(buffers))
        else:
            self._transport.writelines(buffers)

    def _begin_waiting(self) -> None:
        while self._waiting and self._may_begin and not self._transport.is_closing():
            self._admitted = max(0, self._admitted - 1)
            self._begin(self._waiting.popleft())
        if self._is_crowded and not self._waiting:
            self._is_crowded = False
            self.resume()
