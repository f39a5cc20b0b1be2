"""EarlyRelease: archived segments leave a full disk before their time, the oldest of all first.

Age is that of the newest record in a segment, over all partitions of the broker. Within a partition
segments go in the order of their offsets, whatever their times are.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heapreplace
from itertools import count
from typing import NamedTuple

import structlog

from everlog.model.clock import Clock
from everlog.model.offsets import Offset
from service.hot.segment import Segment
from service.hot.sparse_index import NO_TIMESTAMP
from service.hot.store import HotStore
from service.partition.archive import PartitionArchive
from service.telemetry.logs import Limited

_log = structlog.get_logger(__name__)


class _Head(NamedTuple):
    """The next segment that a partition would let go of; no two have the same ``turn``."""

    timestamp: int
    turn: int
    segment: Segment
    rest: Iterator[Segment]
    archive: PartitionArchive


class EarlyRelease:
    """Releases segments that local retention would keep.

    Attributes:
        segments: Released so far, and ``bytes`` of them.
    """

    def __init__(
        self, hot: HotStore, archives: Callable[[], Iterable[PartitionArchive]], clock: Clock
    ) -> None:
        self.segments = 0
        self.bytes = 0
        self._hot = hot
        self._archives = archives
        self._clock = clock
        self._complaints = Limited()

    def releasable(self, wanted: int) -> int:
        """Return how many bytes may be released, or so many that they reach ``wanted``."""
        found = 0
        for archive in self._archives():
            for segment in archive.releasable():
                if found >= wanted:
                    return found
                found += segment.size
        return found

    async def release(self, wanted: int) -> int:
        """Release segments until that many bytes have gone, or none is left; return the bytes."""
        released = 0
        for archive, before in (await self._chosen(wanted)).items():
            try:
                gone = await archive.release_early(before)
            except Exception as error:  # noqa: BLE001  (others have room to give, TIER-28)
                self._complain(archive, error)
                continue
            self.segments += len(gone)
            released += sum(each.size for each in gone)
        self.bytes += released
        return released

    def _complain(self, archive: PartitionArchive, error: Exception) -> None:
        log = archive.hot.directory
        if self._complaints.admit(log, self._clock.monotonic()) is not None:
            _log.error("early_release_failed", log=log, reason=repr(error))

    async def _chosen(self, wanted: int) -> dict[PartitionArchive, Offset]:
        """Choose the oldest segments; return where those of each partition end."""
        turns = count()
        heads: list[_Head] = []
        for archive in list(self._archives()):
            rest = iter(_first_of(archive, wanted))
            head = await self._next_head(rest, archive, next(turns), at_least=NO_TIMESTAMP)
            if head is not None:
                heads.append(head)
                await asyncio.sleep(0)  # ten thousand partitions must not hold the loop up
        heapify(heads)
        chosen: dict[PartitionArchive, Offset] = {}
        while heads and wanted > 0:
            oldest = heads[0]
            chosen[oldest.archive] = Offset(oldest.segment.next_offset)
            wanted -= oldest.segment.size
            head = await self._next_head(
                oldest.rest, oldest.archive, next(turns), at_least=oldest.timestamp
            )
            if head is None:
                heappop(heads)
            else:
                heapreplace(heads, head)
        return chosen

    async def _next_head(
        self, rest: Iterator[Segment], archive: PartitionArchive, turn: int, *, at_least: int
    ) -> _Head | None:
        segment = next(rest, None)
        if segment is None:
            return None
        timestamp = await self._hot.learn_timestamp(segment)
        return _Head(max(timestamp, at_least), turn, segment, rest, archive)


def _first_of(archive: PartitionArchive, wanted: int) -> list[Segment]:
    """Return the segments of one partition that would do alone, or all that may go."""
    found: list[Segment] = []
    for segment in archive.releasable():
        if wanted <= 0:
            break
        found.append(segment)
        wanted -= segment.size
    return found
