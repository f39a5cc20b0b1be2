"""Reads batches out of segment files: cached ones on the loop, others in a thread."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from everlog.records.slicing import Missing
from service.hot.descriptors import Descriptors
from service.hot.index_cache import IndexCache
from service.hot.segment import Segment
from service.hot.sparse_index import NO_TIMESTAMP
from service.hot.time_search import find_record_at
from service.model.log import EMPTY_SLICE, LogSlice, ReadBounds

T = TypeVar("T")

FIRST_READ_BYTES_MIN = 4 * 1024
"""Enough for the header of a first batch that is larger than the reader's limit."""


class SegmentReader:
    """Cuts the asked-for batches out of one segment at a time."""

    def __init__(
        self, *, descriptors: Descriptors, indexes: IndexCache, executor: Executor | None
    ) -> None:
        self._descriptors = descriptors
        self._indexes = indexes
        self._executor = executor

    def read(
        self, segment: Segment, offset: int, bounds: ReadBounds, limit: int | None
    ) -> LogSlice | None:
        """Return whole batches of ``segment`` from the one that holds ``offset`` on.

        None if that would wait for the device, or takes another read: then `read_slowly`.

        Args:
            segment: The segment that holds the offset.
            offset: First wanted offset.
            bounds: Limits of the reader.
            limit: Bytes of the file that hold batches below ``bounds.end``; None if unknown.
        """
        start, stop, is_cut_exactly = self._span(segment, offset, bounds, limit)
        data = self._descriptors.get(segment.path).read_cached(start, stop - start)
        if data is None:
            return None
        found = bounds.cut(data, offset, ends_at_end=is_cut_exactly)
        return None if isinstance(found, Missing) else LogSlice(found)

    async def read_slowly(
        self, segment: Segment, offset: int, bounds: ReadBounds, limit: int | None
    ) -> LogSlice:
        """Read like `read`, in a thread.

        Until it waits for the first time it runs with its caller, so that index and file belong
        together.
        """
        start, stop, _ = self._span(segment, offset, bounds, limit)
        end = segment.size if limit is None else limit
        size = stop - start
        file = self._descriptors.pin(segment.path)
        try:
            while start < end:
                data = await self._in_thread(file.read_at, start, size)
                found = bounds.cut(data, offset)
                if not isinstance(found, Missing):
                    return LogSlice(found)
                needed = found.size or max(bounds.bytes_max, FIRST_READ_BYTES_MIN)
                if not found.position and needed <= size:
                    break  # the rest has a place and is not written yet
                start, size = start + found.position, needed
        finally:
            self._descriptors.unpin(file)
        return EMPTY_SLICE

    def _span(
        self, segment: Segment, offset: int, bounds: ReadBounds, limit: int | None
    ) -> tuple[int, int, bool]:
        """Return where to read from and to, and whether the last batch of that is whole."""
        index = self._indexes.index_of(segment)
        start = index.position_before(offset - segment.base_offset)
        stop = segment.size if limit is None else limit
        wanted = start + max(bounds.bytes_max, FIRST_READ_BYTES_MIN)
        # Cutting at an indexed batch saves looking for the end of the last whole one.
        boundary = index.boundary_before(wanted) if wanted < stop else stop
        if boundary > start:
            return start, boundary, limit is not None
        return start, min(stop, wanted), False

    def newest_timestamp(self, segments: Sequence[Segment]) -> int | None:
        """Return the greatest timestamp of the segments; None when all are empty."""
        return max(
            (self._indexes.summarise(segment) for segment in segments if segment.size),
            default=None,
        )

    async def find_time(
        self, segment: Segment, limit: int | None, timestamp_ms: int
    ) -> tuple[int, int] | None:
        """Find the first record of a segment at or after a time; return its time and offset.

        Args:
            segment: Where to look.
            limit: Bytes of it that may be read; None for all.
            timestamp_ms: Milliseconds since the Unix epoch.
        """
        if segment.size == 0 or self._indexes.summarise(segment) < timestamp_ms:
            return None
        start = self._indexes.index_of(segment).position_before_time(timestamp_ms)
        stop = segment.size if limit is None else limit
        file = self._descriptors.pin(segment.path)
        try:
            return await self._in_thread(find_record_at, file, start, stop, timestamp_ms)
        finally:
            self._descriptors.unpin(file)

    async def learn_timestamp(self, segment: Segment) -> int:
        """Return the greatest timestamp of a sealed segment, -1 if its index file does not tell."""
        if segment.max_timestamp is None:
            content = await self._in_thread(self._indexes.read_file, segment)
            self._indexes.decode(segment, content)
        return NO_TIMESTAMP if segment.max_timestamp is None else segment.max_timestamp

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *args)
