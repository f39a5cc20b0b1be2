"""How full a volume may get: a share of it, or a number of bytes."""

import re
from dataclasses import dataclass

from service.model.setting_type import MIB

PERCENT_MAX = 100
BYTES_MIN = MIB
"""Less is surely a share that lacks its sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLimit:
    """A bound on the bytes in use; exactly one of the two is given."""

    percent: int | None = None
    bytes_max: int | None = None

    def __post_init__(self) -> None:
        assert (self.percent is None) != (self.bytes_max is None), "a share or a size, not both"

    def bytes_of(self, total_bytes: int) -> int:
        """Return the bound for a volume of that size."""
        if self.bytes_max is not None:
            return min(self.bytes_max, total_bytes)
        assert self.percent is not None, "a share or a size is given"
        return total_bytes * self.percent // PERCENT_MAX


def read_disk_limit(text: str) -> DiskLimit | None:
    """Read ``80%`` or ``107374182400``; None for anything else, and for less than a mebibyte."""
    found = re.fullmatch(r"([0-9]{1,18})(%?)", text.strip(), re.ASCII)
    if found is None:
        return None
    number = int(found[1])
    if found[2]:
        return DiskLimit(percent=number) if 0 < number <= PERCENT_MAX else None
    return DiskLimit(bytes_max=number) if number >= BYTES_MIN else None
