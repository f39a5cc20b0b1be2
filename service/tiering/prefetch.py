"""Pure: who reads the archive in order, and how far ahead of them to fetch.

Readers are told apart by where they have to go on. Whoever goes on exactly where a place ended
reads in order; anybody else has jumped there, and nothing is fetched ahead of a jump.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

STREAMS_MAX = 4096
"""Readers of a broker that are remembered."""

IDLE_SECONDS_MAX = 60.0
"""A reader that has not moved for so long counts as gone."""

WINDOW_MIN = 2
DOUBLED_MAX = 8
"""A window grows to here before its goodput is known: 64 MiB, which is enough for most stores."""

ROUND_RANGES_MIN = 8
"""Goodput is measured over so many ranges at least."""

GAIN = 1.05
LOSS = 0.97
"""By how much goodput has to change before a wider window has paid, and a narrower one has not."""


@dataclass(slots=True)
class Window:
    """How many ranges to be ahead of one reader: the fewest that bring the most bytes a second.

    It grows from nothing while the reader has to wait, at first by doubling: most clients send for
    what comes after a place that they have sought, read or not. Then goodput is climbed: a wider
    window stays if it has brought more, a narrower one if it has not brought less. A reader that
    never had to wait tells nothing about the store.
    """

    size: int = 0
    _goodput: float = 0.0
    _widens: bool = True
    _began: float | None = None
    _bytes: int = 0
    _ranges: int = 0
    _waits: int = 0

    @property
    def is_steady(self) -> bool:
        """Whether the reader has gone on in order before."""
        return self._began is not None

    def enter(self, length: int, now: float, *, waited: bool, size_max: int) -> int:
        """Note that the reader has come to the next range; return how many to be ahead."""
        if self._began is None:
            self._began = now
        elif waited and not self._goodput and self.size < min(DOUBLED_MAX, size_max):
            self.size = max(1, 2 * self.size)
            self._begin(now)
        elif self._ranges >= max(ROUND_RANGES_MIN, self.size) and now > self._began:
            self._judge(self._bytes / (now - self._began))
            self._begin(now)
        self._bytes += length
        self._ranges += 1
        self._waits += waited
        self.size = min(self.size, size_max)
        return self.size

    def _judge(self, goodput: float) -> None:
        if not self._waits:
            return
        has_paid = goodput > self._goodput * (GAIN if self._widens else LOSS)
        self._widens = has_paid is self._widens
        self._goodput = goodput
        self.size += max(1, self.size // 4) if self._widens else -max(1, self.size // 8)
        self.size = max(WINDOW_MIN, self.size)

    def _begin(self, now: float) -> None:
        self._began, self._bytes, self._ranges, self._waits = now, 0, 0, 0


@dataclass(slots=True)
class _Reader:
    seen: float
    window: Window | None = None


@dataclass(slots=True)
class ReadAhead:
    """The readers of all logs.

    Attributes:
        window_max: Ranges that are fetched ahead of one reader at most; 0 turns it off.
        bytes_max: What is fetched ahead of all readers together at most.
        range_bytes: Of one range.
    """

    window_max: int
    bytes_max: int
    range_bytes: int
    streams_max: int = STREAMS_MAX
    _readers: OrderedDict[tuple[Hashable, int], _Reader] = field(default_factory=OrderedDict)
    _in_order: int = 0

    def follows(self, log: Hashable, offset: int) -> bool:
        """Whether somebody has to go on exactly there."""
        return (log, offset) in self._readers

    def is_steady(self, log: Hashable, offset: int) -> bool:
        """Whether somebody has to go on exactly there who has gone on in order before."""
        reader = self._readers.get((log, offset))
        return reader is not None and reader.window is not None and reader.window.is_steady

    def enter(
        self, log: Hashable, offset: int, end: int, *, length: int, waited: bool, now: float
    ) -> int | None:
        """Note a read at ``offset`` in a place that ends at ``end``.

        Return how many ranges behind it to have on their way; None for who was in it before.
        """
        before = self._readers.pop((log, offset), None)
        if before is None:
            if (log, end) in self._readers:
                return None
            self._put((log, end), _Reader(now))
            return 0
        if before.window is None:
            before.window = Window()
            self._in_order += 1
        before.seen = now
        other = self._readers.pop((log, end), None)
        if other is not None and other.window is not None:
            # Two have met; from here on they are one.
            self._in_order -= 1
        self._put((log, end), before)
        limit = min(self.window_max, self.bytes_max // (self.range_bytes * self._in_order))
        return before.window.enter(length, now, waited=waited, size_max=limit)

    def _put(self, key: tuple[Hashable, int], reader: _Reader) -> None:
        self._readers[key] = reader
        while len(self._readers) > self.streams_max:
            self._forget_oldest()
        while next(iter(self._readers.values())).seen < reader.seen - IDLE_SECONDS_MAX:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, gone = self._readers.popitem(last=False)
        self._in_order -= gone.window is not None
