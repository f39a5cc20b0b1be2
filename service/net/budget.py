"""Global budget of request bytes in flight: when it is spent, sockets are not read any more."""

from typing import Protocol

INFLIGHT_BYTES_MAX = 256 * 1024 * 1024


class Pausable(Protocol):
    """A connection that can be told to wait."""

    def pause(self) -> None:
        """Stop reading from the socket."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...


class InflightBudget:
    """Counts the bytes of requests that have been received and not yet answered.

    It is soft by what one read of each connection brings: reading stops at the first byte beyond
        the limit.
    """

    def __init__(self, *, bytes_max: int = INFLIGHT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._paused: dict[Pausable, None] = {}
        self.used = 0

    def take(self, size: int, connection: Pausable) -> None:
        """Count a request; if nothing is left, its connection pauses."""
        self.used += size
        if self.used > self._bytes_max and connection not in self._paused:
            self._paused[connection] = None
            connection.pause()

    def give(self, size: int) -> None:
        """Count a request as answered; connections read on once there is room."""
        self.used -= size
        if self._paused and self.used <= self._bytes_max:
            paused, self._paused = self._paused, {}
            for connection in paused:
                connection.resume()

    def forget(self, connection: Pausable) -> None:
        """Drop a connection that is gone."""
        self._paused.pop(connection, None)
