"""One request to one broker, for what client libraries do not offer."""

import socket

from service.protocol.codec import decode_response, encode_request
from service.protocol.errors import ProtocolError
from service.protocol.schema import Request, Response

_CLIENT_ID = "everlog-cli"
_CORRELATION_ID = 1
_SIZE_BYTES = 4


class NotConnectedError(OSError):
    """Nothing takes connections there."""


def ask(
    address: tuple[str, int],
    request: Request,
    *,
    version: int,
    seconds_max: float,
    connect_seconds_max: float | None = None,
) -> Response:
    """Send a request and return its answer.

    Args:
        address: Of the broker.
        request: What to ask.
        version: Of the request and its answer.
        seconds_max: How long the broker may be silent.
        connect_seconds_max: How long it may take to connect; None for the same.

    Raises:
        NotConnectedError: The broker cannot be reached.
        OSError: It is silent for too long, or has closed the connection.
        ProtocolError: It does not speak this version.
    """
    key = int(request.API_KEY)
    connect_seconds_max = connect_seconds_max or seconds_max
    try:
        connection = socket.create_connection(address, timeout=connect_seconds_max)
    except OSError as error:
        raise NotConnectedError(str(error)) from error
    with connection:
        connection.settimeout(seconds_max)
        buffers = encode_request(request, key, version, _CORRELATION_ID, _CLIENT_ID)
        connection.sendall(b"".join(buffers))
        size = int.from_bytes(_receive(connection, _SIZE_BYTES), "big")
        frame = _receive(connection, size)
    correlation_id, response = decode_response(frame, key, version)
    if correlation_id != _CORRELATION_ID:
        raise ProtocolError(f"an answer to request {correlation_id}, which was not sent")
    return response


def _receive(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionResetError("the broker closed the connection")
        received += part
    return bytes(received)
