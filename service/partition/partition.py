"""One partition as its clients see it: appends, reads, and what is committed.

On a leader, after every change::

    log_start <= local_start <= log_end;  log_start <= high_watermark <= durable_end <= log_end

(BLUEPRINT §5). With one replica the high watermark is the durable end of its log; with several it
is what all have that are in sync.
"""

from collections.abc import Awaitable
from typing import NamedTuple

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import BatchHeader, stamp_append_time
from everlog.records.validation import validate_batch
from service.hot.log import HotLog
from service.model.log import (
    LogFailedError,
    LogSlice,
    OffsetOutOfRangeError,
    ReadBounds,
    TimestampOffset,
)
from service.model.topic_config import RecordValidation, TopicConfig
from service.partition.errors import (
    EndNotKnownError,
    NotEnoughReplicasError,
    TransactionsNotOfferedError,
)
from service.partition.readable import check_leader_epoch
from service.partition.time_scan import find_by_scan
from service.partition.topic_rules import batch_limits, hot_config
from service.partition.unified_log import UnifiedLog
from service.partition.waiters import AppendWaiters, ReadWaiters
from service.replication.divergence import diverging
from service.replication.leader import LeaderReplicas

NOTHING = Offset(0)
"""What is committed as far as a broker knows that has just begun to lead."""


class Appended(NamedTuple):
    """Where a batch went.

    Attributes:
        base_offset: Its first offset.
        end_offset: The offset that has to be committed before it is acknowledged.
        append_time_ms: With LogAppendTime, the timestamp that it was given.
    """

    base_offset: Offset
    end_offset: Offset
    append_time_ms: int | None


