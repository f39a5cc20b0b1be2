"""How many partitions are worked on side by side."""

import asyncio
from collections.abc import Hashable

TURNS_MAX = 16
"""Partitions that are worked on side by side."""

ASIDE_MAX = 1024
"""Partitions that may wait for their next attempt on top of these; each holds a few plans."""


class Turns:
    """The turns that are under way. One that waits to try again is put aside for another one.

    Attributes:
        changed: Set whenever there may be room for one more.
    """

    def __init__(self, *, turns_max: int = TURNS_MAX, aside_max: int = ASIDE_MAX) -> None:
        self.changed = asyncio.Event()
        self._turns_max = turns_max
        self._aside_max = aside_max
        self._running = 0
        self._aside: dict[Hashable, int] = {}

    @property
    def has_room(self) -> bool:
        """Whether one more may begin."""
        return self._running - min(len(self._aside), self._aside_max) < self._turns_max

    def begin(self) -> None:
        """A turn begins."""
        self._running += 1

    def end(self) -> None:
        """A turn has ended."""
        self._running -= 1
        self.changed.set()

    async def pause(self, whose: Hashable, seconds: float) -> None:
        """Wait in a turn; meanwhile another one may begin in its place."""
        self._aside[whose] = self._aside.get(whose, 0) + 1
        self.changed.set()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._aside[whose] -= 1
            if not self._aside[whose]:
                del self._aside[whose]
