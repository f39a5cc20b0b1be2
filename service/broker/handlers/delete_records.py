"""DeleteRecords: raises the log start of partitions, on both tiers at once (KIP-107)."""

from everlog.model.errors import EverlogError
from everlog.model.offsets import Offset
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of
from service.hot.store import HotStore
from service.model.cluster import INTERNAL_TOPICS
from service.partition.table import PartitionTable
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

TO_HIGH_WATERMARK = -1


class DeleteRecordsHandler:
    """Answers once the new start is durable; the bytes go afterwards."""

    def __init__(self, *, partitions: PartitionTable, hot: HotStore) -> None:
        self._partitions = partitions
        self._hot = hot

    async def __call__(
        self, context: RequestContext, request: DeleteRecordsRequest
    ) -> DeleteRecordsResponse:
        del context
        return DeleteRecordsResponse(
            topics=[
                DeleteRecordsTopicResult(
                    name=topic.name,
                    partitions=[await self._delete(topic.name, each) for each in topic.partitions],
                )
                for topic in request.topics
            ]
        )

    async def _delete(
        self, topic: str, wanted: DeleteRecordsPartition
    ) -> DeleteRecordsPartitionResult:
        result = DeleteRecordsPartitionResult(
            partition_index=wanted.partition_index, low_watermark=-1
        )
        if topic in INTERNAL_TOPICS:
            result.error_code = ErrorCode.INVALID_TOPIC_EXCEPTION
            return result
        try:
            partition = self._partitions.led(topic, wanted.partition_index)
            # The answer has no room for a reason; a compacted log loses no records to wishes.
            if partition.config.held or not partition.config.expires:
                result.error_code = ErrorCode.POLICY_VIOLATION
                return result
            offset = wanted.offset
            if offset == TO_HIGH_WATERMARK:
                offset = partition.high_watermark
            if not 0 <= offset <= partition.high_watermark:
                result.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
                return result
            await self._hot.set_log_start(partition.hot, Offset(offset))
            result.low_watermark = partition.log_start
        except EverlogError as error:
            result.error_code = code_of(error)
        return result
