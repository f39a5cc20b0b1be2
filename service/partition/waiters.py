"""Those who wait for a partition: appends for the high watermark, reads for new data."""

from collections import deque
from collections.abc import Callable

from everlog.model.errors import EverlogError

Acknowledge = Callable[[EverlogError | None], None]
"""Told once: None when the offset is committed, otherwise why that will not be known here."""


class AppendWaiters:
    """Appends in the order of their offsets, each waiting until its end is committed."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Acknowledge]] = deque()

    def add(self, end_offset: int, acknowledge: Acknowledge) -> None:
        """Wait for the high watermark to reach ``end_offset``."""
        self._waiting.append((end_offset, acknowledge))

    def reach(self, high_watermark: int) -> None:
        """Acknowledge everything below the high watermark."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= high_watermark:
            waiting.popleft()[1](None)

    def fail(self, error: EverlogError) -> None:
        """Tell everybody that this partition cannot acknowledge any more."""
        waiting, self._waiting = self._waiting, deque()
        for _, acknowledge in waiting:
            acknowledge(error)


class ReadWaiters:
    """Reads that want to be told of new data. Each is told once and then has to come back."""

    def __init__(self) -> None:
        self._waiting: dict[Callable[[], None], None] = {}

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def add(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when there is something new, or when the partition has failed or gone."""
        self._waiting[wake] = None

    def discard(self, wake: Callable[[], None]) -> None:
        """Do not call it any more."""
        self._waiting.pop(wake, None)

    def wake_all(self) -> None:
        """Tell everybody who waits."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for wake in waiting:
                wake()
