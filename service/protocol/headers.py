"""The headers before a request's and a response's body, of frames without their size.

```
request  v1  api key i16, api version i16, correlation id i32, client id: nullable string
         v2  the same, then tags; the client id keeps its 16-bit length (KIP-482)
response v0  correlation id i32
         v1  the same, then tags
```

Flexible versions of an API use the second form of each, but the ApiVersions response never does:
who asks does not know yet what is spoken here (KIP-511).
"""

from struct import Struct
from typing import NamedTuple

from service.protocol.api import VERSIONS, ApiKey, is_flexible
from service.protocol.errors import ProtocolError, UnsupportedApiError
from service.protocol.primitives import ARRAY_ELEMENTS_MAX, Buffer, refuse_length, skip_tags

_REQUEST = Struct(">hhih")
_RESPONSE = Struct(">i")
_NULL = -1
_NO_TAGS = b"\0"

_FLEXIBLE = {
    (int(key), version): is_flexible(key, version)
    for key, versions in VERSIONS.items()
    for version in range(versions.first, versions.last + 1)
}


class RequestHeader(NamedTuple):
    """Who asks for what, and where in the frame the body begins."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    body_position: int


def decode_request_header(frame: Buffer) -> RequestHeader:
    """Read the header of a request.

    Raises:
        UnsupportedApiError: The API or its version is not served. ApiVersions passes in every
            version, for it answers with the versions it has.
        ProtocolError: The bytes are no header.
    """
    if len(frame) < _REQUEST.size:
        raise ProtocolError(f"a request header of {len(frame)} bytes")
    api_key, api_version, correlation_id, length = _REQUEST.unpack_from(frame)
    flexible = _FLEXIBLE.get((api_key, api_version))
    if flexible is None:
        if api_key != ApiKey.API_VERSIONS:
            raise UnsupportedApiError(api_key, api_version, correlation_id)
        flexible = api_version > VERSIONS[ApiKey.API_VERSIONS].last
    position = _REQUEST.size
    client_id = None
    if length != _NULL:
        client_id = _text(frame, position, length)
        position += length
    if flexible:
        position = _after_tags(frame, position)
    return RequestHeader(api_key, api_version, correlation_id, client_id, position)


def encode_request_header(
    api_key: int, api_version: int, correlation_id: int, client_id: str | None
) -> bytes:
    """Write the header of a request to a served API."""
    client = b"" if client_id is None else client_id.encode()
    length = _NULL if client_id is None else len(client)
    tags = _NO_TAGS if _FLEXIBLE[api_key, api_version] else b""
    return _REQUEST.pack(api_key, api_version, correlation_id, length) + client + tags


def decode_response_header(frame: Buffer, api_key: int, api_version: int) -> tuple[int, int]:
    """Read the header of a response; return (correlation id, position of the body).

    Raises:
        ProtocolError: The bytes are no header.
    """
    if len(frame) < _RESPONSE.size:
        raise ProtocolError(f"a response header of {len(frame)} bytes")
    (correlation_id,) = _RESPONSE.unpack_from(frame)
    position = _RESPONSE.size
    if has_response_tags(api_key, api_version):
        position = _after_tags(frame, position)
    return correlation_id, position


def has_response_tags(api_key: int, api_version: int) -> bool:
    """Whether the response to a served version has header v1."""
    return api_key != ApiKey.API_VERSIONS and _FLEXIBLE[api_key, api_version]


def _text(frame: Buffer, position: int, length: int) -> str:
    if length < 0 or length > len(frame) - position:
        refuse_length("RequestHeader.client_id", length, len(frame) - position)
    try:
        return bytes(frame[position : position + length]).decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("RequestHeader.client_id is not UTF-8") from error


def _after_tags(frame: Buffer, position: int) -> int:
    try:
        count = frame[position]
        if count == 0:
            return position + 1
        return skip_tags(memoryview(frame), position + 1, count, ARRAY_ELEMENTS_MAX)[0]
    except IndexError as error:
        raise ProtocolError("a header's tags end early") from error
