"""One session with ZooKeeper, from its first connection to its end, as the event loop sees it.

kazoo's thread keeps the session alive by itself, also while the loop is stuck (REL-K7); `give_up`
is for whoever notices that. All state here belongs to the loop, but for the session's number, which
never changes once it is known.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import structlog
from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionClosedError, WriterNotClosedException
from kazoo.protocol.connection import PURESASL_AVAILABLE
from kazoo.protocol.states import KazooState, KeeperState

from everlog.model.clock import Clock
from everlog.model.errors import RejectedError
from service.coordination.metadata_store import (
    ConnectionLostError,
    SessionExpiredError,
    SessionState,
)
from service.coordination.zookeeper.calls import CallQueue, Start
from service.coordination.zookeeper.client import make_client
from service.coordination.zookeeper.connecting import Connector
from service.coordination.zookeeper.errors import translated
from service.coordination.zookeeper.inbox import Inbox
from service.coordination.zookeeper.settings import ZooKeeperSettings

CLOSE_SECONDS_MAX = 3.0
"""How long a farewell may take; without it the session ends when its time is up."""

_log = structlog.get_logger(__name__)


class ZooKeeperUnreachableError(ConnectionLostError):
    """No server has answered in time."""


class ZooKeeperSession:
    """A session: `connect` once, then make calls until it has ended.

    Args:
        settings: Everything about it.
        clock: For the time of the last answer.
        executor: Starts and stops kazoo; None for the loop's own.
    """

    def __init__(
        self, settings: ZooKeeperSettings, *, clock: Clock, executor: Executor | None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self.inbox = Inbox(self._loop)
        self._calls = CallQueue(inbox=self.inbox, answer_seconds_max=settings.session_seconds)
        self._connector = Connector(settings)
        self._state = SessionState.SUSPENDED
        self._session_id = 0
        self._is_established = False
        self._why_ended: Exception | None = None
        self._callbacks: list[Callable[[SessionState], None]] = []
        self._first_news = asyncio.Event()
        self._farewell: asyncio.Future[Any] | None = None
        self._stopping = threading.Lock()
        self.client: KazooClient = make_client(
            settings, clock=clock, connector=self._connector, on_state=self._on_state
        )

    @property
    def session_id(self) -> int:
        """The owner of the session's ephemeral nodes; 0 before it is connected."""
        return self._session_id

    @property
    def state(self) -> SessionState:
        """As the loop has heard; behind the truth, as after a pause of the process (REL-K2)."""
        return self._state

    @property
    def session_seconds(self) -> float:
        """How long the servers keep the session without hearing from it."""
        given: float | None = self.client._connection.session_seconds  # noqa: SLF001
        return self._settings.session_seconds if given is None else given

    @property
    def silent_seconds(self) -> float:
        """Time since any server has last answered, if only a ping.

        While no server can be reached nobody says that the session has ended (REL-K3); after
        `session_seconds` of silence the servers may have ended it.
        """
        answered_at: float | None = self.client._connection.answered_at  # noqa: SLF001
        return 0.0 if answered_at is None else self._clock.monotonic() - answered_at

    def subscribe(self, callback: Callable[[SessionState], None]) -> None:
        """Call back at every change of `state`, until the session has ended."""
        self._callbacks.append(callback)

    async def connect(self) -> None:
        """Open the session.

        Raises:
            ZooKeeperUnreachableError: No server has answered in time; the message names them all.
            RejectedError: The servers do not take the credentials.
        """
        if self._settings.sasl is not None and not PURESASL_AVAILABLE:
            raise RejectedError(
                "zookeeper.sasl.user needs the package pure-sasl: pip install pure-sasl"
            )
        await self._run(self.client.start_async)
        try:
            async with asyncio.timeout(self._settings.connection_seconds):
                await self._first_news.wait()
                # Only an answer shows that the credentials were taken.
                await self.call("/", lambda: self.client.exists_async("/"))
        except (TimeoutError, ConnectionLostError) as error:
            await self.close()
            raise self._unreachable() from error
        except (SessionExpiredError, RejectedError):
            await self.close()
            raise
        self._is_established = True
        _log.info(
            "zookeeper_connected",
            servers=self._settings.address.text,
            session=f"{self._session_id:#x}",
            session_seconds=self.session_seconds,
        )

    def call(self, path: str, start: Start) -> asyncio.Future[Any]:
        """Make a call about a path; the future has kazoo's result, or the port's error."""
        if self._state is SessionState.LOST:
            answer = self._loop.create_future()
            answer.set_exception(self._ended(path))
            return answer
        return self._calls.submit(path, start)

    def check_open(self) -> None:
        """Raise `SessionExpiredError` if the session has ended."""
        if self._state is SessionState.LOST:
            raise self._ended("/")

    def give_up(self) -> None:
        """Begin to end the session, from any thread, without waiting and without the loop."""
        self.client.handler.has_ended = True
        self.client.handler.spawn(self._stop_client)

    async def close(self) -> None:
        """End the session; its ephemeral nodes are gone on return if a server can be reached."""
        self._end(SessionExpiredError("the session with ZooKeeper was closed"))
        assert self._farewell is not None, "it begins with the end"
        done, _ = await asyncio.wait([self._farewell], timeout=CLOSE_SECONDS_MAX)
        if not done:
            advice = "its nodes stay until its time is up"
            _log.warning("zookeeper_not_told", seconds=CLOSE_SECONDS_MAX, advice=advice)

    def _stop_client(self) -> None:
        with self._stopping:
            try:
                self.client.stop()
            except WriterNotClosedException:
                return  # a server that hangs; the thread ends with the process
            self.client.close()

    def _run(self, work: Callable[[], object]) -> asyncio.Future[Any]:
        return self._loop.run_in_executor(self._executor, work)

    # ---- states

    def _on_state(self, state: str) -> None:
        """Take a state of kazoo, on its thread."""
        why = None
        if state == KazooState.CONNECTED:
            # Here and now: as soon as the connection is lost kazoo does not tell it any more.
            self._session_id = self.client.client_id[0]
        if state == KazooState.LOST:
            # Before kazoo tries to connect: it must not open another session (REL-K2).
            self.client.handler.has_ended = True
            why = self._reason(self.client.client_state)
        self.inbox.put(lambda: self._heard(state, why))

    def _reason(self, state: str) -> Exception:
        if state == KeeperState.AUTH_FAILED:
            return RejectedError(
                f"ZooKeeper at {self._settings.address.text} refused the credentials; check the "
                "user and the password (zookeeper.sasl.user)"
            )
        if state == KeeperState.EXPIRED_SESSION:
            return SessionExpiredError("the session with ZooKeeper has expired")
        return translated(ConnectionClosedError(), "/")

    def _heard(self, state: str, why: Exception | None) -> None:
        self._first_news.set()
        if self._state is SessionState.LOST:
            return
        if why is not None:
            _log.error("zookeeper_session_ended", reason=str(why))
            self._end(why)
        elif state == KazooState.CONNECTED:
            self._become(SessionState.CONNECTED)
            self._calls.open()
        else:
            self._calls.pause()
            _log.warning("zookeeper_connection_lost", servers=self._settings.address.text)
            self._become(SessionState.SUSPENDED)

    def _end(self, why: Exception) -> None:
        if self._state is SessionState.LOST:
            return
        self._why_ended = why
        self._become(SessionState.LOST)
        self._callbacks.clear()
        self._calls.close(self._ended)
        self._farewell = self._run(self._stop_client)

    def _become(self, state: SessionState) -> None:
        if state is self._state:
            return
        self._state = state
        for callback in list(self._callbacks):
            callback(state)

    def _ended(self, path: str) -> Exception:
        if isinstance(self._why_ended, RejectedError) and not self._is_established:
            return RejectedError(str(self._why_ended))
        return SessionExpiredError(f"{path}: {self._why_ended}")

    def _unreachable(self) -> ZooKeeperUnreachableError:
        return ZooKeeperUnreachableError(
            f"no ZooKeeper has answered within {self._settings.connection_seconds:g} seconds: "
            f"{self._connector.trouble}; check zookeeper.connect, that the servers run and most of "
            "them see each other, and that a firewall lets the port through"
        )
