"""How a follower's requests reach its leader: Kafka's Fetch, over a connection to that alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from everlog.model.ids import NodeId, PartitionId, TopicId
from everlog.model.offsets import Offset
from service.broker.fetch_session import next_epoch
from service.broker.fetch_sessions import EPOCH_FIRST, NO_SESSION
from service.model.broker_config import BrokerConfig
from service.net.peer_client import PeerClient
from service.net.peer_connection import PeerLostError
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
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
HASTY_WAIT_MS = 50
HASTY_SECONDS_MAX = 2.0
NO_EPOCH = -1
UNTOLD = -1

_SESSION_ENDED = frozenset(
    {
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
    }
)

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
        hasty_wait_ms: And so long if the answer is wanted soon.
        timeout_seconds: A leader that does not answer in time is given up.
        hasty_timeout_seconds: The same, for who wants the answer soon: others wait for him.
    """

    bytes_max: int
    partition_bytes_max: int
    bytes_min: int
    wait_ms: int
    hasty_wait_ms: int
    timeout_seconds: float
    hasty_timeout_seconds: float

    @classmethod
    def of(cls, config: BrokerConfig) -> "FetchLimits":
        """Take them from the settings of the broker."""
        return cls(
            bytes_max=config.replica_fetch_response_max_bytes,
            partition_bytes_max=config.replica_fetch_max_bytes,
            bytes_min=config.replica_fetch_min_bytes,
            # Who is not heard of for too long is not in sync any more.
            wait_ms=min(config.replica_fetch_wait_max_ms, config.replica_lag_time_max_ms // 4),
            hasty_wait_ms=HASTY_WAIT_MS,
            timeout_seconds=config.replica_socket_timeout_ms / 1000,
            hasty_timeout_seconds=min(config.replica_socket_timeout_ms / 1000, HASTY_SECONDS_MAX),
        )


class PeerChannel:
    """A `LeaderChannel` over a `PeerClient`, with a fetch session (KIP-227).

    A request names what is asked for in another way than before, and an answer what has news: what
    is at rest costs neither of them anything.

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
        self._session_id = NO_SESSION
        self._session_epoch = EPOCH_FIRST
        self._told: dict[PartitionId, FetchAsk] = {}

    async def fetch(self, asks: Sequence[FetchAsk], *, is_hasty: bool = False) -> list[FetchAnswer]:
        """Ask for all of them at once; see `LeaderChannel`."""
        by_partition = {each.partition: each for each in asks}
        response = await self._asked(by_partition, is_hasty=is_hasty)
        if response.error_code in _SESSION_ENDED:
            # The leader has dropped it for others: it begins anew, with everything.
            self._session_id, self._session_epoch, self._told = NO_SESSION, EPOCH_FIRST, {}
            response = await self._asked(by_partition, is_hasty=is_hasty)
        if response.error_code:
            raise LeaderLostError(f"the fetch was refused: {ErrorCode(response.error_code).name}")
        self._note(response, by_partition)
        return [
            _answer(by_partition[partition], data)
            for topic in response.responses
            for data in topic.partitions
            if (partition := PartitionId(TopicId(topic.topic_id), data.partition_index))
            in by_partition
        ]

    def _note(self, response: FetchResponse, told: dict[PartitionId, FetchAsk]) -> None:
        """Take note of the session that the leader has given, or of one request more in it."""
        if self._session_id == NO_SESSION:
            self._session_id = response.session_id
        if self._session_id != NO_SESSION:
            self._session_epoch = next_epoch(self._session_epoch)
            self._told = told

    async def _asked(
        self, wanted: Mapping[PartitionId, FetchAsk], *, is_hasty: bool
    ) -> FetchResponse:
        limits, told = self._limits, self._told
        patience = limits.hasty_timeout_seconds if is_hasty else limits.timeout_seconds
        request = FetchRequest(
            replica_state=self._replica,
            max_wait_ms=limits.hasty_wait_ms if is_hasty else limits.wait_ms,
            min_bytes=limits.bytes_min,
            max_bytes=limits.bytes_max,
            session_id=self._session_id,
            session_epoch=self._session_epoch,
            topics=_topics(
                [each for key, each in wanted.items() if told.get(key) != each],
                limits.partition_bytes_max,
            ),
            forgotten_topics_data=_forgotten(told.keys() - wanted.keys()),
        )
        try:
            response = await self._client.request(
                request, version=VERSION, timeout_seconds=patience
            )
        except PeerLostError as error:
            raise LeaderLostError(str(error)) from error
        assert isinstance(response, FetchResponse)
        return response

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
                skips_archived=ask.skips_archived,
            )
        )
    return list(topics.values())


def _forgotten(partitions: Iterable[PartitionId]) -> list[ForgottenTopic]:
    topics: dict[TopicId, ForgottenTopic] = {}
    for each in partitions:
        topic = topics.setdefault(each.topic_id, ForgottenTopic(topic_id=each.topic_id))
        topic.partitions.append(each.partition)
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
