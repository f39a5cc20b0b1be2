"""A minimal Kafka client over a `Network`: one request at a time, on the wire's own terms."""

import asyncio
from typing import Any

from service.model.network import Network
from service.protocol.api import ApiKey
from service.protocol.codec import decode_response, encode_request
from service.protocol.schema import Request, Response


class DisconnectedError(Exception):
    """The connection ended; whether the request was carried out is unknown."""


class _Receiver(asyncio.Protocol):
    def __init__(self) -> None:
        self._data = b""
        self.answer: asyncio.Future[bytes] | None = None
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._data += data
        if len(self._data) >= 4:
            end = 4 + int.from_bytes(self._data[:4], "big")
            if len(self._data) >= end and self.answer is not None:
                self.answer.set_result(self._data[4:end])
                self._data = self._data[end:]
                self.answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(DisconnectedError())


class SimClient:
    """Connects anew whenever it has to."""

    def __init__(self, network: Network, port: int) -> None:
        self._network = network
        self._port = port
        self._connection: tuple[asyncio.Transport, _Receiver] | None = None
        self._correlation_id = 0

    async def request(self, key: ApiKey, version: int, message: Request) -> Any:
        """Send a request and return its response.

        Raises:
            DisconnectedError: No answer came.
        """
        transport, receiver = await self._connected()
        self._correlation_id += 1
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        receiver.answer = answer
        transport.writelines(encode_request(message, key, version, self._correlation_id, "sim"))
        frame = await answer
        correlation_id, response = decode_response(frame, key, version)
        assert correlation_id == self._correlation_id
        assert isinstance(response, Response)
        return response

    async def _connected(self) -> tuple[asyncio.Transport, _Receiver]:
        if self._connection is None or not self._connection[1].is_open:
            try:
                self._connection = await self._network.connect(_Receiver, "sim", self._port)
            except OSError as error:
                raise DisconnectedError from error
        return self._connection
