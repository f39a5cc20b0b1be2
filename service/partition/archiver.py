"""Archiver: the cold side of all partitions of a broker, and who works on which of them next.

A partition at rest costs an entry in a dictionary: there is no task for it. Seals, new settings and
a timer put partitions into one queue; each gets a turn and goes to the back, so that those who have
waited longest come first and nobody is starved (TIER-29).
"""

import asyncio
from collections.abc import Callable, Iterable
from heapq import nsmallest

import structlog

from everlog.format.object_keys import PartitionPath
from everlog.model.errors import EverlogError, FencedError
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch
from service.hot.log import HotLog
from service.model.topic_config import TopicConfig
from service.partition.archive import ArchiveParts, PartitionArchive, Tiered
from service.partition.lag_watch import LagWatch
from service.partition.lineage import lineage_fault
from service.partition.replica_roles import BothTiers
from service.partition.restart_point import restart_point
from service.telemetry.stray_cancellation import begin_unbroken, unbroken
from service.tiering.authority import Authority, ClaimRequest, Held

UNSERVED_SECONDS = 0.1
"""A partition that is just being opened is looked at again after so long."""

SEARCHES_PER_CHECK_MAX = 64
"""Searches for orphans that begin at one look at all partitions; 18,000 in a day.

Each is three LISTs or more, and ten thousand partitions must not send theirs right after a start.
"""

MakeTiered = Callable[[Held, PartitionPath], Tiered]
"""Makes the cold side of a claimed partition."""

_log = structlog.get_logger(__name__)


class _Entry:
    """A partition, and where it stands in the queue."""

    __slots__ = ("archive", "is_woken", "task")

    def __init__(self, archive: PartitionArchive) -> None:
        self.archive = archive
        self.task: asyncio.Task[None] | None = None
        self.is_woken = False


