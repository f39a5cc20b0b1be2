"""CreatePartitions, key 37 (KIP-195): v2 flexible (482), v3 quotas (599)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, boolean, int16, int32, string


class CreatePartitionsAssignment(Struct):
    """Which brokers get one new partition."""

    broker_ids: list[int] = array(int32())


class CreatePartitionsTopic(Struct):
    """The count a topic is to have; with null assignments the broker places the new partitions."""

    name: str = string()
    count: int = int32()
    assignments: list[CreatePartitionsAssignment] | None = array(
        CreatePartitionsAssignment, nullable="0+", default=None
    )


class CreatePartitionsRequest(Request, api=ApiKey.CREATE_PARTITIONS):
    """Add partitions to topics."""

    topics: list[CreatePartitionsTopic] = array(CreatePartitionsTopic)
    timeout_ms: int = int32()
    validate_only: bool = boolean()


class CreatePartitionsTopicResult(Struct):
    """What became of one topic."""

    name: str = string()
    error_code: int = int16()
    error_message: str | None = string(nullable="0+", default=None)


class CreatePartitionsResponse(Response, api=ApiKey.CREATE_PARTITIONS):
    """One result for each topic of the request."""

    throttle_time_ms: int = int32()
    results: list[CreatePartitionsTopicResult] = array(CreatePartitionsTopicResult)
