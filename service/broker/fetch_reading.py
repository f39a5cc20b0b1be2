"""One pass over the partitions of a fetch: what is at hand is read, the rest is sent for."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import NamedTuple

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.broker.error_mapping import code_of
from service.broker.leaders import Leaders
from service.model.log import EMPTY_SLICE, LogSlice, ReadBounds
from service.partition.errors import ArchivedError, NotLeaderError, StaleLeaderEpochError
from service.partition.readable import FetchablePartition, FetchableTable
from service.partition.replication_throttle import ReplicationThrottle
from service.partition.waiters import ReadWaiters
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    LeaderIdAndEpoch,
    PartitionData,
)
from service.replication.divergence import NO_EPOCH

READ_COMMITTED = 1

SLOW_SHARE = 2
"""One byte in so many of a response may be brought by slow reads; the rest is for what is here."""


@dataclass(slots=True, kw_only=True)
class Wanted:
    """One partition of a fetch request, and what has been found for it so far.

    Attributes:
        topic: Its name; empty when the request goes by id.
        topic_id: Its id; zeros when the request goes by name.
        leader_epoch: What the client believes; None when it does not say.
        fetched_epoch: Of the last batch that the reader has (KIP-595); None when it does not say.
        durable_end: Below it a replica has everything, safely; None when it does not say.
        local_start: From there on a replica has it on its disk; -1 when it does not say.
        known_high_watermark: What a replica knows to be committed; None when it does not want to
            hear of more before there are records.
        skips_archived: Whether a replica does without what is archived.
        is_noted: Whether the leader knows that.
        slow: Whether a read is under way that the request need not wait for.
        held: Bytes that such a read may bring, or has brought.
        ready: What such a read has brought.
        sent: Bytes that count against the rate of a limited replica.
    """

    topic: str
    topic_id: bytes
    index: int
    offset: int
    bytes_max: int
    leader_epoch: int | None
    fetched_epoch: int | None
    durable_end: int | None = None
    local_start: int = -1
    known_high_watermark: int | None = None
    skips_archived: bool = False
    is_noted: bool = False
    slow: bool = False
    held: int = 0
    ready: LogSlice | EverlogError | None = None
    sent: int = 0


class Replica(NamedTuple):
    """Which replica fetches, and in which registration (KIP-903)."""

    node_id: NodeId
    broker_epoch: int


@dataclass(slots=True)
class Pass:
    """The outcome of one pass.

    Attributes:
        results: In the order of the request.
        size: Bytes of all records.
        held: Bytes of all slow reads.
        is_urgent: Whether something has to be told at once: a log that diverges, a nearer replica,
            what is committed, or an error other than that of a store or a disk.
        is_faulty: Whether there is an error of a store or a disk, which has to be told soon.
        leaders: Nodes that the results name as leaders.
        limited_seconds: How soon the rate allows more of what it has kept out; 0 if it has not.
    """

    results: list[PartitionData]
    size: int
    held: int
    is_urgent: bool
    is_faulty: bool
    leaders: list[int]
    limited_seconds: float = 0.0


Nearest = Callable[[FetchablePartition, int], NodeId | None]
"""Given a partition and an offset, names the replica that is nearer to a consumer, if one is."""

STAYS: Nearest = lambda _partition, _offset: None  # noqa: E731
"""Of who fetches from whom it has asked."""

StartSlowRead = Callable[[Wanted, Awaitable[LogSlice]], None]


class FetchReading:
    """Reads the partitions of one request as often as it takes.

    Args:
        partitions: Those that this broker serves.
        leaders: Tells who leads the others.
        wanted: In the order in which they are served.
        bytes_max: Soft limit for the whole response.
        isolation: 1 for read committed.
        replica: Who fetches, if not a consumer: it gets what is not committed, too.
        nearest: Chooses the replica that a consumer reads from instead of this one, if any.
        throttle: Says which replicas are to wait; the other partitions of the request do not.
        start_slow_read: Takes over a read that is not at hand; it sets ``ready`` later.
    """

    def __init__(
        self,
        *,
        partitions: FetchableTable,
        leaders: Leaders,
        wanted: list[Wanted],
        bytes_max: int,
        isolation: int,
        start_slow_read: StartSlowRead,
        replica: Replica | None = None,
        nearest: Nearest = STAYS,
        throttle: ReplicationThrottle | None = None,
    ) -> None:
        self._partitions = partitions
        self._leaders = leaders
        self.wanted = wanted
        self._bytes_max = bytes_max
        self._replica = replica
        self._nearest = nearest
        self._throttle = throttle
        self._committed = isolation == READ_COMMITTED and replica is None
        self._start_slow_read = start_slow_read

    def run(self) -> Pass:
        """Make one pass. The first batch found is returned whatever its size (KIP-74)."""
        held = sum(each.held for each in self.wanted)
        made = Pass([], 0, held, is_urgent=False, is_faulty=False, leaders=[])
        for each in self.wanted:
            result = PartitionData(partition_index=each.index, high_watermark=-1, records=b"")
            if self._committed:
                result.aborted_transactions = []
            else:
                result.aborted_transactions = None
            made.results.append(result)
            try:
                self._read(each, result, made)
            except EverlogError as error:
                self._refuse(each, result, made, error)
        return made

    def find(self, each: Wanted) -> FetchablePartition:
        """Return the partition.

        Raises:
            NotLeaderError, UnknownPartitionError, UnknownTopicIdError: It is not served here.
        """
        if each.topic:
            found = self._partitions.by_name(each.topic, each.index)
        else:
            found = self._partitions.by_id(each.topic_id, each.index)
        if found is None:
            raise self._leaders.why_not_served(each.topic, each.topic_id, each.index)
        return found

    def _refuse(self, each: Wanted, result: PartitionData, made: Pass, error: EverlogError) -> None:
        result.error_code = code_of(error)
        if result.error_code == ErrorCode.KAFKA_STORAGE_ERROR:
            # A store that is away stays away for a while: who is told at once asks again at once.
            made.is_faulty = True
        else:
            made.is_urgent = True
        if isinstance(error, NotLeaderError | StaleLeaderEpochError):
            leader = self._leaders.leader_of(each.topic, each.topic_id, each.index)
            if leader is not None:
                result.current_leader = LeaderIdAndEpoch(
                    leader_id=leader.node_id, leader_epoch=leader.epoch
                )
                made.leaders.append(leader.node_id)

    def _read(self, each: Wanted, result: PartitionData, made: Pass) -> None:
        partition = self.find(each)
        partition.check_epoch(each.leader_epoch)
        _describe(result, partition)
        if _diverges(each, result, partition, is_replica=self._replica is not None):
            made.is_urgent = True
            return
        if self._replica is not None:
            self._note(each, partition, self._replica)
            _describe(result, partition)
            result.local_start = partition.local_start
            if _is_archived(each, partition):
                raise ArchivedError(f"offset {each.offset} is in the archive")
            known = each.known_high_watermark
            made.is_urgent |= known is not None and known < partition.high_watermark
        elif (nearest := self._nearest(partition, each.offset)) is not None:
            result.preferred_read_replica = nearest
            made.is_urgent = True
            return
        if self._waits_for_rate(partition, made):
            return
        found = self._slice(each, partition, made)
        if found:
            self._spend(each, partition, len(found))
            result.records = found.records
            if found.aborted:
                result.aborted_transactions = [
                    AbortedTransaction(producer_id=gone.producer_id, first_offset=gone.first_offset)
                    for gone in found.aborted
                ]
            made.size += len(found)

    def _note(self, each: Wanted, partition: FetchablePartition, replica: Replica) -> None:
        """Tell the partition how far a replica is, once a request and in this term (REL-I3)."""
        if each.is_noted:
            return
        each.is_noted = True
        durable_end = each.offset if each.durable_end is None else each.durable_end
        partition.fetched(
            replica.node_id,
            durable_end=Offset(durable_end),
            local_start=Offset(each.local_start),
            broker_epoch=replica.broker_epoch,
        )

    def _waits_for_rate(self, partition: FetchablePartition, made: Pass) -> bool:
        if self._throttle is None or self._replica is None:
            return False
        replica = self._replica.node_id
        seconds = self._throttle.wait_seconds(partition.topic, partition.index, replica)
        made.limited_seconds = max(made.limited_seconds, seconds)
        return seconds > 0

    def _spend(self, each: Wanted, partition: FetchablePartition, size: int) -> None:
        """Count what is sent, once, however often the request looks before it is answered."""
        if self._throttle is not None and self._replica is not None and size > each.sent:
            replica = self._replica.node_id
            self._throttle.spend(partition.topic, partition.index, replica, size - each.sent)
            each.sent = size

    def waiters(self, each: Wanted) -> tuple[ReadWaiters, ...]:
        """Return whom to wait with; raises like `find`."""
        partition = self.find(each)
        if self._replica is None:
            return (partition.read_waiters,)
        if each.known_high_watermark is None:
            return (partition.replica_waiters,)
        return partition.replica_waiters, partition.read_waiters

    def _end(self, partition: FetchablePartition) -> Offset:
        if self._replica is not None:
            return partition.log_end
        return partition.last_stable_offset if self._committed else partition.high_watermark

    def _slice(self, each: Wanted, partition: FetchablePartition, made: Pass) -> LogSlice:
        if each.slow:
            return EMPTY_SLICE
        left = min(each.bytes_max, self._bytes_max - made.size)
        if left <= 0 and made.size:
            return EMPTY_SLICE
        if each.ready is not None:
            if isinstance(each.ready, EverlogError):
                raise each.ready
            return each.ready
        bounds = ReadBounds(
            end=self._end(partition),
            bytes_max=max(left, 0),
            at_least_one=not made.size,
            committed=self._committed,
        )
        found = partition.read(Offset(each.offset), bounds)
        if isinstance(found, LogSlice):
            return found
        self._read_slowly(each, found, max(left, 0), made)
        return EMPTY_SLICE

    def _read_slowly(
        self, each: Wanted, work: Awaitable[LogSlice], bytes_max: int, made: Pass
    ) -> None:
        """Have something read that is not at hand, unless enough is on its way into memory."""
        if made.held and made.held + bytes_max > self._bytes_max // SLOW_SHARE:
            # The next request of the session begins with this one (TIER-38, TIER-39).
            if isinstance(work, Coroutine):
                work.close()
            return
        each.slow, each.held = True, bytes_max
        made.held += bytes_max
        self._start_slow_read(each, work)


def _is_archived(each: Wanted, partition: FetchablePartition) -> bool:
    """Whether a replica is to take from the archive what it lacks (KIP-405, KIP-1023)."""
    if each.skips_archived:
        return partition.log_start <= each.offset < partition.tiered_end
    return partition.log_start <= each.offset < partition.local_start <= partition.tiered_end


def _describe(result: PartitionData, partition: FetchablePartition) -> None:
    result.high_watermark = partition.high_watermark
    result.last_stable_offset = partition.last_stable_offset
    result.log_start_offset = partition.log_start


def _diverges(
    each: Wanted, result: PartitionData, partition: FetchablePartition, *, is_replica: bool
) -> bool:
    """Whether the reader holds an epoch beyond the end that this log knows for it.

    A consumer whose epoch lies before all that are known here is told that its offset is out of
    range, as in Kafka; a replica, that the logs agree in nothing, so that it can begin again.
    """
    if each.fetched_epoch is None:
        return False
    if each.offset < partition.log_start:
        result.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
        return True
    parted = partition.diverging(each.fetched_epoch, each.offset)
    if parted is None:
        return False
    if parted[0] == NO_EPOCH and not is_replica:
        result.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
        return True
    result.diverging_epoch = EpochEndOffset(epoch=parted[0], end_offset=parted[1])
    return True
