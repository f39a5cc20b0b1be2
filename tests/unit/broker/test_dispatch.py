"""From a frame to a handler, and what becomes of its failures."""

from typing import Any

import pytest

from service.broker.context import RequestContext
from service.broker.dispatch import Dispatcher
from service.model.serving import ConnectionClosingError, Peer
from service.protocol.api import ApiKey
from service.protocol.codec import encode_request
from service.protocol.errors import ProtocolError
from service.protocol.headers import decode_request_header
from service.protocol.messages.heartbeat import HeartbeatRequest

PEER = Peer("/10.0.0.1", 7, "PLAINTEXT")


class Desk:
    """A dispatcher with one handler."""

    def __init__(self, handler: Any) -> None:
        self.defects: list[tuple[ApiKey, int, Exception]] = []
        self.dispatcher = Dispatcher(
            handlers={ApiKey.HEARTBEAT: handler},
            on_defect=lambda *what: self.defects.append(what),
        )

    def serve(self, *, client_id: str | None = "me", cut: int = 0) -> Any:
        request = HeartbeatRequest(group_id="g", member_id="m")
        buffers = encode_request(request, ApiKey.HEARTBEAT, 1, 5, client_id)
        frame = memoryview(bytearray(b"".join(map(bytes, buffers))))[4:]
        return self.dispatcher.serve(PEER, decode_request_header(frame), frame[: len(frame) - cut])


def test_a_handler_gets_the_request_and_knows_where_it_came_from() -> None:
    seen: list[tuple[RequestContext, Any]] = []
    desk = Desk(lambda context, request: seen.append((context, request)))
    assert desk.serve() is None
    assert desk.serve(client_id=None) is None
    (context, request), (nameless, _) = seen
    assert context == RequestContext(1, "me", "/10.0.0.1", 7, "PLAINTEXT")
    assert nameless.client_id == ""
    assert request.group_id == "g"


def test_a_body_that_is_cut_off_is_no_request() -> None:
    desk = Desk(lambda *_: pytest.fail("it was called"))
    with pytest.raises(ProtocolError):
        desk.serve(cut=3)
    assert desk.defects == []


def test_an_api_without_a_handler_closes() -> None:
    desk = Desk(None)
    desk.dispatcher = Dispatcher(handlers={}, on_defect=lambda *_: None)
    with pytest.raises(ProtocolError):
        desk.serve()


def fail(error: Exception) -> Any:
    raise error


async def fail_later(error: Exception) -> Any:
    raise error


def test_a_defect_is_told_once_and_closes() -> None:
    defect = ZeroDivisionError()
    desk = Desk(lambda *_: fail(defect))
    with pytest.raises(ConnectionClosingError):
        desk.serve()
    assert desk.defects == [(ApiKey.HEARTBEAT, 1, defect)]


async def test_a_defect_of_a_coroutine_is_told_once_and_closes() -> None:
    defect = ZeroDivisionError()
    desk = Desk(lambda *_: fail_later(defect))
    with pytest.raises(ConnectionClosingError):
        await desk.serve()
    assert desk.defects == [(ApiKey.HEARTBEAT, 1, defect)]


async def test_closing_on_purpose_is_no_defect() -> None:
    purpose = ConnectionClosingError("on purpose")
    at_once, later = Desk(lambda *_: fail(purpose)), Desk(lambda *_: fail_later(purpose))
    with pytest.raises(ConnectionClosingError):
        at_once.serve()
    with pytest.raises(ConnectionClosingError):
        await later.serve()
    assert at_once.defects == later.defects == []
