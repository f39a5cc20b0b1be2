"""An HTTP proxy in front of an S3 server that lets requests fail in every way seen in the wild."""

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from urllib.parse import urlsplit

from tests.fault.fault_plan import FaultPlan
from tests.fault.http_message import (
    CutOffError,
    HttpMessage,
    body_length,
    read_body,
    read_head,
    read_response,
)
from tests.fault.s3_request import Operation, S3Request, deleted_keys
from tests.fault.stale_listing import stale_listing

STORM_REQUESTS = (3, 25)
"""A storm answers so many requests with 503 SlowDown, whoever sends them."""

STORM_SECONDS_MAX = 3.0
"""Then it is over: what throttles is a rate, and nobody throttles a request in five seconds."""

FRESH_SECONDS = 3.0
"""For so long an object may not be seen, and a listing may be old."""

HANG_SECONDS_MAX = 60.0


class Fault(Enum):
    SLOW_DOWN = auto()
    """A storm of 503."""
    HANG = auto()
    """No answer until the client gives up; nothing was done."""
    HANG_DONE = auto()
    """No answer until the client gives up; all was done."""
    RESET_BEFORE = auto()
    """The connection is reset in place of an answer; nothing was done."""
    RESET_REQUEST = auto()
    """It is reset in the middle of the request's body."""
    RESET_ANSWER = auto()
    """It is reset in the middle of the answer's body."""
    LOST = auto()
    """It is reset in place of an answer; all was done."""
    SHORT = auto()
    """It is closed before the answer's body is whole."""
    CUT = auto()
    """Half of the answer's body is sent as if it were all."""
    FLIP_GET = auto()
    """A bit of the answer's body is wrong."""
    FLIP_PUT = auto()
    """A bit of the request's body is wrong."""
    MISSING = auto()
    """A new object is answered with 404."""
    STALE_LIST = auto()
    """A listing lacks what is new, and shows what was deleted."""
    ERROR_IN_200 = auto()
    """CompleteMultipartUpload answers 200 with an error; nothing was done."""
    ERROR_IN_200_DONE = auto()
    """CompleteMultipartUpload answers 200 with an error; all was done."""
    NO_SUCH_UPLOAD = auto()
    """The store has forgotten the upload."""
    CONFLICT = auto()
    """409 ConditionalRequestConflict."""
    EXISTS = auto()
    """412 of a name that is free."""
    EXISTS_DONE = auto()
    """412 of an object that this very request has made."""


_ANY = (
    Fault.SLOW_DOWN,
    Fault.HANG,
    Fault.HANG_DONE,
    Fault.RESET_BEFORE,
    Fault.LOST,
)
_CONDITIONAL = (Fault.CONFLICT, Fault.EXISTS, Fault.EXISTS_DONE)
_BY_OPERATION = {
    Operation.PUT: (*_ANY, Fault.RESET_REQUEST, Fault.FLIP_PUT),
    Operation.PART: (Fault.RESET_REQUEST, Fault.FLIP_PUT, Fault.NO_SUCH_UPLOAD, Fault.LOST),
    Operation.BEGIN: (Fault.SLOW_DOWN, Fault.LOST),
    Operation.COMPLETE: (
        Fault.ERROR_IN_200,
        Fault.ERROR_IN_200_DONE,
        Fault.NO_SUCH_UPLOAD,
        Fault.LOST,
    ),
    Operation.ABORT: (Fault.RESET_BEFORE, Fault.LOST),
    Operation.GET: (*_ANY, Fault.RESET_ANSWER, Fault.SHORT, Fault.CUT, Fault.FLIP_GET),
    Operation.HEAD: _ANY,
    Operation.LIST: (Fault.STALE_LIST, *_ANY),
    Operation.DELETE: _ANY,
}
_TIMES = {Operation.COMPLETE: 15.0, Operation.LIST: 6.0, Operation.PART: 3.0}
"""Requests of which there are few meet a fault more often."""
_REFUSALS = {
    Fault.SLOW_DOWN: ("503 Service Unavailable", "SlowDown"),
    Fault.MISSING: ("404 Not Found", "NoSuchKey"),
    Fault.NO_SUCH_UPLOAD: ("404 Not Found", "NoSuchUpload"),
    Fault.CONFLICT: ("409 Conflict", "ConditionalRequestConflict"),
    Fault.EXISTS: ("412 Precondition Failed", "PreconditionFailed"),
    Fault.EXISTS_DONE: ("412 Precondition Failed", "PreconditionFailed"),
    Fault.ERROR_IN_200: ("200 OK", "InternalError"),
    Fault.ERROR_IN_200_DONE: ("200 OK", "InternalError"),
}
_UNDONE = {
    Fault.SLOW_DOWN,
    Fault.MISSING,
    Fault.NO_SUCH_UPLOAD,
    Fault.CONFLICT,
    Fault.EXISTS,
    Fault.ERROR_IN_200,
}


