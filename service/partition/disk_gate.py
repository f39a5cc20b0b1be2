"""DiskGate: asks of every batch whether the disk has room for it; an addition and a comparison.

`service.partition.disk_watch` looks at the disk every now and then and says here what it found. In
between the gate counts what is appended, so that no limit is passed unnoticed.
"""

from collections.abc import Callable

from everlog.model.clock import Clock
from service.partition.disk_pressure import DiskLevel, DiskRoom, Pressure
from service.partition.errors import DiskCrowdedError

WAIT_SECONDS_MAX = 1.0
"""Nobody is held back for longer at a time: requests that are on their way must not time out.

Kafka bounds the throttling of requests by its quota window, which is a second by default.
"""

REFUSED_SECONDS = 0.25
"""Who is refused asks again that much later at the earliest. Hundreds of requests may be on their
way already, and each of them is to have its answer in time."""

WAIT_SECONDS_MIN = 0.001
"""Less than this is not worth a timer; it is made up for later."""

SLOWING_SECONDS = 10.0
"""Who was held back so lately counts as being slowed."""

UNBOUNDED = 1 << 62


class DiskGate:
    """Lets batches in, slows those who bring them, or refuses.

    Open until it is told otherwise. All of this runs on the event loop.

    Attributes:
        taken: Bytes since the last look at the disk.
        on_crossed: Called when a limit has been passed since the last look.
        has_lacked_room: Whether a batch was larger than what was left since then.
        refused: Batches that were refused.
        held_back: Batches whose producers were slowed, and ``held_back_seconds`` for how long.
    """

    def __init__(self, clock: Clock) -> None:
        self.taken = 0
        self.on_crossed: Callable[[], None] = lambda: None
        self.has_lacked_room = False
        self.refused = 0
        self.held_back = 0
        self.held_back_seconds = 0.0
        self._clock = clock
        self._pressure = Pressure()
        self._unasked = self._room = self._reserve = UNBOUNDED
        self._due = 0.0
        self._slowing_until = float("-inf")

    @property
    def is_slowing(self) -> bool:
        """Whether somebody was held back lately."""
        return self._clock.monotonic() < self._slowing_until

    def adjust(self, pressure: Pressure, room: DiskRoom) -> None:
        """Go by what was found at a look at the disk, which counts all that was taken before."""
        self.taken = 0
        self.has_lacked_room = False
        self._pressure = pressure
        self._room, self._reserve = room.critical, room.critical + room.reserve
        # What may be taken before there is anything to think about.
        is_open = pressure.level is not DiskLevel.REFUSE and pressure.rate is None
        self._unasked = min(room.high, room.critical) if is_open else -1

    def take(self, size: int) -> float:
        """Count a batch that is about to be appended; return for how long to hold its sender back.

        Raises:
            DiskCrowdedError: There is no room for it.
        """
        taken = self.taken = self.taken + size
        return 0.0 if taken <= self._unasked else self._consider(size)

    def take_reserved(self, size: int) -> None:
        """Count what the broker itself is about to append; it may go beyond the limits a little.

        Raises:
            DiskCrowdedError: There is no room even so.
        """
        self.taken += size
        if self.taken > self._reserve:
            self._refuse(size)

    def _consider(self, size: int) -> float:
        pressure = self._pressure
        if pressure.level is DiskLevel.REFUSE or self.taken > self._room:
            self._refuse(size)
        if pressure.rate is not None:
            return self._wait(size, pressure.rate)
        self._unasked = self._room
        self.on_crossed()
        return 0.0

    def _refuse(self, size: int) -> None:
        self.taken -= size
        self.refused += 1
        if self._pressure.level is not DiskLevel.REFUSE and not self.has_lacked_room:
            self.has_lacked_room = True
            self.on_crossed()
        raise DiskCrowdedError(
            "the local disk is above log.local.disk.critical and takes no records until there is "
            "room; try again later"
        )

    def _wait(self, size: int, rate: float) -> float:
        """Give a batch its turn in the pace of all producers together."""
        now = self._clock.monotonic()
        self._due = min(max(self._due, now) + size / rate, now + WAIT_SECONDS_MAX)
        wait = self._due - now
        if wait < WAIT_SECONDS_MIN:
            return 0.0
        self.held_back += 1
        self.held_back_seconds += wait
        self._slowing_until = now + SLOWING_SECONDS
        return wait
