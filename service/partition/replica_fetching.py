"""Copies what this broker follows: one loop for each broker that leads some of it.

A leader without news holds a request for a while. Whatever is followed meanwhile has a lane of its
own, with short requests, until the loop takes it in: a new term does not wait for an old request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from everlog.model.errors import EverlogError, RejectedError, RetriableError
from everlog.model.ids import NodeId, PartitionId
from service.hot.log import HotLog
from service.hot.restart import LogRestart
from service.partition.follower import FollowerPartition
from service.partition.replication_throttle import ReplicationThrottle
from service.replication.fetching import FetchAnswer, FetchFault, LeaderChannel, LeaderLostError

TERM_SECONDS = 0.05
"""Who is asked in another term than its own is asked again so soon: one of the two hears of the new
one a little later."""

Connect = Callable[[NodeId], LeaderChannel | None]
"""Gives a way to a broker, or None while it is not registered."""

FindStart = Callable[[HotLog], Awaitable[LogRestart]]
"""Finds where a log begins that lacks what its leader has in the archive only."""

STARTS_AT_ONCE_MAX = 16
"""Of so many logs at a time the archive is asked where they begin."""

OnBroken = Callable[[FollowerPartition, EverlogError], None]
"""Told of a partition that cannot be copied any more, and why."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Source:
    """One leader, and what is copied from it.

    Attributes:
        partitions: All of it.
        changed: Set when there may be something to ask for.
        progress: Set when more is safe on the disk.
        resting: Left out of the requests for a while.
        newcomers: What the request on its way does not name; copied in the lane.
        is_asking: Whether there is such a request.
        is_lost: Whether the leader has not answered the last one.
        task: The loop.
        lane: Copies the newcomers.
    """

    leader: NodeId
    partitions: dict[PartitionId, FollowerPartition] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    progress: asyncio.Event = field(default_factory=asyncio.Event)
    resting: set[PartitionId] = field(default_factory=set)
    newcomers: dict[PartitionId, FollowerPartition] = field(default_factory=dict)
    is_asking: bool = False
    is_lost: bool = False
    task: "asyncio.Task[None] | None" = None
    lane: "asyncio.Task[None] | None" = None

    def awake(self, partitions: dict[PartitionId, FollowerPartition]) -> list[FollowerPartition]:
        """Return those that do not rest."""
        return [each for key, each in partitions.items() if key not in self.resting]


