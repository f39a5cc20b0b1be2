"""kazoo as it is used here: no threads for callbacks, one session, and a note of each answer.

kazoo runs one thread for the connection. By itself it runs two more for callbacks, which loses the
order between an answer and a watch; it opens a new session when the old one has expired, in which a
call would own other ephemeral nodes than its caller believes; it waits up to an hour before it
tries to connect again; and it leaves the sockets of failed TLS open. What is overridden here is
pinned by the tests on a real server.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any

from kazoo.client import KazooClient
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.connection import ConnectionHandler
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL

from everlog.model.clock import Clock
from service.coordination.zookeeper.connecting import Connector
from service.coordination.zookeeper.settings import Credentials, ZooKeeperSettings, written

RECONNECT_DELAY_SECONDS = 0.1
"""Before the second attempt to connect; doubled with each one."""

RECONNECT_DELAY_SECONDS_MAX = 1.0
"""Longest pause between two attempts; kazoo's own limit is an hour."""

_READ_SHARE = 2 / 3
"""Part of the session that kazoo waits for an answer."""

_log = logging.getLogger(__name__)
# kazoo logs credentials at DEBUG; whatever matters to people is logged by the session.
_log.setLevel(logging.CRITICAL)


class OneSessionHandler(SequentialThreadingHandler):  # type: ignore[misc]  # kazoo is untyped
    """Calls back on the connection's own thread, and connects for one session only.

    Callbacks must only put something into an `Inbox`: whatever waits here waits for
    itself (REL-K6).
    """

    def __init__(self, connector: Connector) -> None:
        super().__init__()
        self._connector = connector
        self.has_ended = False

    def start(self) -> None:
        """Start no threads: as long as this does not run, kazoo calls back at once."""

    def stop(self) -> None:
        """Stop no threads."""

    def dispatch_callback(self, callback: Any) -> None:
        callback.func(*callback.args)

    def create_connection(
        self, address: tuple[str, int], *, hostname: str, **_others: Any
    ) -> socket.socket:
        if self.has_ended:
            raise ConnectionAbortedError("the session has ended")
        return self._connector.connect(hostname, address)

    def select(
        self, readers: Sequence[Any], writers: Sequence[Any], *rest: Any
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Wait as `select` does, but not for bytes that TLS has received and not handed out."""
        pending = [each for each in readers if hasattr(each, "pending") and each.pending()]
        if not pending:
            ready: tuple[list[Any], list[Any], list[Any]] = super().select(readers, writers, *rest)
            return ready
        others = [each for each in readers if each not in pending]
        found, writable, _ = super().select(others, writers, [], 0)
        return pending + found, writable, []


class AnsweringConnection(ConnectionHandler):  # type: ignore[misc]  # kazoo is untyped
    """Notes when the server has said anything, and the session that it gave.

    Attributes:
        answered_at: Monotonic seconds of the last frame; None before the first.
        session_seconds: Of the session; None before the server has said it.
    """

    def __init__(self, *args: Any, clock: Clock, attempt_seconds_max: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock
        self._attempt_seconds_max = attempt_seconds_max
        self.answered_at: float | None = None
        self.session_seconds: float | None = None

    def _invoke(self, seconds_max: float, *args: Any, **kwargs: Any) -> Any:
        # Only what opens a connection comes this way; kazoo would wait for as long as the session.
        return super()._invoke(min(seconds_max, self._attempt_seconds_max), *args, **kwargs)

    def _connect(self, *args: Any) -> Any:
        read_ms, connect_ms = super()._connect(*args)
        self.session_seconds = read_ms / _READ_SHARE / 1000
        self.answered_at = self._clock.monotonic()
        return read_ms, connect_ms

    def _read_socket(self, *args: Any) -> Any:
        result = super()._read_socket(*args)
        self.answered_at = self._clock.monotonic()
        return result


def make_client(
    settings: ZooKeeperSettings,
    *,
    clock: Clock,
    connector: Connector,
    on_state: Callable[[str], None],
) -> KazooClient:
    """Return a client that has not been started.

    Args:
        settings: All about the session.
        clock: For the time of the last answer.
        connector: Makes its connections.
        on_state: Told each of kazoo's states, on its thread; returns at once.
    """
    handler = OneSessionHandler(connector)
    retry = KazooRetry(
        max_tries=-1,
        delay=RECONNECT_DELAY_SECONDS,
        max_delay=RECONNECT_DELAY_SECONDS_MAX,
        sleep_func=handler.sleep_func,
    )
    client = KazooClient(
        hosts=",".join(written(*server) for server in settings.address.servers),
        timeout=settings.session_seconds,
        handler=handler,
        connection_retry=retry,
        default_acl=CREATOR_ALL_ACL if settings.owns_nodes else None,
        auth_data=_auth_data(settings.digest),
        logger=_log,
    )
    # KazooClient has no argument for it.
    client._connection = AnsweringConnection(  # noqa: SLF001
        client,
        client._connection.retry_sleeper,  # noqa: SLF001
        logger=_log,
        sasl_options=_sasl_options(settings.sasl),
        clock=clock,
        attempt_seconds_max=connector.attempt_seconds_max,
    )
    client.add_listener(on_state)
    return client


def _auth_data(digest: Credentials | None) -> list[tuple[str, str]]:
    return [] if digest is None else [("digest", f"{digest.user}:{digest.password}")]


def _sasl_options(sasl: Credentials | None) -> dict[str, str] | None:
    if sasl is None:
        return None
    return {"mechanism": "DIGEST-MD5", "username": sasl.user, "password": sasl.password}
