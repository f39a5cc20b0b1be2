"""What clones need of a partition: objects that are not to be deleted, whatever becomes of it.

A clone lists objects of its source by offsets and by the commit that they were made for, so a pin
is a range of both. It may hold objects that the clone does not list; it never misses one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from everlog.format.object_keys import OFFSET_MAX, VER_MAX, SegmentKey
from everlog.format.root import Root
from everlog.format.trash import (
    Trashed,
    TrashedPage,
    TrashedRange,
    TrashedRoot,
    TrashedSegment,
    TrashItem,
)
from everlog.model.offsets import Offset, OffsetRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Objects with offsets in ``[start, end)`` that were made for a commit up to ``ver``."""

    start: Offset
    end: Offset
    ver: int

    def holds(self, offsets: OffsetRange, *, ver: int = 0) -> bool:
        """Whether an object stays; without ``ver``, whether one of these offsets may."""
        return self.start < offsets.end and offsets.start < self.end and ver <= self.ver

    @property
    def is_over(self) -> bool:
        """Whether nothing is held any more."""
        return self.start >= self.end


EVERYTHING = Pin(start=Offset(0), end=Offset(OFFSET_MAX), ver=VER_MAX)
"""Of a clone whose first root is not made yet: it may come to list anything."""

NOTHING = Pin(start=Offset(0), end=Offset(0), ver=0)


Stays = Callable[[TrashItem], bool]
"""Whether an item of trash cannot be deleted yet, whoever needs it."""


def is_pinned(key: SegmentKey, pins: Iterable[Pin]) -> bool:
    """Whether a clone needs an object."""
    return any(pin.holds(key.offsets, ver=key.stamp.ver) for pin in pins)


def pins_of(root: Root) -> list[Pin]:
    """Return what a root needs of each of its origins, in their order."""
    return [
        Pin(start=min(root.live_start, each.end), end=each.end, ver=each.ver)
        for each in root.origins
    ]


def deletable(
    due: Iterable[TrashItem], pins: Sequence[Pin], *, stays: Stays, items_max: int
) -> list[int]:
    """Return which items of trash may be deleted, by their places; the others stay listed.

    Args:
        due: The oldest items, in their order.
        pins: What clones need.
        stays: What else cannot go, as it is locked.
        items_max: No more than so many.
    """
    return list(islice(_deletable(due, pins, stays), items_max))


def _deletable(due: Iterable[TrashItem], pins: Sequence[Pin], stays: Stays) -> Iterable[int]:
    kept: list[OffsetRange] = []
    for place, item in enumerate(due):
        if not stays(item) and not _stays(item.thing, pins, kept):
            yield place
        elif isinstance(item.thing, TrashedRange):
            kept.append(item.thing.page.offsets)


def _stays(thing: Trashed, pins: Sequence[Pin], kept: Sequence[OffsetRange]) -> bool:
    """Whether an item stays; ``kept`` is what the pages cover that the ranges before it need."""
    match thing:
        case TrashedRoot():
            return False
        case TrashedSegment():
            return any(pin.holds(thing.offsets, ver=thing.stamp.ver) for pin in pins)
        case TrashedRange():
            # What a range stands for is told by pages, and the page of a later item may be one of
            # them: it is needed for as long as the range.
            return any(pin.holds(thing.offsets) for pin in pins) or _overlaps(
                thing.page.offsets, kept
            )
        case TrashedPage():
            return _overlaps(thing.offsets, kept)


def _overlaps(offsets: OffsetRange, kept: Iterable[OffsetRange]) -> bool:
    return any(each.start < offsets.end and offsets.start < each.end for each in kept)
