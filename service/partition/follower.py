"""One partition that this broker copies from its leader."""

import asyncio
from collections.abc import Callable

from everlog.model.errors import CorruptionError
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.hot.leader_epochs import LeaderEpochs
from service.hot.log import HotLog
from service.hot.producer_state import ProducerStates
from service.hot.restart import LogRestart
from service.hot.store import HotStore
from service.model.cluster import PartitionState
from service.model.topic_config import TopicConfig
from service.partition.topic_rules import hot_config
from service.partition.waiters import ReadWaiters
from service.replication.divergence import truncation_point
from service.replication.fetching import FetchAnswer, FetchAsk, FetchFault

ARCHIVE_FAILURES_MAX = 3
"""A store that has not answered so often is not waited for if the leader has the records, too."""


class FollowerPartition:
    """Keeps a log as its leader has it.

    ``high_watermark <= durable_end <= log_end`` at any time (BLUEPRINT §5).

    Args:
        topic: Name of its topic.
        partition_id: Whose log it is.
        state: Names the leader, and the term.
        hot: This broker's log; nobody else writes to it.
        store: Where it is kept.
        committed: What this broker knows to be committed.
        is_read: Whether consumers may read from it: it wants to know soon what is committed then.

    Attributes:
        hot: The log, which is another one after it was cut.
        high_watermark: As far as this broker knows.
        archive_failures: How often the archive was asked in vain where the log begins.
        on_progress: Called when more is safe on the disk, or never will be.
        read_waiters: Told when more is committed, or when this is no follower any more.
    """

    def __init__(
        self,
        *,
        topic: TopicName,
        partition_id: PartitionId,
        state: PartitionState,
        hot: HotLog,
        store: HotStore,
        committed: Offset,
        is_read: bool = False,
    ) -> None:
        self.topic = topic
        self.id = partition_id
        self.state = state
        self.high_watermark = committed
        self.archive_failures = 0
        self.on_progress: Callable[[], None] = lambda: None
        self.read_waiters = ReadWaiters()
        self._store = store
        self._leaders_mark = committed
        self._is_read = is_read
        self._turn = asyncio.Lock()
        self._is_left = False
        self._use(hot)

    @property
    def leader(self) -> NodeId | None:
        """Who is copied from; None while nobody leads."""
        return self.state.leader

    @property
    def leader_epoch(self) -> LeaderEpoch:
        """The term in which it is followed."""
        return self.state.leader_epoch

    @property
    def is_settled(self) -> bool:
        """Whether all that was fetched is safe on this disk."""
        return self.hot.failure is not None or self.hot.durable_end >= self.hot.next_offset

    def reconfigure(self, config: TopicConfig) -> None:
        """Take on new settings of the topic."""
        self.hot.config = hot_config(config)

    def ask(self) -> FetchAsk:
        """Return what to ask the leader for next."""
        hot = self.hot
        return FetchAsk(
            partition=self.id,
            leader_epoch=self.leader_epoch,
            offset=hot.next_offset,
            last_epoch=hot.epochs.latest,
            log_start=hot.log_start,
            durable_end=hot.durable_end,
            local_start=hot.local_start,
            high_watermark=self.high_watermark if self._is_read else None,
            # What is on this disk already, and goes on, is worth more than a short way.
            skips_archived=hot.epochs.latest is None
            and self.archive_failures < ARCHIVE_FAILURES_MAX,
        )

    async def take(self, answer: FetchAnswer) -> None:
        """Do what a leader's answer says.

        Raises:
            DamagedBatchError: The records were damaged on their way; asking again may help.
            CorruptionError: This log is not one that may be cut or go on so.
            LogFailedError, DiskError: The disk refuses.
        """
        async with self._turn:
            # A term that is over says nothing any more (REL-T2).
            if not self._is_left and answer.asked.leader_epoch == self.leader_epoch:
                await self._take(answer)

    async def start_over(self, restart: LogRestart, *, term: LeaderEpoch) -> None:
        """Begin anew where the archive ends, with what was found out about that in a term.

        Raises:
            CorruptionError: The log has promised to keep what lies beyond.
            DiskError: The disk refuses.
        """
        async with self._turn:
            is_over = self._is_left or term != self.leader_epoch
            if not is_over and self.hot.next_offset < restart.offset:
                await self._restart(restart)

    async def release(self) -> HotLog:
        """Give the log away; nothing is done to it from here on."""
        async with self._turn:
            self._is_left = True
            self.read_waiters.wake_all()
            return self.hot

    async def _take(self, answer: FetchAnswer) -> None:
        if answer.fault is FetchFault.OUT_OF_RANGE:
            await self._begin_anew(answer.log_start)
        elif answer.fault is not None:
            return
        elif answer.diverging is not None:
            await self._cut(*answer.diverging)
        else:
            if answer.records:
                self.hot.append_replicated(answer.records, term=self.leader_epoch)
            # What was cut must not count as committed, so the leader's mark comes last (REL-T3).
            self._leaders_mark = answer.high_watermark
            self._advance()
            start = Offset(min(answer.log_start, self.hot.log_end))
            if start > self.hot.log_start:
                await self._store.set_log_start(self.hot, start)
            # Who leads has released that; whoever leads next finds it in the archive, too.
            await self._store.release(self.hot, min(answer.local_start, self.high_watermark))

    async def _cut(self, epoch: int, end: int) -> None:
        hot = self.hot
        point = truncation_point(
            epoch,
            end,
            end_of=lambda asked: hot.epochs.end_of(asked, log_end=hot.next_offset),
            log_start=max(hot.local_start, hot.log_start),
            log_end=hot.next_offset,
        )
        if point < self.high_watermark:
            raise CorruptionError(
                f"the leader of {self.id.text} lacks what is committed: its log parts from this "
                f"one at offset {point}, and everything below {self.high_watermark} is committed"
            )
        self._use(await self._store.truncate(hot, point, term=self.leader_epoch))

    async def _begin_anew(self, leader_start: Offset) -> None:
        """Begin again where the leader's log starts, which lies behind the end of this one."""
        if leader_start <= self.hot.log_end:
            raise CorruptionError(
                f"the leader of {self.id.text} knows nothing of the terms in {self.hot.directory}: "
                "move the directory away, and it is copied again"
            )
        restart = LogRestart(
            offset=leader_start,
            log_start=leader_start,
            epochs=LeaderEpochs(),
            producers=ProducerStates(),
        )
        await self._restart(restart)

    async def _restart(self, restart: LogRestart) -> None:
        hot = await self._store.restart(self.hot, restart, term=self.leader_epoch)
        # What is archived, or was deleted, is committed (REL-T7).
        self._leaders_mark = Offset(max(self._leaders_mark, restart.offset))
        self._use(hot)

    def _use(self, hot: HotLog) -> None:
        self.hot = hot
        hot.on_advance = self._advance
        hot.on_failure = lambda _: self.on_progress()
        hot.committed_end = lambda: self.high_watermark
        self._advance()

    def _advance(self) -> None:
        known = Offset(min(self._leaders_mark, self.hot.durable_end))
        if known > self.high_watermark:
            self.high_watermark = known
            self.read_waiters.wake_all()
        self.on_progress()
