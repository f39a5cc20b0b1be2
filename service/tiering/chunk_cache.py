"""The index of cached ranges: which files there are, which goes first. The broker alone has it.

A cached range is an immutable file: written under another name, renamed when it is whole, and
named so that no name is ever used again. So nothing has to be invalidated, ever.
"""

from collections import OrderedDict
from typing import NamedTuple


class RangeId(NamedTuple):
    """Bytes ``[position, position + length)`` of the object ``uid``."""

    uid: bytes
    position: int
    length: int


class CachedRange(NamedTuple):
    """A range that is at hand: where it begins in which file."""

    path: str
    position: int


class ChunkCache:
    """Cached ranges by use, the oldest first; pure bookkeeping.

    Attributes:
        size: Bytes of all cached ranges.
    """

    def __init__(self, *, bytes_max: int) -> None:
        self.size = 0
        self._bytes_max = bytes_max
        self._ranges: OrderedDict[RangeId, CachedRange] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ranges)

    def get(self, range_id: RangeId) -> CachedRange | None:
        """Return a cached range, which is now the last to go."""
        found = self._ranges.get(range_id)
        if found is not None:
            self._ranges.move_to_end(range_id)
        return found

    def add(self, range_id: RangeId, cached: CachedRange) -> list[CachedRange]:
        """Take a range in; return those that have to go for it, which may be the range itself."""
        assert range_id not in self._ranges, "a range is fetched once"
        self._ranges[range_id] = cached
        self.size += range_id.length
        gone: list[CachedRange] = []
        while self.size > self._bytes_max:
            old, evicted = self._ranges.popitem(last=False)
            self.size -= old.length
            gone.append(evicted)
        return gone

    def drop(self, range_id: RangeId) -> CachedRange | None:
        """Forget a range; its file is the caller's to remove."""
        found = self._ranges.pop(range_id, None)
        if found is not None:
            self.size -= range_id.length
        return found
