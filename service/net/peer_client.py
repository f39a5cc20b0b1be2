"""Asks one other broker: connects when needed, and not too often when that fails."""

import asyncio

from everlog.model.clock import Clock, IdSource
from everlog.stores.backoff import RetryPolicy, wait_s
from service.model.network import Network
from service.net.peer_connection import PeerConnection, PeerLimits, PeerLostError
from service.protocol.schema import Request, Response

RECONNECTING = RetryPolicy(transient_wait_s_min=0.05, transient_wait_s_max=1.0)
"""Kafka's ``reconnect.backoff.ms`` and ``reconnect.backoff.max.ms``."""


class PeerClient:
    """Sends requests to one other broker over one connection, and matches the responses.

    A response waits for those before it, so who asks for what takes a while, such as a Fetch that
    waits for records, has a client of its own.
    """

    def __init__(
        self,
        *,
        network: Network,
        host: str,
        port: int,
        client_id: str,
        limits: PeerLimits,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._network = network
        self._host = host
        self._port = port
        self._client_id = client_id
        self._limits = limits
        self._clock = clock
        self._ids = ids
        self._places = asyncio.Semaphore(limits.requests_in_flight_max)
        self._connecting = asyncio.Lock()
        self._connection: PeerConnection | None = None
        self._attempt: asyncio.Timeout | None = None
        self._attempts = 0
        self._next_attempt = 0.0
        self._failure: PeerLostError | None = None
        self._is_closed = False

    async def request(self, message: Request, *, version: int, timeout_seconds: float) -> Response:
        """Send a request, and return its response.

        Bytes and records are slices of the received frame, which is the caller's for as long as it
        keeps one of them.

        Args:
            message: What to ask; not a Produce without acknowledgement, which has no response.
            version: Of the request and its response.
            timeout_seconds: For all of it: a place among the requests in flight, a connection, and
                the response.

        Raises:
            PeerLostError: There is no connection or no response in time, or none that can be read.
                If the request was sent, its connection is closed, so that no late response is taken
                for another, and all that were in flight with it are lost. That happens at its time
                also if nobody waits for it any more.
            ProtocolError: The version does not exist, or cannot carry the message; nothing is sent.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._send(message, version, deadline)
        except TimeoutError as error:
            raise self._lost(f"not asked within {timeout_seconds:g} s") from error
        return await response

    def close(self) -> None:
        """End the connection; whoever waits, or asks later, gets a `PeerLostError`."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._connection is not None:
            self._connection.end("this side has closed the connection")
        if self._attempt is not None:
            # Ends the wait for it, which is a time-out without a time.
            self._attempt.reschedule(asyncio.get_running_loop().time())

    async def _send(
        self, message: Request, version: int, deadline: float
    ) -> "asyncio.Future[Response]":
        await self._places.acquire()
        try:
            connection = await self._connected()
            return connection.send(message, version=version, deadline=deadline)
        except BaseException:
            # Nothing was sent; no response will give the place back.
            self._places.release()
            raise

    async def _connected(self) -> PeerConnection:
        known = self._failure
        async with self._connecting:
            if self._is_closed:
                raise self._lost("this side has closed the connection")
            if self._connection is not None and self._connection.is_open:
                return self._connection
            if self._failure is not known:
                # Whoever has waited for an attempt shares its end, and makes none of its own.
                raise PeerLostError(str(self._failure))
            try:
                async with asyncio.timeout(None) as self._attempt:
                    return await self._connect()
            except OSError as error:
                self._failure = self._lost(str(error) or "no connection in time")
                raise self._failure from error
            finally:
                self._attempt = None

    async def _connect(self) -> PeerConnection:
        last = self._connection
        if last is None or last.has_answered:
            self._attempts = 0
        else:
            await asyncio.sleep(self._next_attempt - self._clock.monotonic())
        connection = self._connection = PeerConnection(
            name=self._name,
            client_id=self._client_id,
            limits=self._limits,
            on_settled=self._places.release,
        )
        try:
            async with asyncio.timeout(self._limits.connect_seconds_max):
                await self._network.connect(lambda: connection, self._host, self._port)
        finally:
            # An attempt counts as failed until there is a response: a broker that takes connections
            # only to close them is not asked again and again either.
            self._attempts += 1
            wait = wait_s(
                RECONNECTING, failures=self._attempts, throttled=False, chance=self._ids.uniform()
            )
            self._next_attempt = self._clock.monotonic() + wait
        if not connection.is_open:
            raise ConnectionResetError("it has closed the connection")
        return connection

    @property
    def _name(self) -> str:
        return f"{self._host}:{self._port}"

    def _lost(self, reason: str) -> PeerLostError:
        return PeerLostError(f"broker at {self._name}: {reason}")
