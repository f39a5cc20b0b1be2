"""Pure: how long the oldest record that is not in the tier has waited.

No record carries the time of its append, so looks at the log end tell: what lies behind the end of
one look came after it. An age is therefore never too low, and too high by the time between two
looks at most.
"""

from collections import deque
from typing import NamedTuple

MARKS_MAX = 64
"""Looks that are remembered while nothing is uploaded; later ones then seem as old as the last."""


class _Mark(NamedTuple):
    """Every record from offset ``end`` on came after the time ``at``."""

    end: int
    at: float


class CopyLag:
    """The looks at one log. Times are monotonic, in seconds: no clock that is set can hide a wait.

    Args:
        log_end: At the first look; what was there before it may be of any age.
        now: The time.
    """

    def __init__(self, *, log_end: int, now: float) -> None:
        self._found_end = log_end
        self._marks = deque([_Mark(0, now)])
        self.look(log_end=log_end, now=now)

    def look(self, *, log_end: int, now: float) -> None:
        """Take note of where the log ends."""
        if self._marks[-1].end == log_end:
            self._marks[-1] = _Mark(log_end, now)
        elif len(self._marks) < MARKS_MAX:
            self._marks.append(_Mark(log_end, now))

    def age_s(self, *, tiered_end: int, log_end: int, now: float) -> float:
        """Return how old the oldest record behind the tier is; 0 without one.

        What was there at the first look is counted from then.
        """
        while len(self._marks) > 1 and self._marks[1].end <= tiered_end:
            self._marks.popleft()
        return 0.0 if tiered_end >= log_end else max(0.0, now - self._marks[0].at)

    def is_due(self, *, tiered_end: int, log_end: int, now: float, lag_s_max: float) -> bool:
        """Whether what waits has to go up: it is too old, or nobody knows how old it is."""
        if tiered_end >= log_end:
            return False
        age_s = self.age_s(tiered_end=tiered_end, log_end=log_end, now=now)
        return tiered_end < self._found_end or age_s >= lag_s_max
