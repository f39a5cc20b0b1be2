"""Whole requests and responses, header and body: what a connection reads and writes.

Frames come without the four bytes of their size, as `framing` hands them out; what is encoded
begins with them.
"""

from struct import Struct
from typing import Any

from service.protocol.api import VERSIONS, ApiKey
from service.protocol.headers import (
    RequestHeader,
    decode_response_header,
    encode_request_header,
    has_response_tags,
)
from service.protocol.primitives import Buffer
from service.protocol.registry import message_classes
from service.protocol.schema import Reader, Request, Response, Writer, reader, writer

_SIZE = Struct(">i")
_SIZE_AND_CORRELATION_ID = Struct(">ii")

_request_readers: dict[tuple[int, int], Reader[Request]] = {}
_response_writers: dict[tuple[int, int], tuple[Writer[Any], bool]] = {}


def decode_request(header: RequestHeader, frame: Buffer) -> Request:
    """Read the body of a request; bytes and records are slices of the frame, the rest is ignored.

    An ApiVersions request of a version that is not served is answered without being understood:
    it reads as empty.

    Raises:
        ProtocolError: The bytes are no such request.
    """
    key = header.api_key, header.api_version
    read = _request_readers.get(key)
    if read is None:
        request_class, _ = message_classes(ApiKey(header.api_key))
        if _is_unknown_api_versions(*key):
            return request_class()
        read = _request_readers[key] = reader(request_class, header.api_version)
    return read(frame, header.body_position)[0]


def encode_response(
    message: Response, api_key: int, version: int, correlation_id: int
) -> list[Buffer]:
    """Write a response, size and header included; records are among the buffers as they were given.

    The answer to an ApiVersions request of a version that is not served has version 0 (KIP-511).

    Raises:
        EncodeError: The version cannot carry a value of the message.
        ProtocolError: The version does not exist.
    """
    known = _response_writers.get((api_key, version))
    if known is None:
        if _is_unknown_api_versions(api_key, version):
            return encode_response(message, api_key, 0, correlation_id)
        _, response_class = message_classes(ApiKey(api_key))
        known = writer(response_class, version), has_response_tags(api_key, version)
        _response_writers[api_key, version] = known
    write, has_tags = known
    head = bytearray(_SIZE_AND_CORRELATION_ID.pack(0, correlation_id))
    if has_tags:
        head.append(0)
    return _sized(write(message, head), head)


def encode_request(
    message: Request, api_key: int, version: int, correlation_id: int, client_id: str | None
) -> list[Buffer]:
    """Write a request, size and header included; records are among the buffers as they were given.

    Raises:
        EncodeError: The version cannot carry a value of the message.
        ProtocolError: The version does not exist.
    """
    assert api_key == message.API_KEY
    write = writer(type(message), version)
    head = bytearray(_SIZE.size)
    head += encode_request_header(api_key, version, correlation_id, client_id)
    return _sized(write(message, head), head)


def decode_response(
    frame: Buffer, api_key: int, version: int, *, elements_max: int = Response.ELEMENTS_MAX
) -> tuple[int, Response]:
    """Read a response; return (correlation id, message). Bytes and records are slices of the frame.

    Args:
        frame: The response without its size.
        api_key: Of the request that it answers.
        version: Of that request.
        elements_max: More, over all its arrays and tags together, are refused; each takes about a
            microsecond to read.

    Raises:
        ProtocolError: The bytes are no such response.
    """
    correlation_id, position = decode_response_header(frame, api_key, version)
    _, response_class = message_classes(ApiKey(api_key))
    return correlation_id, reader(response_class, version)(frame, position, elements_max)[0]


def _sized(buffers: list[Buffer], head: bytearray) -> list[Buffer]:
    """Put the size of all that follows into the first four bytes, which are those of ``head``."""
    _SIZE.pack_into(head, 0, sum(map(len, buffers)) - _SIZE.size)
    return buffers


def _is_unknown_api_versions(api_key: int, version: int) -> bool:
    return api_key == ApiKey.API_VERSIONS and version not in VERSIONS[ApiKey.API_VERSIONS]
