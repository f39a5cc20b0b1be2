"""The sessions of clients on the wire: their passwords, and their end after too long a silence.

Time is counted in ticks of this process, not read from a clock. While the process stands still no
tick passes, so a stall of its own ends nobody's session: all last longer by it.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from math import ceil
from typing import Protocol

import structlog

from everlog.model.clock import IdSource
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.wire.jute import ProtocolError
from service.coordination.embedded.wire.limits import WireLimits
from service.coordination.metadata_store import ConnectionLostError

TICK_SECONDS = 0.25
"""A session ends within two ticks after its time is up, never before."""

_log = structlog.get_logger(__name__)


class Line(Protocol):
    """A connection, as its session knows it."""

    def end(self) -> None:
        """Close it: the session is over, or has come back by another one."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """One client's session.

    Attributes:
        number: Owner of its ephemeral nodes.
        password: Who knows it may come back to the session.
        timeout_ms: How long it lasts without a word.
        line: Its newest connection; None when its end is to leave that open.
        silent_ticks: Since its last word.
    """

    password: bytes
    timeout_ms: int
    line: Line | None
    number: int = 0
    silent_ticks: int = 0

    @property
    def is_overdue(self) -> bool:
        """Whether it has been silent for its time; the first tick may have come right after."""
        return self.silent_ticks > ceil(self.timeout_ms / 1000 / TICK_SECONDS)


class Sessions:
    """All sessions of one server that live."""

    def __init__(self, tree: TreeServer, *, ids: IdSource, limits: WireLimits) -> None:
        self._tree = tree
        self._ids = ids
        self._limits = limits
        self._living: dict[int, Session] = {}
        self._opening = 0

    def __len__(self) -> int:
        return len(self._living)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._living.values()))

    async def open(self, *, asked_ms: int, line: Line) -> Session:
        """Begin a session.

        Raises:
            ProtocolError: There are too many.
            ConnectionLostError: The disk failed.
            SessionExpiredError: The tree's server is closed.
        """
        if len(self._living) + self._opening >= self._limits.sessions_max:
            raise ProtocolError(f"{self._limits.sessions_max} sessions are open already")
        timeout_ms = self._limits.session_ms(asked_ms)
        session = Session(password=self._ids.uuid(), timeout_ms=timeout_ms, line=line)
        self._opening += 1
        try:
            session.number = await self._tree.open_session(partial(self._forget, session))
        finally:
            self._opening -= 1
        self._living[session.number] = session
        return session

    def resume(self, number: int, password: bytes, *, asked_ms: int, line: Line) -> Session | None:
        """Bring a session to another connection; None if it is over or the password is wrong."""
        session = self._living.get(number)
        if session is None or not compare_digest(session.password, password):
            return None
        if session.line is not None:
            session.line.end()
        session.line = line
        session.timeout_ms = self._limits.session_ms(asked_ms)
        session.silent_ticks = 0
        return session

    async def end(self, session: Session) -> None:
        """End a session, and with it its connection. Ending it twice does nothing.

        Raises:
            ConnectionLostError: Its nodes are still there; `tick` tries it again.
        """
        await self._tree.end_session(session.number)

    async def tick(self) -> None:
        """Count one tick, and end who has been silent for too long."""
        for session in self:
            session.silent_ticks += 1
        for session in self:
            if session.is_overdue:
                await self._expire(session)
        with suppress(ConnectionLostError):  # the end of their session has told
            await self._tree.remove_left_nodes()

    async def _expire(self, session: Session) -> None:
        _log.warning(
            "wire_session_expired", session=f"{session.number:#x}", silent_ms=session.timeout_ms
        )
        try:
            await self.end(session)
        except ConnectionLostError as error:
            _log.error("wire_session_nodes_left", session=f"{session.number:#x}", reason=str(error))

    def _forget(self, session: Session) -> None:
        self._living.pop(session.number, None)
        if session.line is not None:
            session.line.end()
