"""Pure: which upload begins next.

Every partition asks for each of its objects. Next is the object of the partition that has the
fewest on their way, and of these the one whose records have waited longest. So a partition that is
far behind uses what others leave, and holds nobody up. Whoever has waited long in the queue goes
before all of them: no rule keeps anybody out for ever (TIER-39).
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

UPLOADS_MAX = 4
"""Objects on their way at a time, of all partitions of a broker."""

UPLOAD_BYTES_MAX = 256 << 20
"""Bytes of those: four objects of 64 MiB."""

AGING_SECONDS = 60.0
"""Whoever has waited so long in the queue goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What all uploads of a broker share.

    Attributes:
        uploads_max: Objects on their way at a time.
        bytes_max: Bytes of those; a larger object goes alone.
        bytes_per_second: Greatest rate, over some objects; None is without limit.
    """

    uploads_max: int = UPLOADS_MAX
    bytes_max: int = UPLOAD_BYTES_MAX
    bytes_per_second: int | None = None
    aging_seconds: float = AGING_SECONDS


@dataclass(frozen=True, slots=True)
class Ticket:
    """An object that wants to be uploaded.

    Attributes:
        number: Tickets count up.
        since_ms: Wall time since when its oldest record waits.
        asked_at: When the ticket was drawn, in monotonic seconds.
    """

    number: int
    partition: Hashable
    size: int
    since_ms: int
    asked_at: float


class UploadQueue:
    """Who waits and who is on the way. Times are monotonic seconds, never going back.

    Attributes:
        waiting: Tickets of those that have to wait.
        uploads: Objects on their way.
        bytes: Of those.
    """

    def __init__(self, limits: UploadLimits) -> None:
        self.waiting: set[Ticket] = set()
        self.uploads: set[Ticket] = set()
        self.bytes = 0
        self._limits = limits
        self._numbers = 0
        self._of_partition: Counter[Hashable] = Counter()
        self._free_at: float | None = None

    def ask(self, partition: Hashable, *, size: int, since_ms: int, now: float) -> Ticket:
        """Join the queue."""
        self._numbers += 1
        ticket = Ticket(self._numbers, partition, size, since_ms, now)
        self.waiting.add(ticket)
        return ticket

    def admitted(self, now: float) -> list[Ticket]:
        """Take those out of the queue that may begin now."""
        found: list[Ticket] = []
        while self.waiting and self._is_free(now):
            # The first one is waited for even if another would fit: large ones must get through.
            first = min(self.waiting, key=lambda each: self._rank(each, now))
            if self.uploads and self.bytes + first.size > self._limits.bytes_max:
                break
            self._begin(first, now)
            found.append(first)
        return found

    def leave(self, ticket: Ticket) -> None:
        """Forget a ticket: its upload has ended, or nobody wants it any more."""
        self.waiting.discard(ticket)
        if ticket in self.uploads:
            self.uploads.remove(ticket)
            self.bytes -= ticket.size
            self._of_partition[ticket.partition] -= 1
            if not self._of_partition[ticket.partition]:
                del self._of_partition[ticket.partition]

    @property
    def free_at(self) -> float | None:
        """When the rate lets the next one begin; None while nobody waits for that."""
        return self._free_at if self.waiting else None

    def _is_free(self, now: float) -> bool:
        is_in_time = self._free_at is None or self._free_at <= now
        return is_in_time and len(self.uploads) < self._limits.uploads_max

    def _begin(self, ticket: Ticket, now: float) -> None:
        self.waiting.remove(ticket)
        self.uploads.add(ticket)
        self.bytes += ticket.size
        self._of_partition[ticket.partition] += 1
        rate = self._limits.bytes_per_second
        if rate is not None:
            # The next one begins when this one would be done at that rate.
            self._free_at = max(now, self._free_at or now) + ticket.size / rate

    def _rank(self, ticket: Ticket, now: float) -> tuple[int, int, int, int]:
        """Return what sorts the next one first."""
        if now - ticket.asked_at >= self._limits.aging_seconds:
            return 0, 0, 0, ticket.number
        return 1, self._of_partition[ticket.partition], ticket.since_ms, ticket.number
