"""Pure: what is done about a local disk that fills up.

Above the lower limit what the archive holds is released, oldest first, down to a little below it.
Where that is not enough producers are slowed, so that the upper limit is approached ever more
slowly; above that they are refused. Each step back waits for some room, so that nothing flaps.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import exp, inf

from service.model.disk_limit import DiskLimits, DiskUsage

HORIZON_SECONDS = 60.0
"""Producers are slowed to what would take so long to fill the rest of the disk."""

FLOW_SECONDS = 10.0
"""Rates are averaged over so long; uploads make room in lumps of a segment object."""

HIGH_STEP_BYTES_MAX = 1 << 30
"""So far below the lower limit segments are released, and at most a twentieth of it."""

CRITICAL_STEP_BYTES_MAX = 256 << 20
"""So much room there is, and at most a hundredth of the upper limit, before records are taken."""

HIGH_STEPS = 20
CRITICAL_STEPS = 100

RESERVE_BYTES_MAX = 64 << 20
"""So much of a volume, and at most a hundredth, stays free whatever the limits are.

Committed offsets may use three quarters of it, or as much beyond the upper limit. The rest is for
the files which end what has begun, such as indexes, and for the metadata tree.
"""


class DiskLevel(IntEnum):
    """How bad it is.

    Attributes:
        CALM: There is room.
        RELEASE: Above the lower limit; what the archive holds is let go of.
        THROTTLE: Nothing is left to release, and producers are slowed.
        REFUSE: Above the upper limit; nothing that clients produce is taken.
    """

    CALM = 0
    RELEASE = 1
    THROTTLE = 2
    REFUSE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How the disk has filled lately, in bytes a second.

    Attributes:
        appended: What producers have added.
        filled: That, less what was released, plus what others have written on the volume.
    """

    appended: float = 0.0
    filled: float = 0.0

    def after(self, seconds: float, *, appended: int, filled: int) -> "Flow":
        """Return the averages once another stretch of time is known."""
        if seconds <= 0:
            return self
        weight = 1 - exp(-seconds / FLOW_SECONDS)
        return Flow(
            appended=self.appended + weight * (appended / seconds - self.appended),
            filled=self.filled + weight * (filled / seconds - self.filled),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskRoom:
    """How far a disk is from its limits, in bytes; negative beyond them.

    Attributes:
        high_step: How far below the lower limit it is left again.
        critical_step: The same of the upper one.
        reserve: What may be taken beyond the upper limit by the broker itself.
    """

    high: int
    high_step: int
    critical: int
    critical_step: int
    reserve: int

    @classmethod
    def of(cls, limits: DiskLimits, usage: DiskUsage) -> "DiskRoom":
        """Work it out."""
        high, critical = limits.high.bytes_of(usage), limits.critical.bytes_of(usage)
        reserve = min(RESERVE_BYTES_MAX, usage.total // CRITICAL_STEPS)
        return cls(
            high=limits.high.room_in(usage),
            high_step=min(high // HIGH_STEPS, HIGH_STEP_BYTES_MAX),
            critical=min(limits.critical.room_in(usage), usage.free - reserve),
            critical_step=min(critical // CRITICAL_STEPS, CRITICAL_STEP_BYTES_MAX),
            reserve=reserve * 3 // 4,
        )

    @property
    def surplus(self) -> int:
        """Bytes to release, once it has come to that."""
        return max(0, self.high_step - self.high, self.critical_step - self.critical)

    def seconds_to_critical(self, flow: Flow) -> float:
        """Return how long the room lasts at the present rate; infinite if it does not shrink."""
        if self.critical <= 0:
            return 0.0
        return self.critical / flow.filled if flow.filled > 0 else inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What is done about it.

    Attributes:
        is_short: Whether the lower limit is passed even once all that may go has gone.
        release: Bytes that are to be released.
        rate: Bytes a second that producers may add; None while they may add what they like.
    """

    level: DiskLevel = DiskLevel.CALM
    is_short: bool = False
    release: int = 0
    rate: float | None = None


def pressure_after(
    before: Pressure,
    room: DiskRoom,
    flow: Flow,
    *,
    releasable: int,
    was_high: bool = False,
    is_slowing: bool = False,
    has_lacked_room: bool = False,
) -> Pressure:
    """Return what is to be done now.

    Args:
        before: What was done until now.
        room: Of the disk.
        flow: How it has filled lately.
        releasable: Bytes that may be released, or as many of them as `DiskRoom.surplus`.
        was_high: Whether the lower limit was passed lately.
        is_slowing: Whether a producer was held back lately.
        has_lacked_room: Whether a batch was larger than what was left.
    """
    left = room.high + releasable
    is_short = left < (room.high_step if before.is_short else 0)
    is_high = room.high < 0 or (before.level > DiskLevel.CALM and was_high)
    is_refusing = before.level is DiskLevel.REFUSE
    if has_lacked_room or room.critical <= (room.critical_step if is_refusing else 0):
        level = DiskLevel.REFUSE
    elif is_short and is_slowing:
        level = DiskLevel.THROTTLE
    else:
        level = DiskLevel.RELEASE if is_high or is_short else DiskLevel.CALM
    is_due = room.high < 0 or is_short or level is DiskLevel.REFUSE
    return Pressure(
        level=level,
        is_short=is_short,
        release=min(room.surplus, releasable) if is_due else 0,
        rate=_rate(room, flow) if is_short else None,
    )


def _rate(room: DiskRoom, flow: Flow) -> float:
    """Bytes a second: what is let go of, and a share of what is left."""
    drained = flow.appended - flow.filled
    return max(1.0, drained + room.critical / HORIZON_SECONDS)
