"""What is done to one partition's segments: uploaded, committed, released, expired.

One turn at a time does all of it, so nothing here is locked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from everlog.format.replacing import Replacement
from everlog.format.retention import Cut
from everlog.format.segment_sections import EpochStart
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import CorruptionError, RejectedError, RetriableError
from everlog.model.offsets import LeaderEpoch, Offset
from service.hot.log import HotLog
from service.hot.segment import Segment
from service.hot.store import HotStore
from service.model.topic_config import TopicConfig
from service.partition.cloning import Cloning
from service.partition.first_looks import FirstLooks
from service.partition.insistence import insist
from service.partition.local_release import LocalRelease
from service.partition.orphan_search import OrphanSearch
from service.partition.partition_lag import PartitionLag
from service.partition.release_proof import ReleaseProof
from service.partition.small_objects import SmallObjects
from service.partition.table import PartitionTable
from service.partition.topic_classes import TopicClasses
from service.partition.turns import Turns
from service.partition.upload_plans import plan_uploads
from service.tiering.cold_log import ColdLog
from service.tiering.partition_tier import PartitionTier, Skip, TierChange
from service.tiering.planner import MissingRecordsError, UploadPlan
from service.tiering.retention import UNLIMITED, Limits, tier_cut
from service.tiering.rewrite import Merger
from service.tiering.stats import TierStats
from service.tiering.sweeper import Sweeper
from service.tiering.uploader import Uploaded, Uploader

OLD_ROOTS_MIN = 32
"""Old roots go so many at a time: before each deletion the store is asked who has it, by a listing
that costs as much as storing an object."""

UPLOADS_PER_TURN_MAX = 4
"""Objects of one partition that are uploaded side by side; their commits stay in order."""

ResultT = TypeVar("ResultT")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveParts:
    """What all partitions of a broker share.

    Attributes:
        classes: What topics ask of the store.
        cloning: Makes clones of what is tiered.
        proof: That the store is the one that holds what is tiered.
    """

    hot: HotStore
    table: PartitionTable
    uploader: Uploader
    merger: Merger
    sweeper: Sweeper
    clock: Clock
    ids: IdSource
    stats: TierStats
    orphan_grace_ms: int
    proof: ReleaseProof
    classes: TopicClasses
    cloning: Cloning | None = None
    uploads_per_turn_max: int = UPLOADS_PER_TURN_MAX
    turns: Turns = field(default_factory=Turns)
    looks: FirstLooks = field(default_factory=FirstLooks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiered:
    """The cold side of a partition: what is committed, and how it is read."""

    tier: PartitionTier
    cold: ColdLog


class PartitionArchive:
    """One partition that this broker leads.

    Attributes:
        tiered: None while the partition has no tier.
        is_fenced: Whether somebody else owns the tier; then nothing changes here any more.
        orphans: Searched for in turns.
        small_objects: Merged beside turns, and committed in them.
        stalled_since: When uploading began to fail, in monotonic seconds; None while it goes well.
    """

    def __init__(
        self,
        hot: HotLog,
        *,
        leader_epoch: LeaderEpoch,
        config: TopicConfig,
        parts: ArchiveParts,
    ) -> None:
        self.hot = hot
        self.leader_epoch = leader_epoch
        self.config = config
        self.tiered: Tiered | None = None
        self.is_fenced = False
        self.stalled_since: float | None = None
        self.orphans = OrphanSearch(
            parts.sweeper, clock=parts.clock, grace_ms=parts.orphan_grace_ms
        )
        self.small_objects = SmallObjects(
            parts.merger, classes=parts.classes, clock=parts.clock, stats=parts.stats
        )
        self._parts = parts
        self._local = LocalRelease(
            parts.hot, clock=parts.clock, proof=parts.proof, is_over=lambda: self.is_fenced
        )
        self._lag = PartitionLag(parts.clock)

    @property
    def tiered_end(self) -> Offset:
        """What is below it may be released."""
        return Offset(0) if self.tiered is None else self.tiered.tier.end

    @property
    def slice_lag_ms(self) -> int | None:
        """How old a record gets before it goes up with a slice; None without slices."""
        return self.config.remote_copy_lag_ms if self.config.tiered else None

    @property
    def lag_bytes(self) -> int:
        """Bytes that wait for their upload."""
        if self.tiered is None or not self.config.tiered:
            return 0
        with_slices = self.slice_lag_ms is not None
        return self._lag.bytes(self.hot, self.tiered_end, with_slices=with_slices)

    def lag_ms(self, now_ms: int) -> int:
        """Return the age of what has waited longest for its upload; 0 when nothing waits."""
        if self.tiered is None or not self.config.tiered:
            return 0
        with_slices = self.slice_lag_ms is not None
        return self._lag.ms(self.hot, self.tiered_end, with_slices=with_slices, now_ms=now_ms)

    def wants_slice(self) -> bool:
        """Look at the log end; return whether records have to go up before they are sealed."""
        lag_ms = self.slice_lag_ms
        if self.tiered is None or lag_ms is None or self.is_fenced or self.hot.failure is not None:
            return False
        self._lag.look(self.hot)
        is_due = self._lag.is_slice_due(self.hot, self.tiered_end, lag_ms_max=lag_ms)
        if is_due:
            self.hot.sync()  # only what is synced goes up
        return is_due

    @property
    def has_work(self) -> bool:
        """Whether something has to be uploaded."""
        sealed = self.hot.sealed
        waits = bool(sealed) and sealed[-1].next_offset > self.tiered_end
        return self.config.tiered and (waits or self.wants_slice())

    def note_stall(self) -> None:
        """Take note that uploading fails, for the metrics page."""
        if self.stalled_since is None:
            self.stalled_since = self._parts.clock.monotonic()

    async def back_off(self, seconds: float) -> None:
        """Wait before another attempt, without keeping other partitions from their turn."""
        self.note_stall()
        self._parts.stats.upload_retries += 1
        await self._parts.turns.pause(self.hot.partition, seconds)

    async def turn(self) -> bool:
        """Upload some of what waits, and let go of what may go; return whether more waits."""
        if self.is_fenced or self.hot.failure is not None:
            return False
        is_more = await self._upload_some()
        if not self.config.held:
            await self._expire()
        await self.free_disk()
        if self.tiered is None or self.config.held:
            await self.small_objects.close()
            return is_more
        tier = self.tiered.tier
        if self._parts.cloning is not None:
            await self._parts.cloning.step(tier)
        commit = partial(self._replace, tier)
        is_more |= await self.small_objects.step(tier, self.config, commit)
        return await self.orphans.step(tier, underway=self.small_objects.underway) or is_more

    async def free_disk(self) -> None:
        """Let go of local segments that may go.

        Waits for no store that is away, and may run beside a turn that does: what is being uploaded
        lies above the tier's end.
        """
        if self.is_fenced or self.hot.failure is not None:
            return
        if self.tiered is not None:
            await self._release_outlived(self.tiered.tier)
        elif self.config.expires and not self.config.tiered and not self.config.held:
            limits = Limits(self.config.retention_ms, self.config.retention_bytes)
            if await self._local.expire(self.hot, limits):
                _log.info(
                    "records_expired",
                    partition=self.hot.partition.text,
                    log_start=self.hot.log_start,
                )

    def releasable(self) -> Iterator[Segment]:
        """Yield what the disk may do without, oldest first; nothing without a tier (TIER-11)."""
        if self.tiered is not None:
            yield from self._local.releasable(self.hot, self.tiered.tier.end)

    async def release_early(self, before: Offset) -> list[Segment]:
        """Release what may go of what ends by ``before``, whatever local retention says."""
        if self.tiered is None:
            return []
        return await self._local.release(self.hot, before, self.tiered.tier.end)

    async def _release_outlived(self, tier: PartitionTier) -> None:
        limits = Limits(self.config.local_retention_ms, self.config.local_retention_bytes)
        await self._local.outlived(self.hot, limits, tier.end)

    def _waits_since_ms(self) -> int:
        """Return the wall time since when the oldest record waits for its upload."""
        end, hot, now_ms = self.tiered_end, self._parts.hot, self._parts.clock.wall_ms()
        oldest = next((each for each in self.hot.sealed if each.next_offset > end), None)
        return now_ms - self.lag_ms(now_ms) if oldest is None else hot.first_append_ms(oldest)

    # ---- uploading

    async def _upload_some(self) -> bool:
        if self.tiered is None or not self.config.tiered:
            return False
        tier = self.tiered.tier
        await self._skip_lost(tier)
        plans = await self._plans(tier)
        if not plans:
            return False
        # Without the root nothing could be committed, so nothing is uploaded before.
        await self._insist(partial(tier.root, is_hasty=True))
        await self._upload_and_commit(tier, plans)
        return self.has_work

    async def _upload_and_commit(self, tier: PartitionTier, plans: list[UploadPlan]) -> None:
        stamp = tier.next_stamp
        since_ms = self._waits_since_ms()
        async with asyncio.TaskGroup() as tasks:
            uploads = [
                tasks.create_task(
                    self._parts.uploader.upload(
                        plan,
                        path=tier.path,
                        stamp=stamp,
                        lineage=self._lineage(plan),
                        since_ms=since_ms,
                        back_off=self.back_off,
                        storage_class=self._parts.classes.of(tier.path, self.config).new,
                        lock=self.config.lock,
                    )
                )
                for plan in plans
            ]
            while uploads:
                ready = [await uploads.pop(0)]
                while uploads and uploads[0].done():
                    ready.append(await uploads.pop(0))
                await self._commit(tier, ready)
                self._lag.note_commit(plans[-len(uploads) - 1])

    async def _commit(self, tier: PartitionTier, uploaded: list[Uploaded]) -> None:
        """Make objects part of the tier, however often the store has to be asked."""
        change = TierChange(uploaded=uploaded, trash_gone=await self._empty_trash(tier))
        await self._insist(lambda: tier.commit(change))
        self.stalled_since = None
        stats = self._parts.stats
        stats.objects += len(uploaded)
        stats.object_bytes += sum(each.entry.size_bytes for each in uploaded)
        _log.info(
            "tier_committed",
            partition=self.hot.partition.text,
            tiered_end=tier.end,
            objects=len(uploaded),
            ver=tier.pointer.stamp.ver,
        )
        await self._release_outlived(tier)
        await tier.hint()

    async def _replace(self, tier: PartitionTier, replacement: Replacement) -> None:
        """Make rewritten objects part of the tier; raises like `PartitionTier.commit`."""
        gone = await self._empty_trash(tier)
        change = TierChange(replacement=replacement, trash_gone=gone)
        await self._insist(lambda: tier.commit(change))
        await tier.hint()

    async def _insist(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Repeat while the store fails in a way that passes; all else ends the turn."""
        parts, name = self._parts, self.hot.partition.text
        return await insist(call, ids=parts.ids, back_off=self.back_off, partition=name)

    async def _skip_lost(self, tier: PartitionTier) -> None:
        """Go on behind records that were deleted before they were uploaded (TIER-49)."""
        start = self.hot.local_start
        if start <= tier.end:
            return
        if start > self.hot.log_start:
            raise MissingRecordsError(tiered_end=tier.end, local_start=start)
        epoch = self.hot.epochs.epoch_of(start - 1)
        skip = Skip(to=start, end_epoch=self.leader_epoch if epoch is None else epoch)
        everything = tier_cut(UNLIMITED, log_start=start, untiered_bytes=0, now_ms=0)
        await self._insist(lambda: tier.commit(TierChange(cut=everything, skip=skip)))

    async def _plans(self, tier: PartitionTier) -> list[UploadPlan]:
        partition = self._parts.table.by_id(
            self.hot.partition.topic_id, self.hot.partition.partition
        )
        if partition is None:
            return []
        return await plan_uploads(
            self._parts.hot,
            self.hot,
            tier.end,
            committed=min(partition.high_watermark, partition.last_stable_offset),
            object_bytes=self.config.remote_object_bytes,
            plans_max=self._parts.uploads_per_turn_max,
            with_slice=self.wants_slice(),
        )

    def _lineage(self, plan: UploadPlan) -> list[EpochStart]:
        return [
            EpochStart(LeaderEpoch(epoch), Offset(start))
            for epoch, start in self.hot.epochs
            if start < plan.offsets.end
        ]

    # ---- letting go

    async def _expire(self) -> None:
        """Drop what has outlived the topic's retention from both tiers."""
        if self.tiered is not None and self.tiered.tier.pointer.root is not None:
            limits = Limits(self.config.retention_ms, self.config.retention_bytes)
            await self._expire_tier(self.tiered.tier, limits)

    async def _expire_tier(self, tier: PartitionTier, limits: Limits) -> None:
        hot = self.hot
        now_ms = self._parts.clock.wall_ms()
        untiered = sum(each.size for each in hot.segments if each.base_offset >= tier.end)
        cut = tier_cut(limits, log_start=hot.log_start, untiered_bytes=untiered, now_ms=now_ms)
        is_due = tier.trash_from_ms is not None and tier.trash_from_ms <= now_ms
        if not is_due and not await self._is_cut(tier, cut):
            return
        gone = await self._empty_trash(tier) if is_due else ()
        await self._insist(lambda: tier.commit(TierChange(cut=cut, trash_gone=gone)))
        await tier.hint()
        if tier.start > hot.log_start:
            # The tier's start first: a stop in between must not lose what the tier still shows.
            await self._local.raise_start(hot, tier.start)
            _log.info("records_expired", partition=hot.partition.text, log_start=hot.log_start)

    async def _is_cut(self, tier: PartitionTier, cut: Cut) -> bool:
        """Whether a cut changes anything; asks the store only at the first time (TIER-40)."""
        if cut.start > tier.start:
            return True
        if cut.before_ms is None and cut.data_bytes_max is None:
            return False
        if tier.head is None and not self._parts.looks.take():
            return False
        head = tier.head or await tier.find_head()
        return head is not None and head.is_taken_by(cut)

    async def _empty_trash(self, tier: PartitionTier) -> Collection[int]:
        """Delete what has been retired for long enough; return the places of these items."""
        if self.config.held:
            return ()
        now_ms = self._parts.clock.wall_ms()
        try:
            return await self._parts.sweeper.empty_trash(
                tier, now_ms=now_ms, roots_min=OLD_ROOTS_MIN
            )
        except (RetriableError, RejectedError, CorruptionError) as error:
            # It stays listed, and is deleted at a later commit; nothing else waits for it.
            _log.warning("trash_not_emptied", partition=self.hot.partition.text, reason=str(error))
            return ()
