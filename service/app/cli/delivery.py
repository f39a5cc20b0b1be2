"""What became of records that were sent, and how fast they may go."""

import time
from typing import Any

_SLOW_RATE = 1000.0


class Delivery:
    """Counts the outcomes of a producer.

    Attributes:
        sent: Records handed to the client.
        records: Records that a broker has acknowledged, and their ``bytes``.
        ranges: First and last offset that were given, by partition.
        error: The first refusal, for people.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.records = 0
        self.bytes = 0
        self.failed = 0
        self.error: str | None = None
        self.ranges: dict[int, tuple[int, int]] = {}
        self.is_interrupted = False

    def take(self, error: Any, message: Any) -> None:
        """Take note of one outcome, as the client library tells it."""
        if error is not None:
            self.refuse(error)
            return
        self.records += 1
        self.bytes += len(message.value() or b"") + len(message.key() or b"")
        offset, number = message.offset(), message.partition()
        first, last = self.ranges.get(number, (offset, offset))
        self.ranges[number] = min(first, offset), max(last, offset)

    def refuse(self, error: Any) -> None:
        """Take note of a record that was not written."""
        self.failed += 1
        if self.error is None:
            self.error = error.str()


class Pace:
    """Lets so many through in a second, evenly.

    Args:
        rate: Records a second; None for no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._gap = 0.0 if rate is None else 1.0 / rate
        self._next: float | None = None

    @property
    def is_slow(self) -> bool:
        """Whether a person could follow every record."""
        return self._gap > 1.0 / _SLOW_RATE

    def wait(self) -> None:
        """Wait until the next one may go."""
        if not self._gap:
            return
        now = time.perf_counter()
        self._next = (now if self._next is None else self._next) + self._gap
        if self._next > now:
            time.sleep(self._next - now)