class FaultProxy:
    """Serves clients on a free port of this machine.

    Attributes:
        plan: Says which requests fail; may be switched off by another thread.
        requests: How many of each kind have come.
        throttled: How many were answered with 503.
    """

    def __init__(self, upstream: str, plan: FaultPlan[Fault]) -> None:
        self.plan = plan
        self.port = 0
        self.requests: Counter[Operation] = Counter()
        self.throttled = 0
        address = urlsplit(upstream)
        assert address.hostname is not None
        assert address.port is not None
        self._upstream = (address.hostname, address.port)
        self._storm = 0
        self._storm_end = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._created: dict[str, float] = {}
        self._deleted: dict[str, float] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def follow(self, plan: FaultPlan[Fault]) -> None:
        """Go on with another plan."""
        self.plan, self._storm = plan, 0

    async def run(self, started: threading.Event, stopping: asyncio.Event) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await stopping.wait()
        server.close()
        for writer in self._open:
            writer.transport.abort()
        while self._open:
            await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(CutOffError, ConnectionError):
            while (head := await read_head(reader)) is not None:
                request = S3Request.of(head)
                self.requests[request.operation] += 1
                fault = self._choose(request)
                if not await self._answer(head, request, fault, reader, writer):
                    _reset(writer)
                    break
                await writer.drain()
        await _close(writer)
        self._open.discard(writer)

    def _choose(self, request: S3Request) -> Fault | None:
        now = asyncio.get_running_loop().time()
        if self._storm and now < self._storm_end and self.plan.is_on:
            self._storm -= 1
            return Fault.SLOW_DOWN
        possible = _BY_OPERATION[request.operation]
        if request.is_conditional:
            possible = (*possible, *_CONDITIONAL)
        if request.method in {"GET", "HEAD"} and self._is_fresh(request.key):
            possible = (*possible, Fault.MISSING)
        fault = self.plan.choose(possible, times=_TIMES.get(request.operation, 1.0))
        if fault is Fault.SLOW_DOWN:
            self._storm = self.plan.random.randint(*STORM_REQUESTS)
            self._storm_end = now + STORM_SECONDS_MAX
        return fault

    async def _answer(
        self,
        head: HttpMessage,
        request: S3Request,
        fault: Fault | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer a request; return False if the connection is to be reset."""
        length = body_length(head)
        if fault is Fault.RESET_REQUEST:
            await read_body(reader, length // 2)
            return False
        asked = head.with_body(await read_body(reader, length))
        if fault is Fault.HANG:
            await _until_hung_up(reader)
            return False
        if fault is Fault.RESET_BEFORE:
            return False
        if fault in _UNDONE:
            self.throttled += fault is Fault.SLOW_DOWN
            _send(writer, request, _refusal(fault))
            return True
        if fault is Fault.FLIP_PUT and asked.body:
            asked = asked.with_body(self.plan.flipped(asked.body))
        answer = await self._ask(asked, request)
        if fault is Fault.HANG_DONE:
            await _until_hung_up(reader)
            return False
        return self._pass_on(answer, request, fault, writer)

    async def _ask(self, asked: HttpMessage, request: S3Request) -> HttpMessage:
        """Let the server do it, and note what is new and what is gone."""
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(bytes(asked))
            answer = await read_response(reader, method=request.method)
        finally:
            await _close(writer)
        now = asyncio.get_running_loop().time()
        if answer.start.split()[1] == "200":
            if request.operation in {Operation.PUT, Operation.COMPLETE}:
                self._created[request.key] = now
            if request.operation is Operation.DELETE:
                self._deleted |= dict.fromkeys(deleted_keys(asked.body), now)
        return answer

    def _pass_on(
        self,
        answer: HttpMessage,
        request: S3Request,
        fault: Fault | None,
        writer: asyncio.StreamWriter,
    ) -> bool:
        half = answer.body[: len(answer.body) // 2]
        match fault:
            case Fault.LOST:
                return False
            case Fault.RESET_ANSWER | Fault.SHORT:
                writer.write(answer.head + half)
                if fault is Fault.SHORT:
                    writer.close()
                    return True
                return False
            case Fault.CUT:
                answer = answer.with_body(half)
            case Fault.FLIP_GET if answer.body:
                answer = answer.with_body(self.plan.flipped(answer.body))
            case Fault.STALE_LIST:
                answer = answer.with_body(self._stale(answer.body, request))
            case Fault.EXISTS_DONE | Fault.ERROR_IN_200_DONE:
                answer = _refusal(fault)
        _send(writer, request, answer)
        return True

    def _stale(self, body: bytes, request: S3Request) -> bytes:
        gone = [
            key
            for key, at in self._deleted.items()
            if _is_recent(at) and key.startswith(request.prefix) and key > request.after
        ]
        return stale_listing(body, is_hidden=self._is_fresh, gone=gone)

    def _is_fresh(self, key: str) -> bool:
        at = self._created.get(key)
        return at is not None and _is_recent(at)


@contextmanager
def fault_proxy(upstream: str, plan: FaultPlan[Fault]) -> Iterator[FaultProxy]:
    """Run a proxy in a thread."""
    proxy = FaultProxy(upstream, plan)
    started = threading.Event()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stopping = asyncio.Event()
        stop.append((asyncio.get_running_loop(), stopping))
        await proxy.run(started, stopping)

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="fault-proxy")
    thread.start()
    assert started.wait(10), "the proxy did not start"
    try:
        yield proxy
    finally:
        loop, stopping = stop[0]
        loop.call_soon_threadsafe(stopping.set)
        thread.join()


def _refusal(fault: Fault) -> HttpMessage:
    status, code = _REFUSALS[fault]
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>a fault</Message></Error>'
    return HttpMessage(
        start=f"HTTP/1.1 {status}",
        headers=[("Content-Type", "application/xml")],
        body=text.encode(),
    )


def _send(writer: asyncio.StreamWriter, request: S3Request, answer: HttpMessage) -> None:
    if request.method != "HEAD":
        writer.write(bytes(answer))
        return
    # Its length is that of the object.
    lines = [answer.start, *(f"{name}: {value}" for name, value in answer.headers), "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))


async def _until_hung_up(reader: asyncio.StreamReader) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await reader.read()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other side gets a reset, not an end."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _is_recent(at: float) -> bool:
    return asyncio.get_running_loop().time() - at < FRESH_SECONDS
