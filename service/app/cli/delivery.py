"""What became of records that were sent, and how fast they may go."""

import time
from typing import Any

from service.app.cli.target import Refusal

_SLOW_RATE = 1000.0


class Delivery:
    """Counts the outcomes of a producer.

    Attributes:
        sent: Records handed to the client.
        records: Records that a broker has acknowledged, and their ``bytes``.
        ranges: First and last offset that were given, by partition.
        refusal: The first record that was not written.
        is_interrupted: Whether the input was not read to its end.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.records = 0
        self.bytes = 0
        self.failed = 0
        self.refusal: Refusal | None = None
        self.ranges: dict[int, tuple[int, int]] = {}
        self.is_interrupted = False

    @property
    def unknown(self) -> int:
        """How many records were handed over and nobody knows what became of them."""
        return self.sent - self.records - self.failed

    def take(self, error: Any, message: Any, *, line: int | None = None) -> None:
        """Take note of one outcome, as the client library tells it."""
        if error is not None:
            size = _size(message)
            self.refuse(Refusal(code=error.code(), text=error.str(), line=line, size=size))
            return
        self.records += 1
        self.bytes += _size(message)
        offset, number = message.offset(), message.partition()
        first, last = self.ranges.get(number, (offset, offset))
        self.ranges[number] = min(first, offset), max(last, offset)

    def refuse(self, refusal: Refusal) -> None:
        """Take note of a record that was not written."""
        self.failed += 1
        if self.refusal is None:
            self.refusal = refusal


def _size(message: Any) -> int:
    return len(message.value() or b"") + len(message.key() or b"")


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
