"""Ports for what a program cannot compute: the time, and names that nobody has used before.

Timers are not here: a coroutine sleeps on its event loop, and a simulator brings its own loop.
"""

from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for people and timestamps, one for durations."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump in either direction."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


class IdSource(Protocol):
    """Randomness. A seeded one makes a run repeatable."""

    def uuid(self) -> bytes:
        """Return sixteen bytes, a random (version 4) UUID; never zero."""
        ...

    def uniform(self) -> float:
        """Return a number in ``[0, 1)``, for jitter."""
        ...
