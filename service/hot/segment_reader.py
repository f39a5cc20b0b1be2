"""Reads batches out of segment files: cached ones on the loop, others in a thread."""

import asyncio
from collections.abc import Awaitable, Sequence
from concurrent.futures import Executor

from everlog.model.offsets import Offset
from everlog.records.slicing import first_batch_bytes, skip_to, whole_until
from service.hot.descriptors import Descriptors
from service.hot.index_cache import IndexCache
from service.hot.leader_epochs import LeaderEpochs
from service.hot.segment import Segment
from service.hot.time_search import find_record_at
from service.model.disk import Buffer
from service.model.log import EMPTY_SLICE, LogSlice, ReadBounds, TimestampOffset

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
    ) -> LogSlice | Awaitable[LogSlice]:
        """Return whole batches of ``segment`` from the one that holds ``offset`` on.

        Args:
            segment: The segment that holds the offset.
            offset: First wanted offset.
            bounds: Limits of the reader.
            limit: Bytes of the file that hold batches below ``bounds.end``; None if unknown.
        """
        index = self._indexes.index_of(segment)
        start = index.position_before(offset - segment.base_offset)
        stop = segment.size if limit is None else limit
        wanted = start + max(bounds.bytes_max, FIRST_READ_BYTES_MIN)
        # Cutting at an indexed batch saves looking for the end of the last whole one.
        boundary = index.boundary_before(wanted) if wanted < stop else stop
        is_cut_exactly = limit is not None and boundary > start
        stop = boundary if boundary > start else min(stop, wanted)
        data = self._descriptors.get(segment.path).read_cached(start, stop - start)
        if data is None:
            return self._read_slowly(segment, start, stop, offset, bounds)
        found = _cut(data, offset, bounds, is_cut_exactly=is_cut_exactly)
        if isinstance(found, LogSlice):
            return found
        return self._read_slowly(segment, start, start + found, offset, bounds)

    def newest_timestamp(self, segments: Sequence[Segment]) -> int | None:
        """Return the greatest timestamp of the segments; None when all are empty."""
        return max(
            (self._indexes.summarise(segment) for segment in segments if segment.size),
            default=None,
        )

    async def find_time(
        self,
        segments: Sequence[tuple[Segment, int | None]],
        timestamp_ms: int,
        end: int,
        epochs: LeaderEpochs,
    ) -> TimestampOffset | None:
        """Find the first record below ``end`` at or after ``timestamp_ms``.

        Args:
            segments: Each with the bytes of it that may be read, or None where that is unknown.
            timestamp_ms: Milliseconds since the Unix epoch.
            end: Exclusive bound.
            epochs: To tell the term of what is found.
        """
        for segment, limit in segments:
            if segment.size == 0 or self._indexes.summarise(segment) < timestamp_ms:
                continue
            start = self._indexes.index_of(segment).position_before_time(timestamp_ms)
            stop = segment.size if limit is None else limit
            path = segment.path
            file = self._descriptors.pin(path)
            try:
                found = await asyncio.get_running_loop().run_in_executor(
                    self._executor, find_record_at, file, start, stop, timestamp_ms
                )
            finally:
                self._descriptors.unpin(path)
            if found is not None and found[1] < end:
                timestamp, offset = found
                return TimestampOffset(timestamp, Offset(offset), epochs.epoch_of(offset))
        return None

    async def _read_slowly(
        self, segment: Segment, start: int, stop: int, offset: int, bounds: ReadBounds
    ) -> LogSlice:
        data = await self._read_device(segment, start, stop)
        found = _cut(data, offset, bounds, is_cut_exactly=False)
        if isinstance(found, int):
            data = await self._read_device(segment, start, start + found)
            found = _cut(data, offset, bounds, is_cut_exactly=False)
        assert isinstance(found, LogSlice), "a batch reaches beyond its segment"
        return found

    async def _read_device(self, segment: Segment, start: int, stop: int) -> Buffer:
        path = segment.path
        file = self._descriptors.pin(path)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, file.read_at, start, stop - start
            )
        finally:
            self._descriptors.unpin(path)


def _cut(data: Buffer, offset: int, bounds: ReadBounds, *, is_cut_exactly: bool) -> LogSlice | int:
    """Cut whole batches out of ``data``; or say how many bytes hold the first one."""
    first = skip_to(data, offset)
    size = first_batch_bytes(data, first)
    if size is None:
        return EMPTY_SLICE
    if first + size > len(data) or size > bounds.bytes_max:
        if not bounds.at_least_one:
            return EMPTY_SLICE
        if first + size > len(data):
            return first + size
        return LogSlice(memoryview(data)[first : first + size])
    stop = len(data) if is_cut_exactly else whole_until(data, first, bounds.end)
    if stop - first > bounds.bytes_max:
        stop = whole_until(memoryview(data)[: first + bounds.bytes_max], first, bounds.end)
    return LogSlice(memoryview(data)[first:stop]) if stop > first else EMPTY_SLICE
