"""Bounds on what the clients of one server may hold."""

from dataclasses import dataclass

from service.coordination.embedded.wire.jute import FRAME_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """Bounds, of which only the sessions' times are anything a client can ask about.

    Attributes:
        session_ms_min: A session that asks for less lasts so long without a word of its client.
        session_ms_max: A session that asks for more lasts so long.
        sessions_max: Sessions, with a connection or for the moment without.
        connections_max: Open connections.
        greeting_seconds_max: A connection has to name its session so soon.
        frame_bytes_max: One request (ZooKeeper's jute.maxbuffer).
        requests_in_flight_max: Requests of one connection that wait for the disk; no more are read.
        answer_bytes_in_flight_max: Bytes of their answers; no more requests are read.
        watches_max: Watches of one connection; one that wants more is closed.
    """

    session_ms_min: int = 1_000
    session_ms_max: int = 60_000
    sessions_max: int = 1_000
    connections_max: int = 256
    greeting_seconds_max: float = 10.0
    frame_bytes_max: int = FRAME_BYTES_MAX
    requests_in_flight_max: int = 1_000
    answer_bytes_in_flight_max: int = 4 * 1024 * 1024
    watches_max: int = 100_000

    def session_ms(self, asked_ms: int) -> int:
        """Return how long a session may be silent."""
        return min(max(asked_ms, self.session_ms_min), self.session_ms_max)
