"""OffsetFetch, key 9: v2 all topics (KIP-88), v5 epochs (320), v7 stable offsets (447).

v8 asks about many groups (KIP-709), v9 names the member, v10 the topics by id (848).
"""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, boolean, int16, int32, int64, string, uuid


class OffsetFetchRequestTopic(Struct):
    """The partitions of one topic, up to v7."""

    name: str = string("0-7")
    partition_indexes: list[int] = array(int32(), "0-7")


class OffsetFetchRequestTopics(Struct):
    """The partitions of one topic, from v8 on."""

    name: str = string("8-9")
    topic_id: bytes = uuid("10+")
    partition_indexes: list[int] = array(int32(), "8+")


class OffsetFetchRequestGroup(Struct):
    """A group; null topics stand for all of them."""

    group_id: str = string("8+")
    member_id: str | None = string("9+", nullable="9+", default=None)
    member_epoch: int = int32("9+", default=-1)
    topics: list[OffsetFetchRequestTopics] | None = array(
        OffsetFetchRequestTopics, "8+", nullable="8+"
    )


class OffsetFetchRequest(Request, api=ApiKey.OFFSET_FETCH):
    """How far groups have read: one group in the message itself up to v7, then a list."""

    group_id: str = string("0-7", ignorable=False)
    topics: list[OffsetFetchRequestTopic] | None = array(
        OffsetFetchRequestTopic, "0-7", nullable="2-7"
    )
    groups: list[OffsetFetchRequestGroup] = array(OffsetFetchRequestGroup, "8+", ignorable=False)
    require_stable: bool = boolean("7+", ignorable=False)


class OffsetFetchResponsePartition(Struct):
    """What was committed, up to v7; offset -1 for nothing."""

    partition_index: int = int32("0-7")
    committed_offset: int = int64("0-7")
    committed_leader_epoch: int = int32("5-7", default=-1)
    metadata: str | None = string("0-7", nullable="0-7")
    error_code: int = int16("0-7")


class OffsetFetchResponseTopic(Struct):
    """The partitions of one topic, up to v7."""

    name: str = string("0-7")
    partitions: list[OffsetFetchResponsePartition] = array(OffsetFetchResponsePartition, "0-7")


class OffsetFetchResponsePartitions(Struct):
    """What was committed, from v8 on; offset -1 for nothing."""

    partition_index: int = int32("8+")
    committed_offset: int = int64("8+")
    committed_leader_epoch: int = int32("8+", default=-1)
    metadata: str | None = string("8+", nullable="8+")
    error_code: int = int16("8+")


class OffsetFetchResponseTopics(Struct):
    """The partitions of one topic, from v8 on."""

    name: str = string("8-9")
    topic_id: bytes = uuid("10+")
    partitions: list[OffsetFetchResponsePartitions] = array(OffsetFetchResponsePartitions, "8+")


class OffsetFetchResponseGroup(Struct):
    """One group's offsets."""

    group_id: str = string("8+")
    topics: list[OffsetFetchResponseTopics] = array(OffsetFetchResponseTopics, "8+")
    error_code: int = int16("8+")


class OffsetFetchResponse(Response, api=ApiKey.OFFSET_FETCH):
    """The committed offsets: of one group in the message itself up to v7, then a list."""

    throttle_time_ms: int = int32("3+")
    topics: list[OffsetFetchResponseTopic] = array(OffsetFetchResponseTopic, "0-7")
    error_code: int = int16("2-7")
    groups: list[OffsetFetchResponseGroup] = array(OffsetFetchResponseGroup, "8+")
