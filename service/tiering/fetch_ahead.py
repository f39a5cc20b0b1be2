"""Follows the readers of one partition and has fetched what they will want, across objects."""

import structlog

from everlog.format.lookup import entry_at
from everlog.format.walk import drive_async
from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.offsets import Offset
from service.model.log import OffsetOutOfRangeError
from service.tiering.cold_objects import ColdObject, ColdObjects, ObjectRange
from service.tiering.prefetch import ReadAhead
from service.tiering.range_sources import RangeSource
from service.tiering.single_flight import Spawn
from service.tiering.stats import TierStats
from service.tiering.tier_view import TierView

_log = structlog.get_logger(__name__)


class FetchAhead:
    """The readers of one partition.

    Args:
        tier: What is committed.
        readers: Who reads where, for all partitions.
        spawn: Owns the tasks that fetch ahead.
    """

    def __init__(
        self,
        tier: TierView,
        *,
        readers: ReadAhead,
        objects: ColdObjects,
        ranges: RangeSource,
        spawn: Spawn,
        stats: TierStats,
        clock: Clock,
    ) -> None:
        self._tier = tier
        self._readers = readers
        self._objects = objects
        self._ranges = ranges
        self._spawn = spawn
        self._stats = stats
        self._clock = clock

    def follows(self, offset: Offset) -> bool:
        """Whether a reader has to go on exactly there."""
        return self._readers.follows(self._tier.path, offset)

    def is_steady(self, offset: Offset) -> bool:
        """Whether a reader has to go on exactly there that has gone on in order before."""
        return self._readers.is_steady(self._tier.path, offset)

    def enter(
        self, offset: Offset, found: ColdObject, wanted: ObjectRange, *, waited: bool
    ) -> bool:
        """Note where somebody reads; return whether a reader has just come there."""
        is_seek = not self.follows(offset)
        window = self._readers.enter(
            self._tier.path,
            offset,
            wanted.end,
            length=wanted.length,
            waited=waited,
            now=self._clock.monotonic(),
        )
        if window is None:
            return False
        self._stats.seeks += is_seek
        if window:
            # While scans are held back, no further than the range that the reader is in.
            self._spawn(self._fetch(found, wanted, 0 if self._ranges.is_held else window))
        return True

    async def _fetch(self, found: ColdObject, behind: ObjectRange, window: int) -> None:
        """Have the ranges behind one fetched."""
        try:
            for piece in found.rest_of(behind):
                self._begin(found, piece)
            number = behind.number
            for _ in range(window):
                number += 1
                while number >= len(found.ranges):
                    offset = found.entry.offsets.end
                    if not self._tier.start <= offset < self._tier.end:
                        return
                    found = await self._object_at(offset)
                    # A merged one may begin before it.
                    seek = found.index.seek(offset)
                    number = len(found.ranges)
                    if seek is not None:
                        number = found.range_of(seek.chunk).number
                self._begin(found, found.ranges[number])
        except EverlogError as error:
            # Nobody has asked for this yet; whoever does will meet the error.
            _log.debug("prefetch_failed", reason=str(error))

    def _begin(self, found: ColdObject, wanted: ObjectRange) -> None:
        if self._ranges.begin(found, wanted, lane=self._tier.path):
            self._stats.prefetched += 1

    async def _object_at(self, offset: Offset) -> ColdObject:
        root = await self._tier.root()
        entry = None if root is None else await drive_async(entry_at(root, offset), self._tier.page)
        if entry is None:
            raise OffsetOutOfRangeError(offset, self._tier.start, self._tier.end)
        return await self._objects.open(self._tier.home_of(entry), entry)
