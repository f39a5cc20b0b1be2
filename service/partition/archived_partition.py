"""A partition of another cluster, read from its archive alone; nothing of it is on this disk."""

from collections.abc import Awaitable

from everlog.format.pointer import Pointer
from everlog.format.root import RootRef
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.hot.leader_epochs import LeaderEpochs
from service.model.log import LogSlice, OffsetOutOfRangeError, ReadBounds, TimestampOffset
from service.partition.errors import EpochsNotAtHandError
from service.partition.readable import check_leader_epoch
from service.partition.time_scan import find_by_scan
from service.partition.waiters import ReadWaiters
from service.replication.divergence import diverging
from service.replication.leader import NotReplicaError
from service.tiering.cold_log import ColdLog
from service.tiering.followed_tier import FollowedTier


class ArchivedPartition:
    """A `ReadablePartition` that ends where its archive does: that is its high watermark.

    Attributes:
        owner: Number of the restore that the known tier is from; 0 for the store's first cluster.
        is_found: Whether the store has been asked for the tier; before that nothing is served.
        was_read: Whether somebody has read since this was last set to False.
    """

    def __init__(
        self, *, topic: TopicName, partition_id: PartitionId, tier: FollowedTier, cold: ColdLog
    ) -> None:
        self.topic = topic
        self.id = partition_id
        self.tier = tier
        self.owner = 0
        self.is_found = False
        self.was_read = False
        self.read_waiters = ReadWaiters()
        self._cold = cold
        self._epochs: tuple[RootRef, LeaderEpochs] | None = None

    @property
    def index(self) -> int:
        """Number of the partition within its topic."""
        return self.id.partition

    @property
    def leader_epoch(self) -> LeaderEpoch:
        """The term of whoever wrote the tier last, so that clients see a restore as a new one."""
        return self.tier.pointer.stamp.epoch

    @property
    def log_start(self) -> Offset:
        """First offset that may be read."""
        return self.tier.start

    @property
    def log_end(self) -> Offset:
        """Offset after the last archived record."""
        return self.tier.end

    @property
    def local_start(self) -> Offset:
        """The end: nothing is on this disk."""
        return self.tier.end

    @property
    def high_watermark(self) -> Offset:
        """The end: only committed records are archived."""
        return self.tier.end

    @property
    def last_stable_offset(self) -> Offset:
        """The end: only decided transactions are archived."""
        return self.tier.end

    @property
    def tiered_end(self) -> Offset:
        """The end."""
        return self.tier.end

    @property
    def replica_waiters(self) -> ReadWaiters:
        """Nobody follows what only the archive has."""
        return self.read_waiters

    def fetched(
        self, follower: NodeId, *, durable_end: Offset, local_start: Offset, broker_epoch: int
    ) -> None:
        """Refuse to be followed.

        Raises:
            NotReplicaError: Always.
        """
        del durable_end, local_start, broker_epoch
        raise NotReplicaError(
            f"{self.topic}-{self.index} is read-only: broker {follower} is no replica"
        )

    def holding(self, offset: int) -> list[NodeId]:
        """Return nobody: there are no followers."""
        del offset
        return []

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for more, or has read lately."""
        return self.was_read or bool(self.read_waiters)

    def check_epoch(self, epoch: int | None) -> None:
        """Compare the leader epoch that a client believes in with the real one (KIP-320)."""
        check_leader_epoch(self, epoch)

    def check_end_known(self) -> None:
        """Do nothing: only what is committed is archived."""

    async def load_epochs(self) -> None:
        """Read the lineage from the newest object, unless it is at hand."""
        ref = self.tier.pointer.root
        if ref is None or (self._epochs is not None and self._epochs[0] == ref):
            return
        state = await self._cold.end_state()
        lineage = () if state is None else state.lineage
        rows = [(int(row.epoch), int(row.start)) for row in lineage]
        self._epochs = ref, LeaderEpochs(rows)

    def end_of_epoch(self, epoch: int) -> tuple[LeaderEpoch, Offset] | None:
        """Return the greatest known term up to ``epoch`` and where it ended (KIP-279).

        Raises:
            EpochsNotAtHandError: `load_epochs` comes first.
        """
        if epoch == self.leader_epoch:
            return self.leader_epoch, self.log_end
        if epoch > self.leader_epoch or self.tier.pointer.root is None:
            return None
        return self._lineage().end_of(epoch, log_end=self.log_end)

    def diverging(self, epoch: int, offset: int) -> tuple[int, int] | None:
        """Return where a reader's log parts from this one; see `divergence.diverging`.

        Raises:
            EpochsNotAtHandError: `load_epochs` comes first.
        """
        return diverging(epoch, offset, end_of=self.end_of_epoch, log_start=self.log_start)

    def epoch_of(self, offset: int) -> LeaderEpoch | None:
        """Return the term in which ``offset`` was written; None when that is not at hand."""
        return None if self._epochs is None else self._epochs[1].epoch_of(offset)

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return batches from ``offset`` on.

        Raises:
            OffsetOutOfRangeError: The offset lies below the log start or above the log end.
        """
        self.was_read = True
        if not self.log_start <= offset <= self.log_end:
            raise OffsetOutOfRangeError(offset, self.log_start, self.log_end)
        return self._cold.read(offset, bounds)

    async def find_newest(self, end: Offset) -> TimestampOffset | None:
        """Find the first record with the greatest timestamp of all (KIP-734)."""
        newest = await self._cold.newest_timestamp()
        return None if newest is None else await self.find_time(newest, end)

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        """Find the first record in ``[log_start, end)`` at or after a time."""
        found = await self._cold.find_time(timestamp_ms, end)
        if found is None or found.offset >= self.log_start:
            return found
        return await find_by_scan(self, timestamp_ms, end)

    def move(self, pointer: Pointer, *, owner: int) -> None:
        """Go on with another pointer, and tell those who wait."""
        if owner != self.owner:
            # A restore to an earlier time: other records may have the offsets of those at hand.
            self._cold.forget()
        self.owner = owner
        self.tier.move(pointer)
        self._epochs = None
        self.read_waiters.wake_all()

    def close(self) -> None:
        """Tell those who wait that the partition is not served any more."""
        self.read_waiters.wake_all()

    def _lineage(self) -> LeaderEpochs:
        if self._epochs is None:
            raise EpochsNotAtHandError(f"the lineage of {self.topic}-{self.index} is not at hand")
        return self._epochs[1]
