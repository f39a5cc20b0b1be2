"""The index of cached ranges: which files there are, which goes first. The broker alone has it.

A cached range is an immutable file: written under another name, renamed when it is whole, and
named so that no name is ever used again. So nothing has to be invalidated, ever.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

PASSING_SHARE = 4
"""One byte in so many is for what passes by.

More would be no use to a scan, and would cost it: fresh pages of memory, and writes to the disk of
what is gone before it is read again.
"""


class RangeId(NamedTuple):
    """Bytes ``[position, position + length)`` of the object ``uid``."""

    uid: bytes
    position: int
    length: int


class CachedRange(NamedTuple):
    """A range that is at hand: where it begins in which file."""

    path: str
    position: int


@dataclass(slots=True)
class _Passing:
    cached: CachedRange
    is_visited: bool = False


class ChunkCache:
    """Cached ranges; pure bookkeeping, every step of which takes the same time.

    What readers in order have brought passes by, in a share of its own: the oldest goes first, read
    or not. What was sought out, or has been visited twice, is kept: of that, what was used least
    recently goes first. So a scan flushes nothing.

    Attributes:
        size: Bytes of all cached ranges.
        unread: Ranges that went before anybody had visited them; only ever raised.
    """

    def __init__(self, *, bytes_max: int) -> None:
        self.size = 0
        self.unread = 0
        self._passing_bytes_max = bytes_max // PASSING_SHARE
        self._bytes_max = bytes_max
        self._passing_bytes = 0
        self._passing: OrderedDict[RangeId, _Passing] = OrderedDict()
        self._kept: OrderedDict[RangeId, CachedRange] = OrderedDict()

    def __len__(self) -> int:
        return len(self._passing) + len(self._kept)

    def get(self, range_id: RangeId) -> CachedRange | None:
        """Return a cached range."""
        found = self._kept.get(range_id)
        if found is not None:
            self._kept.move_to_end(range_id)
            return found
        passing = self._passing.get(range_id)
        return None if passing is None else passing.cached

    def visit(self, range_id: RangeId) -> None:
        """Note that a reader has come to a range, once however often it reads there."""
        passing = self._passing.get(range_id)
        if passing is None:
            return
        if passing.is_visited:
            self._pop_passing(range_id)
            self._kept[range_id] = passing.cached
        else:
            passing.is_visited = True

    def add(self, range_id: RangeId, cached: CachedRange, *, keep: bool) -> list[CachedRange]:
        """Take a range in; return those that have to go for it, which may be the range itself."""
        assert self.get(range_id) is None, "a range is fetched once"
        self.size += range_id.length
        if keep:
            self._kept[range_id] = cached
        else:
            self._passing[range_id] = _Passing(cached)
            self._passing_bytes += range_id.length
        gone: list[CachedRange] = []
        while self.size > self._bytes_max or self._is_passing_over:
            gone.append(self._evict())
        return gone

    def drop(self, range_id: RangeId) -> CachedRange | None:
        """Forget a range; its file is the caller's to remove."""
        found = self._kept.pop(range_id, None)
        if found is None and range_id in self._passing:
            found = self._pop_passing(range_id).cached
        if found is not None:
            self.size -= range_id.length
        return found

    @property
    def _is_passing_over(self) -> bool:
        """Whether more passes by than may; the newest is still to be read, however large it is."""
        return self._passing_bytes > self._passing_bytes_max and len(self._passing) > 1

    def _evict(self) -> CachedRange:
        if self._is_passing_over or not self._kept:
            oldest = next(iter(self._passing))
            passing = self._pop_passing(oldest)
            self.unread += not passing.is_visited
            cached = passing.cached
        else:
            oldest, cached = self._kept.popitem(last=False)
        self.size -= oldest.length
        return cached

    def _pop_passing(self, range_id: RangeId) -> _Passing:
        self._passing_bytes -= range_id.length
        return self._passing.pop(range_id)
