"""ColdLog: the part of a partition's log that is in the object store, as a `LogReader`."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import structlog

from everlog.format.entries import Entry
from everlog.format.errors import CorruptObjectError
from everlog.format.lookup import entry_at, entry_at_time
from everlog.format.page import Page
from everlog.format.page_refs import PageId
from everlog.format.segment_sections import EpochStart
from everlog.format.walk import drive, drive_async
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.records.slicing import Missing
from everlog.stores.errors import ObjectMissingError
from service.model.disk import Buffer
from service.model.log import (
    EMPTY_SLICE,
    LogSlice,
    OffsetOutOfRangeError,
    ReadBounds,
    TimestampOffset,
)
from service.tiering.chunk_cache import CachedRange
from service.tiering.cold_objects import ColdObject, ColdObjects, ObjectRange
from service.tiering.fetch_ahead import FetchAhead
from service.tiering.object_verification import Fault
from service.tiering.open_files import OpenFiles
from service.tiering.range_sources import RangeSource
from service.tiering.read_damage import ReadDamage
from service.tiering.record_time import find_record
from service.tiering.stats import TierStats
from service.tiering.tier_view import TierView

ResultT = TypeVar("ResultT")

READ_BYTES_MIN = 32 * 1024
"""What an index row may lie before the wanted batch, and the batch's header."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndState:
    """The log at the end of its newest object.

    Attributes:
        lineage: All leader epochs up to there.
        producers: The newest snapshot of producers that is not beyond it; may be empty.
        size_bytes: Of all in the object that is no record.
    """

    lineage: list[EpochStart]
    producers: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where bytes are to come from.

    Attributes:
        keep: Whether somebody has sought it out, and not just come by.
    """

    found: ColdObject
    wanted: ObjectRange
    keep: bool


class _NotAtHandError(Exception):
    """Something has to be fetched first; never leaves the module."""


class ColdLog:
    """Reads one partition's objects; what is in the page cache is answered at once.

    Args:
        tier: What is committed.
        objects: Opens objects, for all partitions.
        ranges: Brings their bytes within reach, for all partitions.
        files: Reads them.
        executor: Threads that search opened batches.
        ahead: Follows the readers, and fetches ahead of them.
        damage: Is told of objects that are not there; who reads others tells of those himself.
    """

    def __init__(
        self,
        tier: TierView,
        *,
        objects: ColdObjects,
        ranges: RangeSource,
        files: OpenFiles,
        executor: Executor | None,
        ahead: FetchAhead,
        stats: TierStats,
        damage: ReadDamage,
    ) -> None:
        self._tier = tier
        self._objects = objects
        self._ranges = ranges
        self._files = files
        self._executor = executor
        self._ahead = ahead
        self._stats = stats
        self._damage = damage
        self._latest: Entry | None = None

    @property
    def start(self) -> Offset:
        """First offset that this log can serve."""
        return self._tier.start

    @property
    def end(self) -> Offset:
        """Offset after the last one that this log can serve."""
        return self._tier.end

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return whole batches from ``offset`` on; at once when they are in the page cache."""
        if not self.start <= offset <= self.end:
            raise OffsetOutOfRangeError(offset, self.start, self.end)
        if offset >= min(self.end, bounds.end):
            return EMPTY_SLICE
        try:
            found = self._read_at_hand(offset, bounds)
        except _NotAtHandError:
            self._stats.cache_misses += 1
            return self._again_if_gone(lambda: self._read_fetched(offset, bounds))
        self._stats.cache_hits += 1
        return found

    async def newest_timestamp(self) -> int | None:
        """Return the greatest timestamp of the tier."""
        return self._tier.pointer.max_timestamp

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        """Find the first record below ``end`` whose timestamp is at or after ``timestamp_ms``."""
        newest = self._tier.pointer.max_timestamp
        if end <= self.start or newest is None or newest < timestamp_ms:
            return None
        return await self._again_if_gone(lambda: self._find_time(timestamp_ms, end))

    async def _find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        start = self.start
        while True:
            root = await self._tier.root()
            if root is None:
                return None
            walk = entry_at_time(root, timestamp_ms, start=start)
            entry = await drive_async(walk, self._tier.page)
            if entry is None or entry.offsets.start >= end:
                return None
            found = await self._find_in(entry, timestamp_ms)
            if found is not None:
                # It may have been deleted, up to the middle of the object; what is alive behind it
                # is for whoever asks to look for.
                return found if found.offset < end else None
            start = entry.offsets.end

    async def end_state(self) -> EndState | None:
        """Return what the newest object says of the log up to its end; None without an object.

        Raises:
            CorruptionError: The archive is damaged.
            RejectedError: An object is gone.
            RetriableError: The store did not answer.
        """
        root = await self._tier.root()
        if root is None or root.tiered_start == root.tiered_end:
            return None
        walk = entry_at(root, Offset(root.tiered_end - 1))
        entry = await drive_async(walk, self._tier.page)
        assert entry is not None, "a tier without gaps has a last object"
        found = await self._objects.open(self._tier.home_of(entry), entry)
        producers = await self._objects.producers(found)
        return EndState(
            lineage=found.index.lineage(),
            producers=producers,
            size_bytes=entry.size_bytes - entry.data_bytes,
        )

    # ---- what is at hand

    def _read_at_hand(self, offset: Offset, bounds: ReadBounds) -> LogSlice:
        found = self._object_at_hand(offset)
        seek = found.index.seek(offset)
        if seek is None:
            raise _NotAtHandError
        wanted, cached = self._range_at_hand(found, seek.chunk)
        if self._ahead.enter(offset, found, wanted, waited=False):
            self._ranges.visit(found, wanted)
        behind = cached.position - wanted.position
        position = seek.position
        length = _bytes_to_read(wanted, position, bounds.bytes_max)
        while True:
            try:
                data = self._files.read_cached(cached.path, behind + position, length)
            except FileNotFoundError as error:
                raise _NotAtHandError from error
            if data is None:
                raise _NotAtHandError
            cut = bounds.cut(data, offset)
            if not isinstance(cut, Missing):
                return _slice(cut, found, wanted, offset, bounds)
            position, length = _next_read(cut, position, wanted, bounds.bytes_max)

    def _range_at_hand(self, found: ColdObject, chunk: int) -> tuple[ObjectRange, CachedRange]:
        whole = found.range_of(chunk)
        cached = self._ranges.at_hand(found, whole)
        if cached is not None:
            return whole, cached
        alone = found.alone(chunk)
        cached = self._ranges.at_hand(found, alone)
        if cached is None:
            raise _NotAtHandError
        return alone, cached

    def _object_at_hand(self, offset: Offset) -> ColdObject:
        entry = self._latest
        if entry is None or offset not in entry.offsets:
            root = self._tier.cached_root
            if root is None:
                raise _NotAtHandError
            entry = drive(entry_at(root, offset), self._cached_page)
        found = None if entry is None else self._objects.at_hand(entry.uid)
        if found is None:
            raise _NotAtHandError
        self._latest = entry
        return found

    def _cached_page(self, page: PageId) -> Page:
        found = self._tier.cached_page(page)
        if found is None:
            raise _NotAtHandError
        return found

    # ---- what has to be fetched

    async def _again_if_gone(self, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Look at the manifest again when an object is gone: it has been retired since (TIER-31).

        Each further attempt means that the manifest names another object by now.
        """
        gone: set[str] = set()
        while True:
            try:
                return await attempt()
            except ObjectMissingError as error:
                if error.key in gone:
                    lost = CorruptObjectError(
                        error.key, "the manifest names it, the store lacks it"
                    )
                    self._damage.note(error.key, lost, fault=Fault.MISSING)
                    raise lost from error
                gone.add(error.key)
                if error.key not in self._damage:
                    _log.warning("object_missing", object=error.key)
                self.forget()

    async def _read_fetched(self, asked: Offset, bounds: ReadBounds) -> LogSlice:
        offset = asked
        while self.start <= offset < min(self.end, bounds.end):
            found = await self._object_of(offset)
            seek = found.index.seek(offset)
            if seek is None:
                # The rest of this object holds nothing: compaction leaves such gaps (TIER-20).
                offset = found.entry.offsets.end
                continue
            place = self._place(found, seek.chunk, asked)
            is_new = self._ahead.enter(asked, found, place.wanted, waited=True)
            cut = await self._cut_fetched(place, seek.position, offset, bounds)
            if is_new:
                self._ranges.visit(found, place.wanted)
            return _slice(cut, found, place.wanted, offset, bounds)
        if offset < self.start:
            raise OffsetOutOfRangeError(offset, self.start, self.end)
        return EMPTY_SLICE

    def _place(self, found: ColdObject, chunk: int, offset: Offset | None) -> _Place:
        """Choose what to fetch: a range for who reads in order, a chunk for who has jumped.

        A scan that is held back for the sake of others comes in chunks, too: a range takes every
        processor for some tens of milliseconds.
        """
        whole = found.range_of(chunk)
        keep = offset is None or not self._ahead.follows(offset)
        is_scan = offset is not None and self._ahead.is_steady(offset)
        is_free = is_scan and not self._ranges.is_held
        if (is_free and chunk == whole.first_chunk) or self._ranges.is_coming(found, whole):
            return _Place(found, whole, keep)
        return _Place(found, found.alone(chunk), keep)

    async def _cut_fetched(
        self, place: _Place, position: int, offset: Offset, bounds: ReadBounds
    ) -> Buffer:
        """Cut batches out of a range, from the ``position`` of one before ``offset`` on."""
        length = _bytes_to_read(place.wanted, position, bounds.bytes_max)
        while True:
            data = await self._read_range(place, position, length)
            cut = bounds.cut(data, offset)
            if not isinstance(cut, Missing):
                return cut
            position, length = _next_read(cut, position, place.wanted, bounds.bytes_max)

    async def _object_of(self, offset: Offset) -> ColdObject:
        root = await self._tier.root()
        if root is None:
            raise OffsetOutOfRangeError(offset, self.start, self.end)
        entry = await drive_async(entry_at(root, offset), self._tier.page)
        if entry is None:
            raise OffsetOutOfRangeError(offset, self.start, self.end)
        found = await self._objects.open(self._tier.home_of(entry), entry)
        self._latest = entry
        return found

    async def _read_range(self, place: _Place, position: int, length: int) -> Buffer:
        """Read bytes of a range; ``position`` is that in the object."""
        cached = await self._fetch(place)
        try:
            return await self._read_file(cached, position - place.wanted.position, length)
        except FileNotFoundError:
            # Evicted between its arrival and this read, or removed by somebody: fetch it again.
            self._ranges.drop(place.found, place.wanted)
        cached = await self._fetch(place)
        try:
            return await self._read_file(cached, position - place.wanted.position, length)
        except FileNotFoundError as error:
            raise ObjectMissingError(place.found.key) from error

    async def _fetch(self, place: _Place) -> CachedRange:
        return await self._ranges.fetch(
            place.found, place.wanted, lane=self._tier.path, keep=place.keep
        )

    async def _read_file(self, cached: CachedRange, position: int, length: int) -> Buffer:
        at = cached.position + position
        data = self._files.read_cached(cached.path, at, length)
        return await self._files.read(cached.path, at, length) if data is None else data

    async def _find_in(self, entry: Entry, timestamp_ms: int) -> TimestampOffset | None:
        found = await self._objects.open(self._tier.home_of(entry), entry)
        seek = found.index.seek_time(timestamp_ms)
        if seek is None:
            return None
        chunk = found.index.chunk(seek.chunk)
        length = chunk.position + chunk.length - seek.position
        place = self._place(found, seek.chunk, None)
        data = await self._read_range(place, seek.position, length)
        record = await asyncio.get_running_loop().run_in_executor(
            self._executor, find_record, data, timestamp_ms
        )
        if record is None:
            return None
        return TimestampOffset(record[0], Offset(record[1]), LeaderEpoch(record[2]))

    def forget(self) -> None:
        """Trust nothing that was read of the manifest and the object."""
        if self._latest is not None:
            self._objects.forget(self._latest.uid)
            self._latest = None
        self._tier.forget_root()


def _slice(
    cut: Buffer, found: ColdObject, wanted: ObjectRange, offset: Offset, bounds: ReadBounds
) -> LogSlice:
    """Make the slice of what was cut; an object without aborted transactions costs no search."""
    if not (bounds.committed and found.entry.aborted and cut):
        return LogSlice(cut)
    return LogSlice(cut, found.index.aborted_in(OffsetRange(offset, Offset(wanted.end))))


def _next_read(
    missing: Missing, position: int, wanted: ObjectRange, bytes_max: int
) -> tuple[int, int]:
    """Return position and length of the bytes that hold what a read at ``position`` lacked."""
    begin = position + missing.position
    length = missing.size or _bytes_to_read(wanted, begin, bytes_max)
    is_inside = length > 0 and begin + length <= wanted.position + wanted.length
    assert is_inside, "a batch reaches beyond its chunk"
    return begin, length


def _bytes_to_read(wanted: ObjectRange, position: int, bytes_max: int) -> int:
    left = wanted.position + wanted.length - position
    return min(left, max(bytes_max, 0) + READ_BYTES_MIN)
