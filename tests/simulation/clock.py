"""A clock that is told the time, and ids that repeat with their seed."""

import random


class ManualClock:
    """Starts at a fixed day; moves only when it is told to."""

    def __init__(self, wall_ms: int = 1_700_000_000_000) -> None:
        self._wall_ms = wall_ms
        self._monotonic = 0.0

    def wall_ms(self) -> int:
        return self._wall_ms

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, ms: int) -> None:
        self._wall_ms += ms
        self._monotonic += ms / 1000


class SeededIds:
    """The same ids in every run with the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> bytes:
        return self._random.randbytes(16)

    def uniform(self) -> float:
        return self._random.random()
