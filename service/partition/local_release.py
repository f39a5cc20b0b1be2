"""LocalRelease: what one partition lets go of on this disk, and what it never does.

A segment goes only on positive proof (TIER-11): the committed end of the tier, as this term has
claimed or moved it, lies behind the segment, and the store has proved to be the archive's.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import structlog

from everlog.model.clock import Clock
from everlog.model.offsets import Offset
from service.hot.log import HotLog
from service.hot.segment import Segment
from service.hot.store import HotStore
from service.partition.release_proof import ReleaseProof
from service.tiering.retention import UNLIMITED, Limits, LocalSegment, expired_before

_log = structlog.get_logger(__name__)


class LocalRelease:
    """Removes local segments of one partition.

    Nothing here waits for a store that is away, and it may run beside an upload: what is being
    uploaded lies above the tier's end.

    Args:
        proof: That the store is the one that holds what is tiered.
        is_over: Whether the log is somebody else's by now; it may be while the proof is renewed.
    """

    def __init__(
        self, store: HotStore, *, clock: Clock, proof: ReleaseProof, is_over: Callable[[], bool]
    ) -> None:
        self._store = store
        self._clock = clock
        self._proof = proof
        self._is_over = is_over

    def releasable(self, hot: HotLog, tier_end: Offset) -> Iterator[Segment]:
        """Yield the segments that may go, oldest first; whether they should is another matter."""
        if self._is_over() or not self._proof.holds or hot.is_held or hot.failure is not None:
            return
        # An empty active segment has no file yet: the last sealed one has to tell, at the next
        # start, where the log ends.
        kept = 1 if hot.active.size else 2
        end = min(tier_end, hot.synced_end)
        for each in islice(hot.segments, max(0, len(hot.segments) - kept)):
            if each.next_offset > end:
                return
            yield each

    async def outlived(self, hot: HotLog, limits: Limits, tier_end: Offset) -> None:
        """Release what is in the tier and has outlived its local retention."""
        before = self._outlived(hot, limits, tier_end)
        if before is not None:
            await self.release(hot, before, tier_end)

    async def release(self, hot: HotLog, before: Offset, tier_end: Offset) -> list[Segment]:
        """Release what may go of what ends by ``before``; return it."""
        if not self._may_go(hot, before, tier_end) or not await self._proof.renew():
            return []
        may_go = self._may_go(hot, before, tier_end)  # others may have worked on the log meanwhile
        if not may_go:
            return []
        released = await self._store.release(hot, Offset(may_go[-1].next_offset))
        if released:
            _log.info(
                "segments_released",
                partition=hot.partition.text,
                segments=len(released),
                local_start=hot.local_start,
            )
        return released

    def _may_go(self, hot: HotLog, before: Offset, tier_end: Offset) -> list[Segment]:
        return [each for each in self.releasable(hot, tier_end) if each.next_offset <= before]

    async def expire(self, hot: HotLog, limits: Limits) -> bool:
        """Delete what has outlived the retention of a log without a tier; tell whether any has."""
        before = self._outlived(hot, limits, hot.synced_end)
        if before is None or before <= hot.log_start:
            return False
        await self.raise_start(hot, before)
        return True

    async def raise_start(self, hot: HotLog, offset: Offset) -> None:
        """Move the start of the log up, durably."""
        await self._store.set_log_start(hot, offset)

    def _outlived(self, hot: HotLog, limits: Limits, end: Offset) -> Offset | None:
        """Return where the local segments begin that have to be kept; None when all have to."""
        if limits == UNLIMITED:
            return None
        return expired_before(
            self._described(hot), limits, size=hot.size, end=end, now_ms=self._clock.wall_ms()
        )

    def _described(self, hot: HotLog) -> Iterator[LocalSegment]:
        """Yield the sealed segments; their times, which may have to be read, only when wanted."""
        for each in hot.sealed:
            newest = self._store.newest_timestamp(each)
            yield LocalSegment(each.base_offset, each.next_offset, each.size, newest)
