"""Rewrites of one partition's objects: what is merged or moved next, and what becomes of it.

Small objects are merged; when none are left to merge, old ones are moved to another storage class,
which is a merge of one.

One is under way at most. It runs beside the partition's turns; its result is committed in one of
them, where an expiry or a fencing in between comes to light (TIER-29).
"""

from collections.abc import Awaitable, Callable

import structlog

from everlog.format.object_keys import Uid
from everlog.format.replacing import Replacement, StaleRewriteError
from everlog.format.root import Root
from everlog.format.walk import drive_async
from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, EverlogError, RejectedError, RetriableError
from everlog.model.object_lock import strictest
from everlog.model.offsets import Offset
from service.model.topic_config import TopicConfig
from service.partition.aging_objects import AgingObjects
from service.partition.topic_classes import TopicClasses
from service.tiering.class_moves import class_of
from service.tiering.merging import MergeLimits, MergePlan, find_merge
from service.tiering.partition_tier import PartitionTier
from service.tiering.rewrite import Merge, Merger
from service.tiering.stats import TierStats

RETENTION_SHARES = 8
"""Of what a topic keeps, in time or in bytes, one merged object is an eighth at most."""

REST_SECONDS = 60.0
"""After a merge that has failed, before the next one of the partition."""

LOCKED_TRASH_MAX = 4096
"""Items of trash that are locked (73 bytes each in every root) beyond which no more are made."""

Commit = Callable[[Replacement], Awaitable[object]]
"""Makes a replacement part of the tier; raises what `PartitionTier.commit` raises."""

_log = structlog.get_logger(__name__)


class SmallObjects:
    """The merges, and moves, of one partition.

    Attributes:
        wake: Called when a merge has ended, so that a turn takes its result.
    """

    __slots__ = (
        "_aging",
        "_classes",
        "_clock",
        "_limits",
        "_merge",
        "_merger",
        "_place",
        "_rests_until",
        "_searched",
        "_stats",
        "wake",
    )

    def __init__(
        self, merger: Merger, *, classes: TopicClasses, clock: Clock, stats: TierStats
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._merger = merger
        self._classes = classes
        self._aging = AgingObjects()
        self._clock = clock
        self._stats = stats
        self._merge: Merge | None = None
        self._limits: MergeLimits | None = None
        self._searched: Uid | None = None
        self._place = Offset(0)
        self._rests_until = 0.0

    @property
    def underway(self) -> frozenset[Uid]:
        """Objects that are being made: a commit may still name them."""
        return frozenset() if self._merge is None else frozenset({self._merge.key.uid})

    async def step(self, tier: PartitionTier, config: TopicConfig, commit: Commit) -> bool:
        """Commit what a merge has made, and begin the next one; return whether to go on at once.

        Raises:
            TierFencedError: Somebody else owns the tier now.
        """
        merge = self._merge
        if merge is not None:
            if not merge.is_over:
                return False
            self._merge = None
            await self._settle(merge, commit)
        if not config.tiered or not self._merger.has_room:
            return False
        try:
            return await self._begin(tier, config)
        except (RetriableError, RejectedError, CorruptionError) as error:
            _log.warning("merges_not_searched", reason=str(error))
            self._rest()
            return False

    async def close(self) -> None:
        """Let go of a merge that is under way; what it has stored is an orphan."""
        if self._merge is not None:
            await self._merge.drop()
            self._merge = None

    async def _settle(self, merge: Merge, commit: Commit) -> None:
        if merge.made is None:
            self._note_failure(merge, merge.failure)
            return
        try:
            await commit(merge.made)
        except StaleRewriteError as error:
            # Nothing is wrong: it took longer than what it was made of has lived.
            _log.info("merge_stale", object=merge.key.text, reason=str(error))
            return
        self._count(merge)

    def _count(self, merge: Merge) -> None:
        stats, data_bytes = self._stats, merge.plan.data_bytes
        if merge.is_move:
            stats.moves += 1
            stats.moved_bytes += data_bytes
            _log.info(
                "object_moved",
                object=merge.key.text,
                storage_class=merge.storage_class.name,
                data_bytes=data_bytes,
            )
            return
        stats.merges += 1
        stats.merged_objects += len(merge.plan.entries)
        stats.merged_bytes += data_bytes
        _log.info(
            "objects_merged",
            object=merge.key.text,
            objects=len(merge.plan.entries),
            data_bytes=data_bytes,
        )

    def _note_failure(self, merge: Merge, failure: EverlogError | None) -> None:
        if isinstance(failure, CorruptionError):
            # It will be no better next time: those behind it have their turn first.
            if merge.is_move:
                self._aging.pass_over(merge.plan.offsets.end)
            else:
                self._place = merge.plan.offsets.end
        self._rest()

    def _rest(self) -> None:
        self._rests_until = self._clock.monotonic() + REST_SECONDS

    async def _begin(self, tier: PartitionTier, config: TopicConfig) -> bool:
        """Search on for something to do; return whether there is more to search at once."""
        if self._clock.monotonic() < self._rests_until:
            return False
        rules, now_ms = self._classes.of(tier.path, config), self._clock.wall_ms()
        plan, is_more = await self._next_merge(tier, merge_limits(config))
        if plan is None and not is_more:
            plan, is_more = await self._aging.next(tier, rules, now_ms=now_ms)
        if plan is None or not self._merger.has_room:  # others began while a page was fetched
            return is_more
        self._merge = self._merger.begin(
            plan,
            path=tier.path,
            stamp=tier.next_stamp,
            on_over=self.wake,
            home_of=tier.home_of,
            storage_class=class_of(plan.entries, rules, now_ms=now_ms),
        )
        return False

    async def _next_merge(
        self, tier: PartitionTier, limits: MergeLimits
    ) -> tuple[MergePlan | None, bool]:
        """Search on for objects to merge; return them, and whether to search on at once."""
        root = tier.cached_root
        if root is None:  # nothing has come since it was needed last
            return None, False
        if limits != self._limits:
            self._limits, self._place, self._searched = limits, Offset(0), None
        if self._searched == root.uid:
            return None, False
        search = await drive_async(find_merge(root, self._place, limits), tier.page)
        self._place = max(self._place, search.resume)
        if search.plan is not None and is_too_locked(
            root, search.plan, now_ms=self._clock.wall_ms()
        ):
            self._place = search.plan.offsets.end
            return None, True
        if search.plan is None:
            self._searched = root.uid if search.is_over else None
        return search.plan, search.plan is None and not search.is_over


def is_too_locked(root: Root, plan: MergePlan, *, now_ms: int) -> bool:
    """Whether a merge would leave more locked objects in the trash than a root should name."""
    is_locked = strictest((each.lock for each in plan.entries), now_ms=now_ms) is not None
    return is_locked and root.trash.locked + len(plan.entries) > LOCKED_TRASH_MAX


def merge_limits(config: TopicConfig) -> MergeLimits:
    """Return what may be made of a topic's objects: they expire as a whole."""
    object_bytes, span_ms_max = config.remote_object_bytes, None
    if config.retention_bytes is not None:
        object_bytes = min(object_bytes, config.retention_bytes // RETENTION_SHARES)
    if config.retention_ms is not None:
        span_ms_max = config.retention_ms // RETENTION_SHARES
    return MergeLimits(object_bytes=object_bytes, span_ms_max=span_ms_max)