class Partition:
    """A partition that this broker leads.

    Args:
        replicas: Of this term.
        committed: What this broker knows to be committed, before anybody has told it anything.

    Attributes:
        opens_batches: Whether what clients produce has to go by `DeepValidation`.
        append_waiters: Told when what they wait for is committed.
        local_waiters: Told when it is safe on this broker.
        read_waiters: Told when consumers may find something new.
        replica_waiters: Told when followers may.
    """

    def __init__(
        self,
        *,
        topic: TopicName,
        partition_id: PartitionId,
        replicas: LeaderReplicas,
        hot: HotLog,
        log: UnifiedLog,
        config: TopicConfig,
        clock: Clock,
        committed: Offset = NOTHING,
    ) -> None:
        self.topic = topic
        self.id = partition_id
        self.replicas = replicas
        self.hot = hot
        self.log = log
        self.config = config
        self._limits = batch_limits(config)
        self.opens_batches = config.record_validation is RecordValidation.FULL
        self._resignation: EverlogError | None = None
        self.append_waiters = AppendWaiters()
        self.local_waiters = AppendWaiters()
        self.read_waiters = ReadWaiters()
        self.replica_waiters = ReadWaiters()
        self._clock = clock
        self.high_watermark = self._committed(committed)
        hot.on_advance = self._advance
        hot.on_failure = self._fail
        hot.committed_end = lambda: self.last_stable_offset

    @property
    def index(self) -> int:
        """Number of the partition within its topic."""
        return self.id.partition

    @property
    def leader_epoch(self) -> LeaderEpoch:
        """The term in which it is led."""
        return self.replicas.state.leader_epoch

    @property
    def log_start(self) -> Offset:
        """First offset that may be read, on whichever tier."""
        return self.hot.log_start

    @property
    def local_start(self) -> Offset:
        """First offset on this disk."""
        return self.hot.local_start

    @property
    def log_end(self) -> Offset:
        """Offset after the last record."""
        return self.hot.log_end

    @property
    def tiered_end(self) -> Offset:
        """Offset up to which the object store holds the log; 0 while it holds nothing."""
        return Offset(0) if self.log.cold is None else self.log.cold.end

    @property
    def last_stable_offset(self) -> Offset:
        """Offset up to which every transaction is decided: all, since there are none."""
        return self.high_watermark

    def check_epoch(self, epoch: int | None) -> None:
        """Compare the leader epoch that a client believes in with the real one (KIP-320).

        Raises:
            StaleLeaderEpochError: The client's is older.
            UnknownLeaderEpochError: The client's is newer.
        """
        check_leader_epoch(self, epoch)

    def check_end_known(self) -> None:
        """See that what was there when the term began is known to be committed (KIP-207).

        Raises:
            EndNotKnownError: It will be, when the followers have fetched. An end below the one that
                another leader has told would look like lost records.
        """
        if self.high_watermark < self.replicas.term_start:
            raise EndNotKnownError(
                f"{self.topic}-{self.index} is led in a new term, and its followers have not "
                "fetched yet"
            )

    async def load_epochs(self) -> None:
        """Do nothing: the history of leader epochs is always at hand."""

    def end_of_epoch(self, epoch: int) -> tuple[LeaderEpoch, Offset] | None:
        """Return the greatest known term up to ``epoch`` and where it ended (KIP-279).

        None when every known term is newer, or when ``epoch`` itself is newer than this term.
        """
        if epoch == self.leader_epoch:
            # A term that has written nothing yet ends at the log end all the same.
            return self.leader_epoch, self.hot.log_end
        if epoch > self.leader_epoch:
            return None
        return self.hot.epochs.end_of(epoch, log_end=self.hot.log_end)

    def diverging(self, epoch: int, offset: int) -> tuple[int, int] | None:
        """Return where a reader's log parts from this one; see `divergence.diverging`."""
        return diverging(epoch, offset, end_of=self.end_of_epoch, log_start=self.log_start)

    def epoch_of(self, offset: int) -> LeaderEpoch | None:
        """Return the term in which ``offset`` was written."""
        return self.hot.epochs.epoch_of(offset)

    def append(self, records: memoryview | None, *, zstd_allowed: bool = True) -> Appended:
        """Validate a produced batch and give it its place; `append_waiters` tell when it counts.

        The buffer belongs to the log until then.

        Raises:
            RejectedError: A subclass says what is wrong with the batch; nothing was appended.
            LogFailedError: The disk refuses writes.
        """
        now_ms = self._clock.wall_ms()
        header = validate_batch(records, self._limits, now_ms=now_ms, zstd_allowed=zstd_allowed)
        assert records is not None
        return self._place(records, header, now_ms)

    def check(self, records: memoryview | None, *, zstd_allowed: bool = True) -> BatchHeader:
        """Validate a produced batch like `append`, and leave it at that.

        Raises:
            RejectedError: A subclass says what is wrong with the batch.
        """
        now_ms = self._clock.wall_ms()
        return validate_batch(records, self._limits, now_ms=now_ms, zstd_allowed=zstd_allowed)

    def append_checked(self, records: memoryview, header: BatchHeader) -> Appended:
        """Give a batch its place that was validated some time ago.

        Raises:
            NotLeaderError: The partition has been given up since.
            RejectedError: Its producer has gone another way.
            LogFailedError: The disk refuses writes.
        """
        if self._resignation is not None:
            raise self._resignation
        return self._place(records, header, self._clock.wall_ms())

    def _place(self, records: memoryview, header: BatchHeader, now_ms: int) -> Appended:
        if self.hot.failure is not None:
            # What has been rolled back is no first attempt of a retry.
            raise LogFailedError(str(self.hot.failure))
        if header.producer_id >= 0:
            if header.is_transactional:
                raise TransactionsNotOfferedError("transactions are not offered yet")
            first_base = self.hot.producers.check(header)
            if first_base is not None:
                end = Offset(first_base + header.last_offset_delta + 1)
                return Appended(Offset(first_base), end, None)
        append_time_ms = None
        if self._limits.log_append_time:
            append_time_ms = now_ms
            stamp_append_time(records, timestamp_ms=now_ms)
            header = header._replace(max_timestamp=now_ms)
        base_offset = self.hot.append(records, header, leader_epoch=self.leader_epoch)
        end_offset = Offset(base_offset + header.last_offset_delta + 1)
        return Appended(base_offset, end_offset, append_time_ms)

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return batches from ``offset`` on, from whichever tier holds them.

        Raises:
            OffsetOutOfRangeError: The offset lies below the log start or above the log end.
            LogFailedError: The disk refuses.
        """
        if self.hot.failure is not None:
            raise LogFailedError(str(self.hot.failure))
        if not self.log_start <= offset <= self.hot.log_end:
            raise OffsetOutOfRangeError(offset, self.log_start, self.hot.log_end)
        return self.log.read(offset, bounds)

    async def find_newest(self, end: Offset) -> TimestampOffset | None:
        """Find the first record with the greatest timestamp of all (KIP-734)."""
        newest = await self.log.newest_timestamp()
        return None if newest is None else await self.find_time(newest, end)

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        """Find the first record in ``[log_start, end)`` at or after a time."""
        found = await self.log.find_time(timestamp_ms, end)
        if found is None or found.offset >= self.log_start:
            return found
        # What matches first has been deleted: records out of the order of their times.
        return await find_by_scan(self, timestamp_ms, end)

    def reconfigure(self, config: TopicConfig) -> None:
        """Take on new settings of the topic; appends that are under way keep the old ones."""
        self.config = config
        self._limits = batch_limits(config)
        self.opens_batches = config.record_validation is RecordValidation.FULL
        self.hot.config = hot_config(config)
        self.replicas.isr_min = config.min_insync_replicas
        self._sync_if_behind()
        self.commit()

    # ---- replicas

    def begin_term(self, replicas: LeaderReplicas) -> None:
        """Lead on in another term; what followers have told in the one before counts no more."""
        self.replicas = replicas
        self.commit()

    def check_in_sync(self) -> None:
        """Refuse what is to be committed at once, if it could not be.

        Raises:
            NotEnoughReplicasError: Too few replicas are in sync; nothing was appended.
        """
        if self.replicas.is_short:
            raise NotEnoughReplicasError(
                f"{self.topic}-{self.index} has {len(self.replicas.state.isr)} replicas in sync "
                f"and needs {self.replicas.isr_needed}"
            )

    def fetched(
        self, follower: NodeId, *, durable_end: Offset, local_start: Offset, broker_epoch: int
    ) -> None:
        """Take note of what a follower has; it has asked in this term.

        Raises:
            NotReplicaError: It is no replica, or an earlier registration of one.
        """
        self.replicas.fetched(
            follower,
            durable_end=durable_end,
            local_start=local_start,
            broker_epoch=broker_epoch,
            leader_end=self.hot.durable_end,
            now=self._clock.monotonic(),
        )
        self.commit()

    def holding(self, offset: int) -> list[NodeId]:
        """Return the in-sync followers that have an offset on their disks, the furthest first."""
        return self.replicas.holding(offset)

    def commit(self) -> None:
        """Let the high watermark rise to what all have that are in sync."""
        committed = self._committed(self.high_watermark)
        if committed > self.high_watermark:
            self.high_watermark = committed
            self.append_waiters.reach(committed)
            self.read_waiters.wake_all()

    def is_stored(self, end: Offset, *, everywhere: bool) -> bool:
        """Whether everything below ``end`` is safe: on all that are in sync, or on this broker."""
        return end <= (self.high_watermark if everywhere else self.hot.durable_end)

    def resign(self, error: EverlogError) -> None:
        """Tell everybody who waits that this partition is not served here any more."""
        self._resignation = error
        self._fail(error)

    def _committed(self, before: Offset) -> Offset:
        committed = self.replicas.high_watermark(
            before, durable_end=self.hot.durable_end, now=self._clock.monotonic()
        )
        assert committed <= self.hot.log_end
        return committed

    def _advance(self) -> None:
        self.local_waiters.reach(self.hot.durable_end)
        self.replica_waiters.wake_all()
        self.commit()
        self._sync_if_behind()

    def _sync_if_behind(self) -> None:
        """Sync what was written before the topic's policy became ``flush=always``."""
        if self.hot.durable_end < self.hot.log_end:
            self.hot.sync()

    def _fail(self, error: EverlogError) -> None:
        self.append_waiters.fail(error)
        self.local_waiters.fail(error)
        self.read_waiters.wake_all()
        self.replica_waiters.wake_all()
