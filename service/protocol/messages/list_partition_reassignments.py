"""ListPartitionReassignments, key 46 (KIP-455)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int16, int32, string


class ReassignmentTopic(Struct):
    """Partitions of one topic."""

    name: str = string()
    partition_indexes: list[int] = array(int32())


class ListPartitionReassignmentsRequest(Request, api=ApiKey.LIST_PARTITION_REASSIGNMENTS):
    """What is being reassigned; null topics for all."""

    timeout_ms: int = int32(default=60_000)
    topics: list[ReassignmentTopic] | None = array(ReassignmentTopic, nullable="0+", default=None)


class OngoingPartitionReassignment(Struct):
    """One partition on its way."""

    partition_index: int = int32()
    replicas: list[int] = array(int32())
    adding_replicas: list[int] = array(int32())
    removing_replicas: list[int] = array(int32())


class OngoingTopicReassignment(Struct):
    """The partitions of one topic."""

    name: str = string()
    partitions: list[OngoingPartitionReassignment] = array(OngoingPartitionReassignment)


class ListPartitionReassignmentsResponse(Response, api=ApiKey.LIST_PARTITION_REASSIGNMENTS):
    """Those of the request that are being reassigned, and no others."""

    throttle_time_ms: int = int32()
    error_code: int = int16()
    error_message: str | None = string(nullable="0+")
    topics: list[OngoingTopicReassignment] = array(OngoingTopicReassignment)
