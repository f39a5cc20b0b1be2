"""One request to one broker, for what client libraries do not offer."""

import socket

from service.protocol.codec import decode_response, encode_request
from service.protocol.errors import ProtocolError
from service.protocol.schema import Request, Response

_CLIENT_ID = "everlog-cli"
_CORRELATION_ID = 1
_SIZE_BYTES = 4


def ask(
    address: tuple[str, int], request: Request, *, version: int, seconds_max: float
) -> Response:
    """Send a request and return its answer.

    Raises:
        OSError: The broker cannot be reached, or has closed the connection.
        ProtocolError: It does not speak this version.
    """
    key = int(request.API_KEY)
    with socket.create_connection(address, timeout=seconds_max) as connection:
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
