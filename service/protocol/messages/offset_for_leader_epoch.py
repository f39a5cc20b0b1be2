"""OffsetForLeaderEpoch, key 23 (KIP-101): v2 fencing (320), v3 replica id (392)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int16, int32, int64, string

CONSUMER_REPLICA_ID = -2
"""A consumer, and not a replica, asks (KIP-392)."""


class OffsetForLeaderPartition(Struct):
    """The epoch whose end is asked for."""

    partition: int = int32()
    current_leader_epoch: int = int32("2+", default=-1)
    leader_epoch: int = int32()


class OffsetForLeaderTopic(Struct):
    """The partitions of one topic."""

    topic: str = string()
    partitions: list[OffsetForLeaderPartition] = array(OffsetForLeaderPartition)


class OffsetForLeaderEpochRequest(Request, api=ApiKey.OFFSET_FOR_LEADER_EPOCH):
    """Where did an epoch end."""

    replica_id: int = int32("3+", default=CONSUMER_REPLICA_ID)
    topics: list[OffsetForLeaderTopic] = array(OffsetForLeaderTopic)


class EpochEndOffset(Struct):
    """The largest epoch up to the asked-for one, and the offset after its last record, or -1."""

    error_code: int = int16()
    partition: int = int32()
    leader_epoch: int = int32("1+", default=-1)
    end_offset: int = int64(default=-1)


class OffsetForLeaderTopicResult(Struct):
    """The partitions of one topic."""

    topic: str = string()
    partitions: list[EpochEndOffset] = array(EpochEndOffset)


class OffsetForLeaderEpochResponse(Response, api=ApiKey.OFFSET_FOR_LEADER_EPOCH):
    """One answer for each partition of the request."""

    throttle_time_ms: int = int32("2+")
    topics: list[OffsetForLeaderTopicResult] = array(OffsetForLeaderTopicResult)
