"""The sessions that a broker remembers: bounded, and no session in use is pushed out by a new one.

Evicts as Kafka does: the one that has been unused for the longest gives way, if that is long
enough; if none is, the newcomer does without a session.
"""

from everlog.model.clock import Clock, IdSource
from service.broker.fetch_session import EPOCH_MAX, FetchSession, Followed

SLOTS_MAX = 1000
"""Kafka's ``max.incremental.fetch.session.cache.slots``."""

PARTITIONS_PER_SESSION_MAX = 10_000
"""An empty request of a session makes the broker look at every partition of it."""

PARTITIONS_MAX = 250_000
"""Partitions of all sessions, at some 300 bytes each."""

UNUSED_SECONDS_MIN = 120.0
"""Kafka's ``min.incremental.fetch.session.eviction.ms``."""


class FetchSessionCache:
    """Sessions by id, the one whose last use is longest ago first."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: IdSource,
        slots: int = SLOTS_MAX,
        partitions_max: int = PARTITIONS_MAX,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._slots = slots
        self._partitions_max = partitions_max
        self._partitions = 0
        self._sessions: dict[int, FetchSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def partition_count(self) -> int:
        """Partitions of all sessions."""
        return self._partitions

    def get(self, session_id: int) -> FetchSession | None:
        """Return a session, if it is remembered."""
        return self._sessions.get(session_id)

    def create(self, partitions: Followed, *, by_topic_id: bool) -> FetchSession | None:
        """Make a session, if there is room for it."""
        size = len(partitions)
        if not 0 < size <= PARTITIONS_PER_SESSION_MAX or not self._make_room(size):
            return None
        session = FetchSession(
            self._free_id(), partitions, by_topic_id=by_topic_id, now=self._clock.monotonic()
        )
        self._sessions[session.id] = session
        self._partitions += size
        return session

    def touch(self, session: FetchSession, size_before: int) -> int | None:
        """Take note of a request of a session, which may have changed its size.

        Returns:
            The epoch of its next request; None when it has outgrown the bounds and is forgotten.
        """
        self._partitions += len(session.partitions) - size_before
        del self._sessions[session.id]
        self._sessions[session.id] = session
        if (
            len(session.partitions) > PARTITIONS_PER_SESSION_MAX
            or self._partitions > self._partitions_max
        ):
            self.remove(session.id)
            return None
        return session.advance(self._clock.monotonic())

    def remove(self, session_id: int) -> None:
        """Forget a session, if it is remembered."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self._partitions -= len(session.partitions)

    def _make_room(self, size: int) -> bool:
        now = self._clock.monotonic()
        while len(self._sessions) >= self._slots or self._partitions + size > self._partitions_max:
            oldest = next(iter(self._sessions.values()), None)
            if oldest is None or now - oldest.used_at < UNUSED_SECONDS_MIN:
                return False
            self.remove(oldest.id)
        return True

    def _free_id(self) -> int:
        """Return a positive id that nobody can guess, as long as it is in use."""
        while True:
            session_id = int.from_bytes(self._ids.uuid()[:4], "big") & EPOCH_MAX
            if session_id and session_id not in self._sessions:
                return session_id
