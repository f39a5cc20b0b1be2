"""What kazoo writes is read as it was meant, and whatever else comes is an answer or an end."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kazoo.protocol import serialization as kazoo
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE

from service.coordination.embedded.wire.codes import ErrorCode, OpCode
from service.coordination.embedded.wire.jute import ProtocolError
from service.coordination.embedded.wire.requests import (
    Close,
    Connect,
    Nothing,
    Read,
    Refused,
    Write,
    decode_connect,
    decode_request,
)
from service.coordination.metadata_store import Check, Create, Delete, Set

ACL = OPEN_ACL_UNSAFE


def encoded(request: Any, xid: int = 7) -> bytes:
    return struct.pack(">ii", xid, request.type) + bytes(request.serialize())


ASKED = [
    (kazoo.PingInstance, Nothing()),
    (kazoo.CloseInstance, Close()),
    (kazoo.Auth(0, "digest", "user:password"), Nothing()),
    (kazoo.Auth(0, "x509", "me"), Refused(ErrorCode.AUTH_FAILED)),
    (kazoo.Exists("/a", watcher=True), Read(OpCode.EXISTS, "/a", watch=True)),
    (kazoo.GetData("/a", watcher=False), Read(OpCode.GET_DATA, "/a")),
    (kazoo.GetChildren("/ä", watcher=True), Read(OpCode.GET_CHILDREN, "/ä", watch=True)),
    (kazoo.GetChildren2("/a", watcher=False), Read(OpCode.GET_CHILDREN2, "/a")),
    (kazoo.GetACL("/a"), Read(OpCode.GET_ACL, "/a")),
    (kazoo.Sync("/a"), Read(OpCode.SYNC, "/a")),
    (
        kazoo.Create("/a", b"x", ACL, 0),
        Write((OpCode.CREATE,), (Create("/a", b"x"),), is_multi=False),
    ),
    (
        kazoo.Create2("/a", b"", ACL, 3),
        Write((OpCode.CREATE2,), (Create("/a", b"", True, True),), is_multi=False),  # noqa: FBT003
    ),
    (
        kazoo.SetData("/a", b"x", -1),
        Write((OpCode.SET_DATA,), (Set("/a", b"x", -1),), is_multi=False),
    ),
    (kazoo.Delete("/a", 4), Write((OpCode.DELETE,), (Delete("/a", 4),), is_multi=False)),
    (
        kazoo.Transaction([kazoo.CheckVersion("/a", 1), kazoo.Delete("/a", 1)]),
        Write((OpCode.CHECK, OpCode.DELETE), (Check("/a", 1), Delete("/a", 1)), is_multi=True),
    ),
    (kazoo.Transaction([]), Write((), (), is_multi=True)),
    (kazoo.Create("/a", b"", CREATOR_ALL_ACL, 0), Refused(ErrorCode.INVALID_ACL)),
    (kazoo.Create("/a", b"", [], 0), Refused(ErrorCode.INVALID_ACL)),
    (kazoo.Create("/a", b"", ACL, 4), Refused(ErrorCode.UNIMPLEMENTED)),
    (kazoo.SetACL("/a", ACL, 0), Refused(ErrorCode.UNIMPLEMENTED)),
    (kazoo.SASL(b"token"), Refused(ErrorCode.UNIMPLEMENTED)),
    (kazoo.Reconfig("a", "b", "c", 1), Refused(ErrorCode.UNIMPLEMENTED)),
    (kazoo.Transaction([kazoo.SetACL("/a", ACL, 0)]), Refused(ErrorCode.UNIMPLEMENTED)),
]


@pytest.mark.parametrize(
    ("request_of_kazoo", "expected"), ASKED, ids=lambda each: type(each).__name__
)
def test_what_kazoo_asks_for_is_understood(request_of_kazoo: Any, expected: object) -> None:
    assert decode_request(encoded(request_of_kazoo)) == (7, expected)


@pytest.mark.parametrize("length", [0, 1])
def test_a_first_frame_is_understood_with_and_without_its_last_field(length: int) -> None:
    whole = bytes(kazoo.Connect(0, 5, 6000, 9, b"p" * 16, read_only=False).serialize())
    assert decode_connect(whole[: len(whole) - length]) == Connect(5, 6000, 9, b"p" * 16)


@pytest.mark.parametrize("request_of_kazoo", [asked for asked, _ in ASKED], ids=str)
def test_a_request_cut_anywhere_or_with_more_behind_it_is_malformed(request_of_kazoo: Any) -> None:
    whole = encoded(request_of_kazoo)
    if isinstance(decode_request(whole)[1], Refused):
        return  # nobody knows what has to follow
    for end in range(len(whole)):
        with pytest.raises(ProtocolError):
            decode_request(whole[:end])
    with pytest.raises(ProtocolError):
        decode_request(whole + b"\0")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_first_frame_or_malformed(content: bytes) -> None:
    try:
        decode_connect(content)
    except ProtocolError:
        return


@given(st.sampled_from(list(OpCode)), st.binary(max_size=200))
def test_any_bytes_are_a_request_or_malformed(number: int, body: bytes) -> None:
    try:
        xid, _ = decode_request(struct.pack(">ii", 7, number) + body)
    except ProtocolError:
        return
    assert xid == 7


def test_a_list_that_lies_about_its_length_is_malformed() -> None:
    for count in (1 << 30, -2):
        body = b"".join([bytes(kazoo.write_string("/a")), bytes(kazoo.write_buffer(b""))])
        lie = struct.pack(">ii", 7, OpCode.CREATE) + body + struct.pack(">i", count) + bytes(100)
        with pytest.raises(ProtocolError):
            decode_request(lie)
