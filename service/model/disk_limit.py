"""How full the local disk may get: a share of its volume, or a number of bytes of segments."""

import re
from dataclasses import dataclass

from service.model.setting_type import GIB, MIB, in_plain_units

PERCENT_MAX = 100
BYTES_MIN = MIB
"""Less is surely a share that lacks its sign."""

CRITICAL_PERCENT = 95
CRITICAL_FREE_BYTES_MAX = 5 * GIB
"""A twentieth of a large volume is more than a broker needs to end what it has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    """What is on a broker's disk, in bytes.

    Attributes:
        own: Of local segments.
        free: Left on the volume for this process.
        total: Of the volume, but for what is kept for the superuser; ``df`` counts like that.
    """

    own: int
    free: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLimit:
    """A bound on the bytes in use; exactly one of ``percent`` and ``bytes_max`` is given.

    Attributes:
        percent: Of the volume, whosever the bytes are.
        bytes_max: Of local segments.
        free_bytes_max: With a share: no more than this has to stay free, however large the volume.
    """

    percent: int | None = None
    bytes_max: int | None = None
    free_bytes_max: int | None = None

    def __post_init__(self) -> None:
        assert (self.percent is None) != (self.bytes_max is None), "a share or a size, not both"

    def bytes_of(self, usage: DiskUsage) -> int:
        """Return the bound for a volume."""
        if self.bytes_max is not None:
            return min(self.bytes_max, usage.total)
        assert self.percent is not None, "a share or a size is given"
        share = usage.total * self.percent // PERCENT_MAX
        if self.free_bytes_max is not None:
            share = max(share, usage.total - self.free_bytes_max)
        return share

    def used_of(self, usage: DiskUsage) -> int:
        """Return the bytes that count for the bound."""
        return usage.own if self.bytes_max is not None else usage.total - usage.free

    def room_in(self, usage: DiskUsage) -> int:
        """Return how many bytes may be written before the bound is passed; negative beyond it."""
        return self.bytes_of(usage) - self.used_of(usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLimits:
    """The two bounds of a broker: segments are released above one, records refused above both."""

    high: DiskLimit
    critical: DiskLimit


def critical_above(high: DiskLimit) -> DiskLimit:
    """Return the upper bound where only the lower one is said."""
    if high.bytes_max is not None:
        return DiskLimit(bytes_max=high.bytes_max + high.bytes_max // 10)
    assert high.percent is not None, "a share or a size is given"
    percent = max(high.percent, CRITICAL_PERCENT)
    return DiskLimit(percent=percent, free_bytes_max=CRITICAL_FREE_BYTES_MAX)


def read_disk_limit(text: str) -> DiskLimit | None:
    """Read ``80%``, ``100GiB`` or ``107374182400``; None for anything else, or below 1 MiB."""
    written = re.fullmatch(r"([0-9]{1,18})([a-zA-Z]{0,3}|%)", text.strip(), re.ASCII)
    if written is None:
        return None
    number, unit = int(written[1]), written[2]
    if unit == "%":
        return DiskLimit(percent=number) if 0 < number <= PERCENT_MAX else None
    size = in_plain_units("bytes", text) if unit else number
    return DiskLimit(bytes_max=size) if size is not None and size >= BYTES_MIN else None
