"""What consumers read of partitions that are copied here from their leaders (KIP-392)."""

from collections.abc import Awaitable, Callable

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.model.cluster import ClusterImage
from service.model.log import LogFailedError, LogSlice, OffsetOutOfRangeError, ReadBounds
from service.partition.follower import FollowerPartition
from service.partition.readable import FetchablePartition, FetchableTable, check_leader_epoch
from service.partition.replica_fetching import ReplicaFetching
from service.partition.waiters import ReadWaiters
from service.replication.divergence import diverging
from service.replication.leader import NotReplicaError


class FollowedReading:
    """A `FetchablePartition`: what a follower has on its disk and knows to be committed.

    Whoever wants something else is told that it is out of range, and goes back to the leader.
    """

    __slots__ = ("_followed",)

    def __init__(self, followed: FollowerPartition) -> None:
        self._followed = followed

    @property
    def topic(self) -> TopicName:
        """Name of its topic."""
        return self._followed.topic

    @property
    def index(self) -> int:
        """Number of the partition within its topic."""
        return self._followed.id.partition

    @property
    def leader_epoch(self) -> LeaderEpoch:
        """The term in which it is followed."""
        return self._followed.leader_epoch

    @property
    def read_waiters(self) -> ReadWaiters:
        """Told when more is known to be committed."""
        return self._followed.read_waiters

    @property
    def replica_waiters(self) -> ReadWaiters:
        """Nobody copies from a follower."""
        return self._followed.read_waiters

    @property
    def log_start(self) -> Offset:
        """First offset that may be read, as far as is known here."""
        return self._followed.hot.log_start

    @property
    def local_start(self) -> Offset:
        """First offset on this disk."""
        return self._followed.hot.local_start

    @property
    def log_end(self) -> Offset:
        """Offset after the last record."""
        return self._followed.hot.log_end

    @property
    def tiered_end(self) -> Offset:
        """Not known here: only a leader holds the tier."""
        return Offset(0)

    @property
    def high_watermark(self) -> Offset:
        """Offset up to which records are known to be committed."""
        return self._followed.high_watermark

    @property
    def last_stable_offset(self) -> Offset:
        """Offset up to which every transaction is decided: all, since there are none."""
        return self._followed.high_watermark

    def check_epoch(self, epoch: int | None) -> None:
        """Compare the leader epoch that a client believes in with the real one (KIP-320)."""
        check_leader_epoch(self, epoch)

    def diverging(self, epoch: int, offset: int) -> tuple[int, int] | None:
        """Return where a reader's log parts from this one; see `divergence.diverging`.

        What is not known to be committed may be cut yet, and says nothing of anybody's log.
        """
        if offset > self.high_watermark:
            return None
        hot = self._followed.hot
        return diverging(
            epoch,
            offset,
            end_of=lambda asked: hot.epochs.end_of(asked, log_end=hot.log_end),
            log_start=hot.log_start,
        )

    def fetched(
        self, follower: NodeId, *, durable_end: Offset, local_start: Offset, broker_epoch: int
    ) -> None:
        """Refuse to be followed.

        Raises:
            NotReplicaError: Always.
        """
        del durable_end, local_start, broker_epoch
        raise NotReplicaError(
            f"{self.topic}-{self.index} is not led here: broker {follower} asks somebody else"
        )

    def holding(self, offset: int) -> list[NodeId]:
        """Return nobody: only a leader knows."""
        del offset
        return []

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return committed batches from ``offset`` on; none while it is not known to be committed.

        Raises:
            OffsetOutOfRangeError: It is not on this disk.
            LogFailedError: The disk refuses.
        """
        hot = self._followed.hot
        if hot.failure is not None:
            raise LogFailedError(str(hot.failure))
        if not hot.local_start <= offset <= hot.log_end:
            raise OffsetOutOfRangeError(offset, hot.local_start, hot.log_end)
        return hot.read(offset, bounds)


class WithFollowed:
    """A `FetchableTable` of what this broker serves anyway, and of what it copies.

    Args:
        served: Asked first.
        fetching: Has what is copied.
        image: The cluster; names topics.
    """

    def __init__(
        self,
        served: FetchableTable,
        fetching: ReplicaFetching,
        image: Callable[[], ClusterImage],
    ) -> None:
        self._served = served
        self._fetching = fetching
        self._image = image

    def by_name(self, topic: str, index: int) -> FetchablePartition | None:
        """Return the partition of that name, if it is served here."""
        found = self._served.by_name(topic, index)
        if found is not None:
            return found
        known = self._image().topic(TopicName(topic))
        return None if known is None else self._copied(known.topic_id, index)

    def by_id(self, topic_id: bytes, index: int) -> FetchablePartition | None:
        """Return the partition of the topic with that id, if it is served here."""
        return self._served.by_id(topic_id, index) or self._copied(TopicId(topic_id), index)

    def _copied(self, topic_id: TopicId, index: int) -> FetchablePartition | None:
        followed = self._fetching.get(PartitionId(topic_id, index))
        return None if followed is None else FollowedReading(followed)
