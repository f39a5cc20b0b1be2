"""Metadata, key 3: v4 auto-creation, v7 epochs (KIP-320), v8 authorizations (430), v10 ids."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import (
    OPERATIONS_UNKNOWN,
    array,
    boolean,
    int16,
    int32,
    string,
    uuid,
)


class MetadataRequestTopic(Struct):
    """A topic, by name, or from v12 on by id with a null name."""

    topic_id: bytes = uuid("10+")
    name: str | None = string(nullable="10+")


class MetadataRequest(Request, api=ApiKey.METADATA):
    """Who leads what. All topics: null, and in v0 an empty array."""

    topics: list[MetadataRequestTopic] | None = array(MetadataRequestTopic, nullable="1+")
    allow_auto_topic_creation: bool = boolean("4+", default=True, ignorable=False)
    include_cluster_authorized_operations: bool = boolean("8-10", ignorable=False)
    include_topic_authorized_operations: bool = boolean("8+", ignorable=False)


class MetadataResponseBroker(Struct):
    """A broker and where clients reach it."""

    node_id: int = int32()
    host: str = string()
    port: int = int32()
    rack: str | None = string("1+", nullable="1+", default=None)


class MetadataResponsePartition(Struct):
    """Who leads and who follows."""

    error_code: int = int16()
    partition_index: int = int32()
    leader_id: int = int32()
    leader_epoch: int = int32("7+", default=-1)
    replica_nodes: list[int] = array(int32())
    isr_nodes: list[int] = array(int32())
    offline_replicas: list[int] = array(int32(), "5+")


class MetadataResponseTopic(Struct):
    """A topic and its partitions."""

    error_code: int = int16()
    name: str | None = string(nullable="12+")
    topic_id: bytes = uuid("10+")
    is_internal: bool = boolean("1+")
    partitions: list[MetadataResponsePartition] = array(MetadataResponsePartition)
    topic_authorized_operations: int = int32("8+", default=OPERATIONS_UNKNOWN)


class MetadataResponse(Response, api=ApiKey.METADATA):
    """The brokers, and the topics that were asked for."""

    throttle_time_ms: int = int32("3+")
    brokers: list[MetadataResponseBroker] = array(MetadataResponseBroker)
    cluster_id: str | None = string("2+", nullable="2+", default=None)
    controller_id: int = int32("1+", default=-1)
    topics: list[MetadataResponseTopic] = array(MetadataResponseTopic)
    cluster_authorized_operations: int = int32("8-10", default=OPERATIONS_UNKNOWN)
    error_code: int = int16("13+")
