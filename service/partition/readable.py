"""What can be read: a partition that this broker leads, or copies, or whose archive it follows."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from everlog.model.ids import NodeId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.model.log import LogSlice, ReadBounds, TimestampOffset
from service.partition.errors import StaleLeaderEpochError, UnknownLeaderEpochError
from service.partition.waiters import ReadWaiters


class FetchablePartition(Protocol):
    """A partition as those see it who fetch."""

    @property
    def topic(self) -> TopicName:
        """Name of its topic."""
        ...

    @property
    def index(self) -> int:
        """Number of the partition within its topic."""
        ...

    @property
    def leader_epoch(self) -> LeaderEpoch:
        """The term in which it is served."""
        ...

    @property
    def read_waiters(self) -> ReadWaiters:
        """Told when there is something new, or when more is committed."""
        ...

    @property
    def replica_waiters(self) -> ReadWaiters:
        """Told when there is something new for followers."""
        ...

    @property
    def log_start(self) -> Offset:
        """First offset that may be read, on whichever tier."""
        ...

    @property
    def local_start(self) -> Offset:
        """First offset on this disk."""
        ...

    @property
    def log_end(self) -> Offset:
        """Offset after the last record."""
        ...

    @property
    def tiered_end(self) -> Offset:
        """Offset up to which the object store holds the log, as far as is known here."""
        ...

    @property
    def high_watermark(self) -> Offset:
        """Offset up to which records are committed."""
        ...

    @property
    def last_stable_offset(self) -> Offset:
        """Offset up to which every transaction is decided."""
        ...

    def check_epoch(self, epoch: int | None) -> None:
        """Compare the leader epoch that a client believes in with the real one (KIP-320).

        Raises:
            StaleLeaderEpochError: The client's is older.
            UnknownLeaderEpochError: The client's is newer.
        """
        ...

    def diverging(self, epoch: int, offset: int) -> tuple[int, int] | None:
        """Return where a reader's log parts from this one; see `divergence.diverging`.

        Args:
            epoch: Of the last batch that the reader has.
            offset: Where its log ends.
        """
        ...

    def fetched(
        self, follower: NodeId, *, durable_end: Offset, local_start: Offset, broker_epoch: int
    ) -> None:
        """Take note of what a follower has; it has asked in this term.

        Raises:
            NotReplicaError: It is no replica, or an earlier registration of one.
        """
        ...

    def holding(self, offset: int) -> Sequence[NodeId]:
        """Return the in-sync followers that have an offset on their disks, the furthest first."""
        ...

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return batches from ``offset`` on; see `LogReader.read`."""
        ...


class FetchableTable(Protocol):
    """Finds the partition that is fetched from."""

    def by_name(self, topic: str, index: int) -> FetchablePartition | None:
        """Return the partition of that name, if it is served here."""
        ...

    def by_id(self, topic_id: bytes, index: int) -> FetchablePartition | None:
        """Return the partition of the topic with that id, if it is served here."""
        ...


class ReadablePartition(FetchablePartition, Protocol):
    """A partition of which everything can be asked."""

    def check_end_known(self) -> None:
        """See that it is known what is committed.

        Raises:
            EndNotKnownError: It will be, soon: less is known than was there when the term began.
        """
        ...

    async def load_epochs(self) -> None:
        """Have the history of leader epochs at hand for `end_of_epoch`; raises as a read does."""
        ...

    def end_of_epoch(self, epoch: int) -> tuple[LeaderEpoch, Offset] | None:
        """Return the greatest known term up to ``epoch`` and where it ended (KIP-279).

        None when every known term is newer, or when ``epoch`` itself is newer than this term.
        """
        ...

    def epoch_of(self, offset: int) -> LeaderEpoch | None:
        """Return the term in which ``offset`` was written; None when that is not at hand."""
        ...

    async def find_newest(self, end: Offset) -> TimestampOffset | None:
        """Find the first record with the greatest timestamp of all (KIP-734)."""
        ...

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        """Find the first record in ``[log_start, end)`` at or after a time."""
        ...


class ReadableTable(Protocol):
    """Finds the partition that a read is about."""

    def by_name(self, topic: str, index: int) -> ReadablePartition | None:
        """Return the partition of that name, if it is served here."""
        ...

    def by_id(self, topic_id: bytes, index: int) -> ReadablePartition | None:
        """Return the partition of the topic with that id, if it is served here."""
        ...

    def led(self, topic: str, index: int) -> ReadablePartition:
        """Return the partition of that name.

        Raises:
            UnknownPartitionError: It is not served here.
        """
        ...


def check_leader_epoch(partition: FetchablePartition, epoch: int | None) -> None:
    """Do what `ReadablePartition.check_epoch` says."""
    ours = partition.leader_epoch
    if epoch is None or epoch == ours:
        return
    message = f"{partition.topic}-{partition.index} is in leader epoch {ours}, not {epoch}"
    if epoch < ours:
        raise StaleLeaderEpochError(message)
    raise UnknownLeaderEpochError(message)
