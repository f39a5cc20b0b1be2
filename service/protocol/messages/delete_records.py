"""DeleteRecords, key 21 (KIP-107): v2 flexible (482)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int16, int32, int64, string


class DeleteRecordsPartition(Struct):
    """Delete everything before an offset; -1 stands for the high watermark."""

    partition_index: int = int32()
    offset: int = int64()


class DeleteRecordsTopic(Struct):
    """The partitions of one topic."""

    name: str = string()
    partitions: list[DeleteRecordsPartition] = array(DeleteRecordsPartition)


class DeleteRecordsRequest(Request, api=ApiKey.DELETE_RECORDS):
    """Raise the log starts of partitions."""

    topics: list[DeleteRecordsTopic] = array(DeleteRecordsTopic)
    timeout_ms: int = int32()


class DeleteRecordsPartitionResult(Struct):
    """The lowest log start of the live replicas."""

    partition_index: int = int32()
    low_watermark: int = int64()
    error_code: int = int16()


class DeleteRecordsTopicResult(Struct):
    """The partitions of one topic."""

    name: str = string()
    partitions: list[DeleteRecordsPartitionResult] = array(DeleteRecordsPartitionResult)


class DeleteRecordsResponse(Response, api=ApiKey.DELETE_RECORDS):
    """One result for each partition of the request."""

    throttle_time_ms: int = int32()
    topics: list[DeleteRecordsTopicResult] = array(DeleteRecordsTopicResult)
