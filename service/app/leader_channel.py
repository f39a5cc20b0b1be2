"""How a follower's requests reach its leader: Kafka's Fetch, over a connection to that alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.model.ids import NodeId, PartitionId, TopicId
from everlog.model.offsets import Offset
from service.model.broker_config import BrokerConfig
from service.net.peer_client import PeerClient
from service.net.peer_connection import PeerLostError
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
    ReplicaState,
)
from service.replication.fetching import (
    NO_RECORDS,
    FetchAnswer,
    FetchAsk,
    FetchFault,
    LeaderLostError,
)

VERSION = 17
NO_EPOCH = -1
UNTOLD = -1

_OTHER_TERM = frozenset(
    {
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """How much a follower asks for at a time.

    Attributes:
        bytes_max: Of the whole answer.
        partition_bytes_max: Of one partition.
        bytes_min: The leader waits until it has so many.
        wait_ms: And so long at most.
        timeout_seconds: A leader that does not answer in time is given up.
    """

    bytes_max: int
    partition_bytes_max: int
    bytes_min: int
    wait_ms: int
    timeout_seconds: float

    @classmethod
    def of(cls, config: BrokerConfig) -> "FetchLimits":
        """Take them from the settings of the broker."""
        return cls(
            bytes_max=config.replica_fetch_response_max_bytes,
            partition_bytes_max=config.replica_fetch_max_bytes,
            bytes_min=config.replica_fetch_min_bytes,
            wait_ms=config.replica_fetch_wait_max_ms,
            timeout_seconds=config.replica_socket_timeout_ms / 1000,
        )


class PeerChannel:
    """A `LeaderChannel` over a `PeerClient`.

    Args:
        me: Which replica asks.
        broker_epoch: Its registration.
    """

    def __init__(
        self, client: PeerClient, *, me: NodeId, broker_epoch: int, limits: FetchLimits
    ) -> None:
        self._client = client
        self._replica = ReplicaState(replica_id=me, replica_epoch=broker_epoch)
        self._limits = limits

    async def fetch(self, asks: Sequence[FetchAsk]) -> list[FetchAnswer]:
        """Ask for all of them at once; see `LeaderChannel`."""
        limits = self._limits
        request = FetchRequest(
            replica_state=self._replica,
            max_wait_ms=limits.wait_ms,
            min_bytes=limits.bytes_min,
            max_bytes=limits.bytes_max,
            topics=_topics(asks, limits.partition_bytes_max),
        )
        try:
            response = await self._client.request(
                request, version=VERSION, timeout_seconds=limits.timeout_seconds
            )
        except PeerLostError as error:
            raise LeaderLostError(str(error)) from error
        assert isinstance(response, FetchResponse)
        if response.error_code:
            raise LeaderLostError(f"the fetch was refused: {ErrorCode(response.error_code).name}")
        by_partition = {each.partition: each for each in asks}
        return [
            _answer(by_partition[partition], data)
            for topic in response.responses
            for data in topic.partitions
            if (partition := PartitionId(TopicId(topic.topic_id), data.partition_index))
            in by_partition
        ]

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def _topics(asks: Sequence[FetchAsk], bytes_max: int) -> list[FetchTopic]:
    topics: dict[TopicId, FetchTopic] = {}
    for ask in asks:
        topic_id = ask.partition.topic_id
        topic = topics.setdefault(topic_id, FetchTopic(topic_id=topic_id))
        topic.partitions.append(
            FetchPartition(
                partition=ask.partition.partition,
                current_leader_epoch=ask.leader_epoch,
                fetch_offset=ask.offset,
                last_fetched_epoch=NO_EPOCH if ask.last_epoch is None else ask.last_epoch,
                log_start_offset=ask.log_start,
                partition_max_bytes=bytes_max,
                synced_end=ask.durable_end,
                local_start=ask.local_start,
                high_watermark=UNTOLD if ask.high_watermark is None else ask.high_watermark,
            )
        )
    return list(topics.values())


def _answer(asked: FetchAsk, data: PartitionData) -> FetchAnswer:
    diverging = data.diverging_epoch
    return FetchAnswer(
        asked=asked,
        fault=_fault(data.error_code),
        high_watermark=Offset(data.high_watermark),
        log_start=Offset(data.log_start_offset),
        local_start=Offset(data.local_start),
        diverging=None if diverging is None else (diverging.epoch, diverging.end_offset),
        records=data.records if isinstance(data.records, memoryview) else NO_RECORDS,
    )


def _fault(code: int) -> FetchFault | None:
    if code == ErrorCode.NONE:
        return None
    if code == ErrorCode.OFFSET_OUT_OF_RANGE:
        return FetchFault.OUT_OF_RANGE
    if code == ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE:
        return FetchFault.ARCHIVED
    return FetchFault.OTHER_TERM if code in _OTHER_TERM else FetchFault.STORAGE
