"""Pure: when a download has taken so long that a second one is likely to be faster."""

from collections import deque
from dataclasses import dataclass, field

LATENCIES_KEPT = 64
LATENCIES_MIN = 16
"""Fewer say nothing about their slowest."""

PERCENTILE = 0.95
PATIENCE = 2.0
"""A download is slow that takes so many times what all but the slowest take."""

WAIT_SECONDS_MIN = 0.02
"""Below this the second download costs more than it can win."""

SECONDS_SHARE = 0.05
"""Second downloads for each first one."""

CREDIT_MAX = 5.0
"""Second downloads in a row: a store that is slow as a whole is not asked twice as much."""


@dataclass(slots=True)
class Hedging:
    """What is known of downloads, by the order of magnitude of their sizes."""

    _latencies: dict[int, deque[float]] = field(default_factory=dict)
    _credit: float = 1.0

    def patience_s(self, length: int) -> float | None:
        """Return how long to wait for a download that begins; None while too little is known."""
        self._credit = min(CREDIT_MAX, self._credit + SECONDS_SHARE)
        known = self._latencies.get(length.bit_length(), ())
        if len(known) < LATENCIES_MIN:
            return None
        slow = sorted(known)[int(PERCENTILE * (len(known) - 1))]
        return max(WAIT_SECONDS_MIN, PATIENCE * slow)

    def admit(self) -> bool:
        """Take the right to a second download, if there is one."""
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def ended(self, length: int, seconds: float) -> None:
        """Note how long a download took that was alone or was faster than its second."""
        known = self._latencies.setdefault(length.bit_length(), deque(maxlen=LATENCIES_KEPT))
        known.append(seconds)
