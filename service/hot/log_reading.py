"""Reads of one log: which segment holds an offset, and how much of it is written."""

from collections.abc import Awaitable
from typing import Protocol

from everlog.model.offsets import Offset
from service.hot.leader_epochs import LeaderEpochs
from service.hot.segment import Segment
from service.hot.segment_list import SegmentList
from service.hot.segment_reader import SegmentReader
from service.model.log import (
    EMPTY_SLICE,
    LogSlice,
    OffsetOutOfRangeError,
    ReadBounds,
    TimestampOffset,
)


class ReadLog(Protocol):
    """The log as far as its readers need it; see `HotLog`."""

    epochs: LeaderEpochs
    log_end: Offset
    synced_end: Offset
    written_at: tuple[Segment, int]
    synced_at: tuple[Segment, int]

    @property
    def local_start(self) -> Offset:
        """First offset that is on this disk."""
        ...


class LogReading:
    """Reads one log up to where it is written; changes nothing.

    Args:
        log: Whose ends count.
        segments: Its segments.
        reader: Reads in one of them.
    """

    def __init__(self, log: ReadLog, segments: SegmentList, reader: SegmentReader) -> None:
        self._log = log
        self._list = segments
        self._reader = reader

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return batches from the one that holds ``offset`` on; see `LogReader`."""
        log_end = self._log.log_end
        if not self._log.local_start <= offset <= log_end:
            raise OffsetOutOfRangeError(offset, self._log.local_start, log_end)
        end = min(bounds.end, log_end)
        segment = self._list.at(offset)
        if segment is None or offset >= end:
            return EMPTY_SLICE
        # A gap (TIER-20) never reaches the end of a segment, so there is no need to look further.
        found = self._reader.read(segment, offset, bounds, self._written_size(segment, end))
        return self._read_slowly(offset, bounds) if found is None else found

    async def _read_slowly(self, offset: Offset, bounds: ReadBounds) -> LogSlice:
        # Looked up once more: before this first step other segments may have taken the place.
        segment = self._list.at(offset)
        end = min(bounds.end, self._log.log_end)
        if segment is None or offset >= end:
            return EMPTY_SLICE
        limit = self._written_size(segment, end)
        return await self._reader.read_slowly(segment, offset, bounds, limit)

    def newest_timestamp(self) -> int | None:
        """Return the greatest timestamp; None when the log is empty."""
        return self._reader.newest_timestamp(self._list.all)

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        """Find the first record below ``end`` at or after a time; see `LogReader`."""
        segment = self._list.at(self._log.local_start)
        while segment is not None and segment.base_offset < end:
            limit = self._written_size(segment, end)
            found = await self._reader.find_time(segment, limit, timestamp_ms)
            if found is not None:
                timestamp, offset = found
                epoch = self._log.epochs.epoch_of(offset)
                return TimestampOffset(timestamp, Offset(offset), epoch) if offset < end else None
            segment = self._list.at(segment.next_offset)
        return None

    def _written_size(self, segment: Segment, end: int) -> int | None:
        """Bytes of the segment below ``end``; None when only reading can tell."""
        log = self._log
        written_segment, written = log.written_at
        synced_segment, synced = log.synced_at
        if end >= log.log_end:
            return written if segment is written_segment else segment.size
        if end == log.synced_end and segment is synced_segment:
            return synced
        return segment.size if segment.next_offset <= end else None
