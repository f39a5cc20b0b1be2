"""CreateTopics, key 19: v4 default counts (KIP-464), v5 configs (525), v6 quotas (599), v7 ids."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, boolean, int8, int16, int32, string, uuid

TIMEOUT_MS_DEFAULT = 60_000


class CreatableReplicaAssignment(Struct):
    """Which brokers get one partition, the preferred leader first."""

    partition_index: int = int32()
    broker_ids: list[int] = array(int32())


class CreatableTopicConfig(Struct):
    """A setting to start with."""

    name: str = string()
    value: str | None = string(nullable="0+")


class CreatableTopic(Struct):
    """A topic to create; counts of -1 mean the broker's defaults, or the assignments."""

    name: str = string()
    num_partitions: int = int32()
    replication_factor: int = int16()
    assignments: list[CreatableReplicaAssignment] = array(CreatableReplicaAssignment)
    configs: list[CreatableTopicConfig] = array(CreatableTopicConfig)


class CreateTopicsRequest(Request, api=ApiKey.CREATE_TOPICS):
    """Create topics, or only say whether they could be."""

    topics: list[CreatableTopic] = array(CreatableTopic)
    timeout_ms: int = int32(default=TIMEOUT_MS_DEFAULT)
    validate_only: bool = boolean("1+", ignorable=False)


class CreatableTopicConfigs(Struct):
    """A setting that the topic has, and where it comes from."""

    name: str = string("5+")
    value: str | None = string("5+", nullable="5+")
    read_only: bool = boolean("5+")
    config_source: int = int8("5+", default=-1)
    is_sensitive: bool = boolean("5+")


class CreatableTopicResult(Struct):
    """What became of one topic."""

    name: str = string()
    topic_id: bytes = uuid("7+")
    error_code: int = int16()
    error_message: str | None = string("1+", nullable="0+")
    topic_config_error_code: int = int16("5+", tag=0)
    num_partitions: int = int32("5+", default=-1)
    replication_factor: int = int16("5+", default=-1)
    configs: list[CreatableTopicConfigs] | None = array(CreatableTopicConfigs, "5+", nullable="5+")


class CreateTopicsResponse(Response, api=ApiKey.CREATE_TOPICS):
    """One result for each topic of the request."""

    throttle_time_ms: int = int32("2+")
    topics: list[CreatableTopicResult] = array(CreatableTopicResult)
