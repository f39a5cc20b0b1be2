"""Offsets, epochs and ranges of them."""

from dataclasses import dataclass
from typing import NewType

Offset = NewType("Offset", int)
LeaderEpoch = NewType("LeaderEpoch", int)


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Half-open range of offsets, ``[start, end)``. Empty when they are equal."""

    start: Offset
    end: Offset

    def __post_init__(self) -> None:
        assert 0 <= self.start <= self.end, f"[{self.start}, {self.end}) is no range"

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.start <= offset < self.end

    def __len__(self) -> int:
        return self.end - self.start