class ReplicaFetching:
    """Follows leaders.

    A follower asks again when what it got is safe on its disk, so that each request tells how far
    it is; what has come to the leader meanwhile is answered in one piece.

    Args:
        me: This broker, which copies nothing from itself.
        connect: Gives ways to brokers.
        backoff_seconds: Pause after a failure: of all that a leader leads when it does not answer,
            of one partition when that fails.
        spawn: Starts a task under an owner.
        on_broken: Told of what cannot be copied.
        find_start: Asks the archive.
        throttle: Says what has to wait, so that it keeps nothing else waiting.

    Attributes:
        bytes_copied: Of records that leaders have sent, ever.
        archive_starts: Logs that have begun where the archive ends.
    """

    def __init__(
        self,
        *,
        me: NodeId,
        connect: Connect,
        backoff_seconds: float,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        on_broken: OnBroken,
        find_start: FindStart,
        throttle: ReplicationThrottle,
    ) -> None:
        self._me = me
        self._connect = connect
        self._backoff_seconds = backoff_seconds
        self._spawn = spawn
        self._on_broken = on_broken
        self._find_start = find_start
        self._throttle = throttle
        self._starts: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE_MAX)
        self.bytes_copied = self.archive_starts = 0
        self._sources: dict[NodeId, _Source] = {}
        self._followed: dict[PartitionId, FollowerPartition] = {}

    @property
    def partitions(self) -> Iterable[FollowerPartition]:
        """All that are followed."""
        return self._followed.values()

    def get(self, partition: PartitionId) -> FollowerPartition | None:
        """Return a followed partition."""
        return self._followed.get(partition)

    def follow(self, followed: FollowerPartition) -> None:
        """Copy a partition from its leader from now on; nothing happens while nobody leads it.

        That is so, too, in a term that was meant for an earlier start of this broker.
        """
        self.leave(followed.id)
        self._followed[followed.id] = followed
        if followed.leader in {None, self._me}:
            return
        source = self._sources.setdefault(followed.leader, _Source(followed.leader))
        source.partitions[followed.id] = followed
        followed.on_progress = source.progress.set
        self._enter(source, followed)
        if source.task is None:
            source.task = self._spawn(self._copy(source))

    def leave(self, partition: PartitionId) -> FollowerPartition | None:
        """Do not copy a partition any more; return it if it was followed.

        An answer that is on its way finds it gone.
        """
        followed = self._followed.pop(partition, None)
        for source in self._sources.values():
            source.partitions.pop(partition, None)
            source.newcomers.pop(partition, None)
            source.resting.discard(partition)
            source.progress.set()
        return followed

    async def close(self) -> None:
        """Copy nothing any more."""
        sources = self._sources.values()
        loops = [task for each in sources for task in (each.task, each.lane) if task is not None]
        tasks = [*loops, *self._starts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _enter(self, source: _Source, followed: FollowerPartition) -> None:
        """Ask for a partition from now on, whether the loop waits for an answer or not."""
        source.changed.set()
        if not source.is_asking:
            return
        source.newcomers[followed.id] = followed
        if source.lane is None or source.lane.done():
            source.lane = self._spawn(self._copy_newcomers(source))

    async def _copy(self, source: _Source) -> None:
        channel: LeaderChannel | None = None
        try:
            while True:
                await self._take_in(source)
                wanted = source.awake(source.partitions)
                if not wanted:
                    await source.changed.wait()
                    source.changed.clear()
                    continue
                channel = channel or self._connect(source.leader)
                if channel is None or not await self._long_round(source, channel, wanted):
                    channel = None
                    await asyncio.sleep(self._backoff_seconds)
        finally:
            if channel is not None:
                channel.close()

    async def _long_round(
        self, source: _Source, channel: LeaderChannel, wanted: list[FollowerPartition]
    ) -> bool:
        source.is_asking = True
        try:
            is_answered = await self._round(source, channel, wanted)
        finally:
            source.is_asking = False
        while is_answered and not all(each.is_settled for each in source.partitions.values()):
            source.progress.clear()
            await source.progress.wait()
        return is_answered

    async def _take_in(self, source: _Source) -> None:
        """Let the lane end: the next request is for its partitions, too."""
        source.newcomers.clear()
        if source.lane is not None:
            await source.lane
            source.lane = None

    async def _copy_newcomers(self, source: _Source) -> None:
        channel = self._connect(source.leader)
        try:
            while channel is not None and source.newcomers:
                wanted = source.awake(source.newcomers)
                if not wanted:
                    await asyncio.sleep(TERM_SECONDS)
                elif not await self._round(source, channel, wanted, is_hasty=True):
                    return
        finally:
            if channel is not None:
                channel.close()

    async def _round(
        self,
        source: _Source,
        channel: LeaderChannel,
        wanted: list[FollowerPartition],
        *,
        is_hasty: bool = False,
    ) -> bool:
        """Ask once, and take the answer; return whether there was one."""
        try:
            answers = await channel.fetch([each.ask() for each in wanted], is_hasty=is_hasty)
        except LeaderLostError as error:
            if not source.is_lost:
                _log.warning("leader_lost", reason=str(error), partitions=len(wanted))
            source.is_lost = True
            channel.close()
            return False
        source.is_lost = False
        for answer in answers:
            followed = source.partitions.get(answer.asked.partition)
            if followed is not None:
                await self._take(source, followed, answer)
        return True

    async def _take(
        self, source: _Source, followed: FollowerPartition, answer: FetchAnswer
    ) -> None:
        if answer.fault is FetchFault.ARCHIVED:
            # The store may be slow: no other partition waits for it.
            source.resting.add(followed.id)
            start = self._spawn(self._start_over(source, followed, answer))
            self._starts.add(start)
            start.add_done_callback(self._starts.discard)
            return
        try:
            await followed.take(answer)
        except RetriableError as error:
            _log.warning("copy_delayed", partition=followed.id.text, reason=str(error))
            self._rest(source, followed.id, self._backoff_seconds)
        except EverlogError as error:
            self._give_up(followed, error)
        else:
            self.bytes_copied += len(answer.records)
            if answer.fault is FetchFault.OTHER_TERM:
                self._rest(source, followed.id, min(TERM_SECONDS, self._backoff_seconds))
            elif answer.fault is FetchFault.STORAGE:
                self._rest(source, followed.id, self._backoff_seconds)
            else:
                self._slow_down(source, followed, len(answer.records))

    def _slow_down(self, source: _Source, followed: FollowerPartition, size: int) -> None:
        """Leave a partition out of the requests until the rate allows more of it."""
        replica = (followed.topic, followed.id.partition, self._me)
        self._throttle.spend(*replica, size)
        if seconds := self._throttle.wait_seconds(*replica):
            self._rest(source, followed.id, seconds)

    async def _start_over(
        self, source: _Source, followed: FollowerPartition, answer: FetchAnswer
    ) -> None:
        """Begin a log anew where the archive ends, while it is left out of the requests."""
        try:
            async with self._starting:
                start = await self._find_start(followed.hot)
        except (RetriableError, RejectedError) as error:
            # Also what a person has to put right; and what was read may have been replaced.
            self._copy_later(source, followed, error)
            return
        except EverlogError as error:
            if answer.leader_has_it:
                self._copy_later(source, followed, error)
            else:
                self._give_up(followed, error)
            return
        try:
            await followed.start_over(start, term=answer.asked.leader_epoch)
        except EverlogError as error:
            self._give_up(followed, error)
            return
        self.archive_starts += 1
        _log.info("log_begun_at_archive_end", partition=followed.id.text, offset=start.offset)
        self._rest(source, followed.id, 0)

    def _copy_later(
        self, source: _Source, followed: FollowerPartition, error: EverlogError
    ) -> None:
        """Ask again in a while; after some times for all that the leader has, too."""
        _log.warning("copy_delayed", partition=followed.id.text, reason=str(error))
        followed.archive_failures += 1
        self._rest(source, followed.id, self._backoff_seconds)

    def _give_up(self, followed: FollowerPartition, error: EverlogError) -> None:
        """Copy a partition no more, unless it is another one by now."""
        if self._followed.get(followed.id) is followed:
            self.leave(followed.id)
            self._on_broken(followed, error)

    def _rest(self, source: _Source, partition: PartitionId, seconds: float) -> None:
        """Leave a partition out of the requests for a while."""
        source.resting.add(partition)

        def resume() -> None:
            source.resting.discard(partition)
            followed = source.partitions.get(partition)
            if followed is not None:
                self._enter(source, followed)

        asyncio.get_running_loop().call_later(seconds, resume)
