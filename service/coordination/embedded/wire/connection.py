"""One connection: frames in, answers out in the same order, and hints in between.

All waiting is that of `TreeServer`, whose futures are done in the order of requests, each behind
the hints that it must not overtake. So what leaves here is in order without a queue of its own.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import structlog
from typing_extensions import override

from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.tree import Change, Target
from service.coordination.embedded.wire import four_letters, responses
from service.coordination.embedded.wire.codes import ErrorCode
from service.coordination.embedded.wire.execution import Answer, execute
from service.coordination.embedded.wire.jute import FrameBuffer, ProtocolError
from service.coordination.embedded.wire.limits import WireLimits
from service.coordination.embedded.wire.requests import (
    Close,
    Connect,
    decode_connect,
    decode_request,
)
from service.coordination.embedded.wire.sessions import Session, Sessions
from service.coordination.metadata_store import ConnectionLostError, SessionExpiredError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionServices:
    """What all connections of one server share.

    Attributes:
        connections: All that are open.
        spawn: Starts a task that has an owner.
    """

    tree: TreeServer
    sessions: Sessions
    limits: WireLimits
    connections: set["Connection"]
    spawn: Callable[[Coroutine[Any, Any, None]], object]


class Connection(asyncio.Protocol):
    """A client's connection, from its first byte to its end."""

    def __init__(self, services: ConnectionServices) -> None:
        self._services = services
        self._frames = FrameBuffer(frame_bytes_max=services.limits.frame_bytes_max)
        self._session: Session | None = None
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._is_occupied = False
        self._is_full = False
        self._is_reading = True
        self._transport: asyncio.Transport
        self._patience: asyncio.TimerHandle

    # ---- the transport's calls

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        limits, connections = self._services.limits, self._services.connections
        self._transport = cast(asyncio.Transport, transport)  # those of uvloop only look like one
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(limits.greeting_seconds_max, self._lose_patience)
        connections.add(self)
        if len(connections) > limits.connections_max:
            self._refuse(f"{limits.connections_max} connections are open already")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._services.connections.discard(self)
        self._leave()

    @override
    def pause_writing(self) -> None:
        self._is_full = True

    @override
    def resume_writing(self) -> None:
        self._is_full = False
        self._serve()

    @override
    def data_received(self, data: bytes) -> None:
        self._frames.feed(data)
        self._serve()

    # ---- requests

    def end(self) -> None:
        """Close; what has been written before is still sent."""
        self._leave()
        self._transport.close()

    def _serve(self) -> None:
        """Take requests as long as there is room for their answers."""
        try:
            while self._has_room() and self._take_next():
                pass
        except (ProtocolError, ConnectionLostError, SessionExpiredError) as error:
            self._refuse(str(error))
        self._set_reading(is_wanted=self._has_room())

    def _has_room(self) -> bool:
        limits = self._services.limits
        return (
            not self._is_occupied
            and not self._is_full
            and self._in_flight < limits.requests_in_flight_max
            and self._in_flight_bytes < limits.answer_bytes_in_flight_max
            and not self._transport.is_closing()
        )

    def _set_reading(self, *, is_wanted: bool) -> None:
        if is_wanted is self._is_reading or self._transport.is_closing():
            return
        self._is_reading = is_wanted
        if is_wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _take_next(self) -> bool:
        """Take one frame, or a word in place of the first; return whether there was one."""
        if self._session is None and (word := self._frames.word()) in four_letters.WORDS:
            tree, connections = self._services.tree.tree, self._services.connections
            self._write(four_letters.answer(word, tree=tree, connections=len(connections)))
            self.end()
            return True
        content = self._frames.next()
        if content is None:
            return False
        if self._session is None:
            self._greet(decode_connect(content))
        else:
            self._request(self._session, content)
        return True

    def _request(self, session: Session, content: bytes) -> None:
        session.silent_ticks = 0
        xid, request = decode_request(content)
        if isinstance(request, Close):
            self._is_occupied = True
            self._services.spawn(self._close(session, xid))
            return
        answer = execute(self._services.tree, request, session=session.number, watch=self._watch)
        self._in_flight += 1
        self._in_flight_bytes += len(answer.body)
        answer.durable.add_done_callback(partial(self._answer, xid, answer))

    def _answer(self, xid: int, answer: Answer, durable: asyncio.Future[None]) -> None:
        self._in_flight -= 1
        self._in_flight_bytes -= len(answer.body)
        if durable.exception() is None:
            self._reply(xid, answer.zxid, answer.code, answer.body)
        else:
            # It was taken back, or rests on what was: the disk is full, or has failed.
            self._reply(xid, self._services.tree.tree.zxid, ErrorCode.CONNECTION_LOSS)
        if answer.code is ErrorCode.AUTH_FAILED:
            self.end()
        self._serve()

    def _reply(self, xid: int, zxid: int, code: ErrorCode, body: bytes = b"") -> None:
        self._write(responses.reply(xid=xid, zxid=zxid, code=code, body=body))

    def _write(self, content: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(content)

    # ---- watches

    def _watch(self, target: Target) -> None:
        assert self._session is not None, "only requests of a session watch"
        tree, session = self._services.tree, self._session.number
        tree.watch(target, session=session, callback=self._tell)
        if tree.watch_count(session) > self._services.limits.watches_max:
            raise ProtocolError(f"more than {self._services.limits.watches_max} watches")

    def _tell(self, path: str, change: Change) -> None:
        self._write(responses.event(path, change))

    # ---- the session's begin and end

    def _greet(self, connect: Connect) -> None:
        self._patience.cancel()
        services = self._services
        if connect.session:
            session = services.sessions.resume(
                connect.session, connect.password, asked_ms=connect.timeout_ms, line=self
            )
            if session is None:
                self._write(responses.EXPIRED)
                self.end()
            else:
                self._welcome(session)
        elif connect.last_zxid > services.tree.tree.zxid:
            raise ProtocolError(f"a client of another tree, which has seen {connect.last_zxid:#x}")
        else:
            self._is_occupied = True
            services.spawn(self._open(connect.timeout_ms))

    async def _open(self, asked_ms: int) -> None:
        try:
            session = await self._services.sessions.open(asked_ms=asked_ms, line=self)
        except (ProtocolError, ConnectionLostError, SessionExpiredError) as error:
            self._refuse(str(error))
            return
        self._is_occupied = False
        self._welcome(session)
        self._serve()

    def _welcome(self, session: Session) -> None:
        self._session = session
        self._write(
            responses.connected(
                session=session.number, timeout_ms=session.timeout_ms, password=session.password
            )
        )

    async def _close(self, session: Session, xid: int) -> None:
        session.line = None  # it stays open for the answer
        code = ErrorCode.OK
        try:
            await self._services.sessions.end(session)
        except (ConnectionLostError, SessionExpiredError):
            code = ErrorCode.CONNECTION_LOSS
        self._reply(xid, self._services.tree.tree.zxid, code)
        self.end()

    def _leave(self) -> None:
        """Forget what the session has watched by this connection."""
        self._patience.cancel()
        session, self._session = self._session, None
        if session is not None:
            self._services.tree.forget_watches(session.number)

    def _lose_patience(self) -> None:
        self._refuse(f"no session after {self._services.limits.greeting_seconds_max:g} seconds")

    def _refuse(self, reason: str) -> None:
        peer = self._transport.get_extra_info("peername")
        _log.warning("wire_connection_closed", peer=peer, reason=reason)
        self.end()
