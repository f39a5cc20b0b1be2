"""Pure: how fast the archive may be scanned while producers want the same processors.

A scan takes every processor that it can get: the store's client, checksums, the copies to the
consumer. On a machine that has few, each record that is produced meanwhile then waits for a turn at
every step of its way. The system tells how long the broker's own thread has waited for its turns;
while that is more than it should be, scans slow down, by less each time, down to a rate that they
always have. Without producers, or with processors to spare, nothing is held back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from service.model.processor import Processor, ProcessorWaits

LOOK_SECONDS = 0.1
"""Between two judgements; a few hundred turns of a busy thread."""

QUIET_SECONDS = 2.0
"""Nothing was scanned for so long: what the thread has waited meanwhile is the machine's own."""

ROUNDS_PER_SECOND_MIN = 10.0
"""Fewer writes are those of consumers that commit their offsets now and then."""

WAIT_SECONDS_MAX = 50e-6
"""A thread that waits longer for a turn, on average, has to share its processor."""

QUIET_FACTOR = 2.0
"""Where the machine has others on it, a turn may take so many times what it takes without scans."""

SLOWER = 0.7
FASTER = 1.1

_UNHELD_FACTOR = 4.0
"""A pace so many times of what is scanned holds nothing back any more."""


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    waits: ProcessorWaits
    rounds: int


class ScanPace:
    """Permits fetches of scans.

    Args:
        processor: Of the thread that calls this.
        rounds: How many rounds of appends have been written, ever.
        bytes_per_second_min: What scans may always have.
    """

    def __init__(
        self, *, processor: Processor, rounds: Callable[[], int], bytes_per_second_min: float
    ) -> None:
        self._processor = processor
        self._rounds = rounds
        self._min = bytes_per_second_min
        self._rate: float | None = None
        self._quiet_wait = 0.0
        self._last: _Look | None = None
        self._taken = 0
        self._next_at = 0.0

    def held_to(self, now: float) -> float | None:
        """Return the bytes a second that scans may have; None while nothing holds them back."""
        is_over = self._last is not None and self._is_quiet(self._last, now)
        return None if is_over else self._rate

    def take(self, length: int, *, now: float) -> float:
        """Permit a fetch of ``length`` bytes; return 0, or the seconds after which to ask again."""
        self._look(now)
        if self._rate is not None:
            if now < self._next_at:
                return self._next_at - now
            self._next_at = now + length / self._rate
        self._taken += length
        return 0.0

    def _look(self, now: float) -> None:
        last = self._last
        if last is not None and now - last.at < LOOK_SECONDS:
            return
        waits = self._processor.waits()
        if waits is None:
            return
        look = self._last = _Look(now, waits, self._rounds())
        if last is not None:
            self._judge(last, look)
        self._taken = 0

    def _judge(self, last: _Look, look: _Look) -> None:
        seconds = look.at - last.at
        times = look.waits.times - last.waits.times
        wait = (look.waits.seconds - last.waits.seconds) / times if times else 0.0
        has_producers = (look.rounds - last.rounds) / seconds >= ROUNDS_PER_SECOND_MIN
        if self._is_quiet(last, look.at):
            self._quiet_wait = wait if has_producers else self._quiet_wait
            self._rate = None
        elif not has_producers:
            self._rate = None
        elif wait > max(WAIT_SECONDS_MAX, QUIET_FACTOR * self._quiet_wait):
            self._slow_down(self._taken / seconds)
        elif self._rate is not None:
            self._speed_up(self._taken / seconds)

    def _is_quiet(self, last: _Look, now: float) -> bool:
        """Whether nobody scans: then nothing is looked at, and what held the last one is over."""
        return now - max(last.at, self._next_at) >= QUIET_SECONDS

    def _slow_down(self, speed: float) -> None:
        before = speed if self._rate is None else min(self._rate, speed)
        self._rate = max(self._min, SLOWER * before)

    def _speed_up(self, speed: float) -> None:
        assert self._rate is not None
        self._rate *= FASTER
        if self._rate > max(self._min, _UNHELD_FACTOR * speed):
            self._rate = None