class Archiver:
    """Implements `service.partition.keeper.Tiers`.

    Args:
        cluster_id: Names the objects of this cluster.
        check_seconds: Time between two looks at all partitions for what has expired.
        may_search: Whether orphans may be searched for, at a time in ms.
    """

    def __init__(
        self,
        *,
        cluster_id: str,
        authority: Authority,
        make_tiered: MakeTiered,
        parts: ArchiveParts,
        check_seconds: float,
        may_search: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._cluster_id = cluster_id
        self._authority = authority
        self._make_tiered = make_tiered
        self._parts = parts
        self._check_seconds = check_seconds
        self._may_search = may_search
        self._entries: dict[PartitionId, _Entry] = {}
        self._queue: dict[PartitionId, None] = {}
        self._lag_watch = LagWatch(self.wake)

    @property
    def archives(self) -> Iterable[PartitionArchive]:
        """The partitions, for the metrics page."""
        return (entry.archive for entry in self._entries.values())

    async def open(
        self, partition: PartitionId, leader_epoch: LeaderEpoch, hot: HotLog, config: TopicConfig
    ) -> BothTiers:
        """Claim the tier for this term, before the first append.

        A local log that ends before the tier does begins anew where the tier ends.

        Raises:
            FencedError: A later leader has claimed it.
            CorruptionError: The local log does not continue the tier; the partition stays offline.
            RetriableError: The metadata store did not answer for too long; or the object store,
                which is asked only if the log begins anew.
        """
        archive = PartitionArchive(hot, leader_epoch=leader_epoch, config=config, parts=self._parts)
        tiered = await self._claim(archive)
        is_new = tiered is not None and await self._begin_clone(tiered)
        if tiered is not None and hot.log_end < tiered.tier.end:
            archive.hot = hot = await self._restart(archive, tiered, is_new=is_new)
        self._adopt(archive, tiered)
        self._entries[partition] = _Entry(archive)
        hot.on_change = archive.small_objects.wake = lambda: self.wake(partition)
        self._lag_watch.follow(partition, archive)
        if archive.has_work:
            self.wake(partition)
        return BothTiers(hot, None if tiered is None else tiered.cold)

    def reconfigure(self, partition: PartitionId, config: TopicConfig) -> None:
        entry = self._entries.get(partition)
        if entry is not None:
            entry.archive.config = config
            self._lag_watch.follow(partition, entry.archive)
            self.wake(partition)

    async def close(self, partition: PartitionId) -> None:
        entry = self._entries.pop(partition, None)
        self._queue.pop(partition, None)
        self._lag_watch.leave(partition)
        if self._parts.cloning is not None:
            self._parts.cloning.close(partition)
        if entry is None:
            return
        entry.archive.is_fenced = True
        if entry.task is not None:
            entry.task.cancel()
            await asyncio.wait([entry.task])
        await entry.archive.small_objects.close()

    def wake(self, partition: PartitionId) -> None:
        """Give a partition a turn: it has a new sealed segment, or more of it is committed."""
        entry = self._entries.get(partition)
        if entry is None:
            return
        if entry.task is not None:
            entry.is_woken = True
        else:
            self._queue[partition] = None
            self._parts.turns.changed.set()

    async def run(self) -> None:
        """Work until cancelled; anything else that would end it is raised (TIER-22)."""
        turns = self._parts.turns
        async with asyncio.TaskGroup() as tasks:
            _ = begin_unbroken(tasks, self._check_all())
            _ = begin_unbroken(tasks, self._lag_watch.run())
            _ = begin_unbroken(tasks, self._parts.merger.run())
            while True:
                await turns.changed.wait()
                turns.changed.clear()
                while self._queue and turns.has_room:
                    partition = next(iter(self._queue))
                    del self._queue[partition]
                    entry = self._entries[partition]
                    turns.begin()
                    entry.task = tasks.create_task(self._turn(partition, entry))
                    # Even if it is cancelled before its first step.
                    entry.task.add_done_callback(lambda _: turns.end())

    async def _check_all(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            self._begin_searches()
            self._parts.looks.renew()
            for partition, entry in list(self._entries.items()):
                # Not in a turn: those may all be waiting for the store, and the disk must not.
                await self._free_disk(entry.archive)
                self.wake(partition)
                # Ten thousand partitions at rest must not hold the loop up.
                await asyncio.sleep(0)

    def _begin_searches(self) -> None:
        """Let those that have waited longest be searched for orphans."""
        now_ms = self._parts.clock.wall_ms()
        if not self._may_search(now_ms):
            return
        due = [
            archive.orphans
            for archive in self.archives
            if archive.tiered is not None and archive.orphans.is_due(now_ms)
        ]
        for search in nsmallest(SEARCHES_PER_CHECK_MAX, due, key=lambda each: each.due_ms):
            search.begin()

    async def _free_disk(self, archive: PartitionArchive) -> None:
        try:
            await unbroken(archive.free_disk())
        except Exception as error:  # noqa: BLE001  (it must not end others' work, TIER-28)
            self._park(archive, error)

    async def _turn(self, partition: PartitionId, entry: _Entry) -> None:
        is_more = False
        try:
            if self._parts.table.by_id(partition.topic_id, partition.partition) is None:
                asyncio.get_running_loop().call_later(UNSERVED_SECONDS, self.wake, partition)
                return
            if entry.archive.tiered is None and entry.archive.config.tiered:
                await self._begin_late(partition, entry.archive)
            is_more = await unbroken(entry.archive.turn())
            entry.archive.stalled_since = None
        except* FencedError as error:
            self._fence(entry.archive, error)
        except* EverlogError as error:
            self._park(entry.archive, error)
        except* Exception as error:  # noqa: BLE001  (it must not end others' work, TIER-28)
            _log.exception("archiver_failed", partition=partition.partition)
            self._park(entry.archive, error)
        finally:
            entry.task = None
            if is_more or entry.is_woken:
                entry.is_woken = False
                self.wake(partition)

    async def _claim(self, archive: PartitionArchive) -> Tiered | None:
        """Claim the tier of a partition, if it has or is to have one."""
        hot, config = archive.hot, archive.config
        held = await self._authority.claim(
            ClaimRequest(
                partition=hot.partition,
                epoch=archive.leader_epoch,
                start=hot.local_start,
                may_begin=config.tiered,
            )
        )
        if held is None:
            return None
        path = PartitionPath(
            cluster_id=self._cluster_id,
            topic_id=hot.partition.topic_id,
            partition=hot.partition.partition,
        )
        return self._make_tiered(held, path)

    async def _begin_clone(self, tiered: Tiered) -> bool:
        """Make the tier of a clone, if it is one's; return whether that was done now."""
        cloning = self._parts.cloning
        return cloning is not None and await cloning.open(tiered.tier)

    def _adopt(self, archive: PartitionArchive, tiered: Tiered | None) -> None:
        """Put the two tiers of a partition together, if the local log continues the cold one."""
        hot = archive.hot
        if tiered is None:
            hot.raise_log_start(hot.local_start)
            return
        fault = lineage_fault(hot, tiered.tier)
        if fault is not None:
            raise fault
        hot.raise_log_start(tiered.tier.start)
        archive.tiered = tiered

    async def _restart(self, archive: PartitionArchive, tiered: Tiered, *, is_new: bool) -> HotLog:
        """Let a local log that has lost its end go on where the tier ends (TIER-12).

        Nothing but this disk held what came behind that: the partition has one replica. A new
        clone begins there, too, and has lost nothing.
        """
        hot, now_ms = archive.hot, self._parts.clock.wall_ms()
        state = await tiered.cold.end_state()
        point = await restart_point(hot, tiered.tier, tiered.cold, state, now_ms=now_ms)
        fresh = await self._parts.hot.restart(hot, point, term=archive.leader_epoch)
        if is_new:
            return fresh
        self._parts.stats.log_restarts += 1
        _log.warning(
            "log_restarted_at_archive_end",
            topic_id=hot.partition.topic_id.hex(),
            partition=hot.partition.partition,
            local_end=hot.log_end,
            archive_end=point.offset,
            consequence="records that were not archived yet are lost if there were any",
        )
        return fresh

    async def _begin_late(self, partition: PartitionId, archive: PartitionArchive) -> None:
        """Begin the tier of a topic that was not tiered when it was opened."""
        self._adopt(archive, await self._claim(archive))
        served = self._parts.table.by_id(partition.topic_id, partition.partition)
        if served is not None and archive.tiered is not None:
            served.log.cold = archive.tiered.cold

    def _fence(self, archive: PartitionArchive, error: BaseException) -> None:
        archive.is_fenced = True
        self._parts.stats.fenced += 1
        _log.error("tier_fenced", partition=archive.hot.partition.partition, reason=str(error))

    def _park(self, archive: PartitionArchive, error: BaseException) -> None:
        """Leave a partition alone until the next look at all of them."""
        archive.note_stall()
        _log.error(
            "archive_stalled",
            topic_id=archive.hot.partition.topic_id.hex(),
            partition=archive.hot.partition.partition,
            reason=_reasons(error),
        )


def _reasons(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reasons(each) for each in error.exceptions)
    return str(error)
