"""The segments of a log in the order of their offsets; the last one is active."""

from bisect import bisect_right
from collections.abc import Sequence

from service.hot.segment import Segment


class SegmentList:
    """Finds segments by offset. Only `HotLog` changes it.

    Attributes:
        all: Never empty.
    """

    def __init__(self, segments: list[Segment]) -> None:
        assert segments, "a log has an active segment"
        self.all = segments
        self._bases = [segment.base_offset for segment in segments]

    def append(self, segment: Segment) -> None:
        """Add the segment that is active from now on."""
        self.all.append(segment)
        self._bases.append(segment.base_offset)

    def at(self, offset: int) -> Segment | None:
        """The segment that holds ``offset``, or the first after a gap; None at the log end."""
        row = bisect_right(self._bases, offset) - 1
        if row < 0:
            return None
        while row < len(self.all) and self.all[row].next_offset <= offset:
            row += 1
        return self.all[row] if row < len(self.all) else None

    def remove_first(self, before: int) -> list[Segment]:
        """Remove the segments that end by ``before``, never the active one; return them."""
        count = 0
        while count < len(self.all) - 1 and self.all[count].next_offset <= before:
            count += 1
        removed = self.all[:count]
        del self.all[:count], self._bases[:count]
        return removed

    def replace(self, old: Sequence[Segment], new: Segment) -> None:
        """Put one segment in the place of adjacent ones that span the same offsets."""
        row = self.all.index(old[0])
        assert self.all[row : row + len(old)] == list(old), "the segments are not adjacent"
        assert row + len(old) < len(self.all), "the active segment is not replaced"
        assert new.base_offset == old[0].base_offset, "the new segment begins elsewhere"
        assert new.next_offset == old[-1].next_offset, "the new segment ends elsewhere"
        self.all[row : row + len(old)] = [new]
        self._bases[row : row + len(old)] = [new.base_offset]
