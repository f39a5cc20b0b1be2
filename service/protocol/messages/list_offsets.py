"""ListOffsets, key 2: v2 isolation (KIP-98), v4 epochs (320), v7 max timestamp (734).

v8, v9 and v11 ask about the tiers (KIP-405, 1005, 1023), v10 says how long to look there (1075).
"""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int8, int16, int32, int64, string


class ListOffsetsPartition(Struct):
    """A time, or one of the negative numbers that stand for an end of the log."""

    partition_index: int = int32()
    current_leader_epoch: int = int32("4+", default=-1)
    timestamp: int = int64()


class ListOffsetsTopic(Struct):
    """The partitions of one topic."""

    name: str = string()
    partitions: list[ListOffsetsPartition] = array(ListOffsetsPartition)


class ListOffsetsRequest(Request, api=ApiKey.LIST_OFFSETS):
    """Which offset has the first record at or after a time."""

    replica_id: int = int32(default=-1)
    isolation_level: int = int8("2+", ignorable=False)
    topics: list[ListOffsetsTopic] = array(ListOffsetsTopic)
    timeout_ms: int = int32("10+")


class ListOffsetsPartitionResponse(Struct):
    """The offset that was found, and its record's time."""

    partition_index: int = int32()
    error_code: int = int16()
    timestamp: int = int64("1+", default=-1)
    offset: int = int64("1+", default=-1)
    leader_epoch: int = int32("4+", default=-1)


class ListOffsetsTopicResponse(Struct):
    """The partitions of one topic."""

    name: str = string()
    partitions: list[ListOffsetsPartitionResponse] = array(ListOffsetsPartitionResponse)


class ListOffsetsResponse(Response, api=ApiKey.LIST_OFFSETS):
    """One answer for each partition of the request."""

    throttle_time_ms: int = int32("2+")
    topics: list[ListOffsetsTopicResponse] = array(ListOffsetsTopicResponse)
