"""Memory for large frames and large reads, used again once nobody looks at it any more.

Fresh memory costs a fault a page, a clearing, and its place in the processor's cache; for requests
of a megabyte that was a quarter of all the work. Nobody has to say when a frame is done with: a
buffer is free when no view of it is left, which its reference count tells (CPython's, on which the
event loop rests anyway). So a frame may be kept for as long as anybody likes.
"""

from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from sys import getrefcount

FRAME_MEMORY_BYTES_MAX = 32 * 1024 * 1024
"""Kept for frames to come; beyond it memory is fresh. Six producers with five requests each."""

_UNSEEN = 2
"""References to a kept buffer of which no view is left: the list's, and that of the question."""


class FrameMemory:
    """Lends memory in which pages come with the bytes: four bytes can claim a hundred megabytes.

    Attributes:
        kept_bytes: Of all buffers that will be lent again, lent or not.
    """

    __slots__ = ("_bytes_max", "_kept", "kept_bytes")

    def __init__(self, *, bytes_max: int = FRAME_MEMORY_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: list[mmap] = []
        self.kept_bytes = 0

    def take(self, size: int) -> memoryview:
        """Return writable memory of ``size`` bytes that holds anything.

        It is the caller's until the last view of it is gone.
        """
        kept = self._kept
        for place in range(len(kept)):
            # The first of the list are lent most often, so they are still in the cache.
            if len(kept[place]) >= size and getrefcount(kept[place]) == _UNSEEN:
                return memoryview(kept[place])[:size]
        capacity = 1 << (size - 1).bit_length()
        if not self._make_room(capacity):
            return memoryview(_pages(size))
        kept.append(_pages(capacity))
        self.kept_bytes += capacity
        return memoryview(kept[-1])[:size]

    def _make_room(self, capacity: int) -> bool:
        """Let go of free buffers, which are all too small, until one of this size may be kept."""
        place = len(self._kept)
        while self.kept_bytes + capacity > self._bytes_max and place:
            place -= 1
            if getrefcount(self._kept[place]) == _UNSEEN:
                self.kept_bytes -= len(self._kept.pop(place))
        return self.kept_bytes + capacity <= self._bytes_max


def _pages(size: int) -> mmap:
    return mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS)
