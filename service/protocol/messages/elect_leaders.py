"""ElectLeaders, key 43 (KIP-183): v1 the type of election (460), v2 flexible (482)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int8, int16, int32, string

PREFERRED = 0
UNCLEAN = 1


class TopicPartitions(Struct):
    """Partitions of one topic."""

    topic: str = string()
    partitions: list[int] = array(int32())


class ElectLeadersRequest(Request, api=ApiKey.ELECT_LEADERS):
    """Elect leaders of partitions; null for those of all topics. Before v1 preferred ones."""

    election_type: int = int8("1+", default=PREFERRED)
    topic_partitions: list[TopicPartitions] | None = array(TopicPartitions, nullable="0+")
    timeout_ms: int = int32(default=60_000)


class PartitionResult(Struct):
    """What became of one partition."""

    partition_id: int = int32()
    error_code: int = int16()
    error_message: str | None = string(nullable="0+")


class ReplicaElectionResult(Struct):
    """The partitions of one topic."""

    topic: str = string()
    partition_result: list[PartitionResult] = array(PartitionResult)


class ElectLeadersResponse(Response, api=ApiKey.ELECT_LEADERS):
    """A result for each partition of the request; of all topics, only for those in question."""

    throttle_time_ms: int = int32()
    error_code: int = int16("1+")
    replica_election_results: list[ReplicaElectionResult] = array(ReplicaElectionResult)
