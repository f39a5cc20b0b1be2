"""When a partition's objects are searched for orphans, and how far that has come."""

from collections.abc import Collection

import structlog

from everlog.format.object_keys import Uid
from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, RejectedError, RetriableError
from service.tiering.partition_tier import PartitionTier
from service.tiering.sweeper import SearchPlace, Sweeper

_log = structlog.get_logger(__name__)


class OrphanSearch:
    """The searches of one partition: one soon after its start, then one for every grace.

    Args:
        grace_ms: Age at which an orphan goes, in ms.

    Attributes:
        due_ms: When the next search may begin, in wall time.
    """

    __slots__ = ("_clock", "_grace_ms", "_place", "_sweeper", "due_ms")

    def __init__(self, sweeper: Sweeper, *, clock: Clock, grace_ms: int) -> None:
        self._sweeper = sweeper
        self._clock = clock
        self._grace_ms = grace_ms
        self._place: SearchPlace | None = None
        self.due_ms = clock.wall_ms()

    def is_due(self, now_ms: int) -> bool:
        """Whether a search should begin."""
        return self._place is None and self.due_ms <= now_ms

    def begin(self) -> None:
        """Let the next turns search."""
        self._place = SearchPlace()

    async def step(self, tier: PartitionTier, *, underway: Collection[Uid]) -> bool:
        """Search on if a search is under way; return whether there is more at once.

        Args:
            tier: Where.
            underway: Objects that are being made for a commit; they stay.

        Raises:
            TierFencedError: Somebody else owns the tier now.
        """
        if self._place is None:
            return False
        now_ms = self._clock.wall_ms()
        try:
            self._place = await self._sweeper.remove_orphans(
                tier, self._place, now_ms=now_ms, grace_ms=self._grace_ms, underway=underway
            )
        except (RetriableError, RejectedError, CorruptionError) as error:
            # Another turn goes on from the same place.
            path = tier.path
            _log.warning(
                "orphans_not_removed",
                partition=f"{path.topic_id.hex()}/{path.partition}",
                reason=str(error),
            )
            return False
        if self._place is None:
            self.due_ms = now_ms + self._grace_ms
        return self._place is not None
