"""OffsetForLeaderEpoch: where a term ended, so that readers see a truncation (KIP-101, KIP-320)."""

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of
from service.partition.readable import ReadableTable
from service.protocol.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)


class OffsetForLeaderEpochHandler:
    """Answers from the history of leader epochs, which covers both tiers."""

    def __init__(self, *, partitions: ReadableTable) -> None:
        self._partitions = partitions

    async def __call__(
        self, context: RequestContext, request: OffsetForLeaderEpochRequest
    ) -> OffsetForLeaderEpochResponse:
        del context
        return OffsetForLeaderEpochResponse(
            topics=[
                OffsetForLeaderTopicResult(
                    topic=topic.topic,
                    partitions=[await self._end(topic.topic, each) for each in topic.partitions],
                )
                for topic in request.topics
            ]
        )

    async def _end(self, topic: str, wanted: OffsetForLeaderPartition) -> EpochEndOffset:
        result = EpochEndOffset(partition=wanted.partition)
        try:
            partition = self._partitions.led(topic, wanted.partition)
            epoch = wanted.current_leader_epoch
            partition.check_epoch(None if epoch < 0 else epoch)
            await partition.load_epochs()
        except EverlogError as error:
            result.error_code = code_of(error)
            return result
        known = partition.end_of_epoch(wanted.leader_epoch)
        if known is not None:
            result.leader_epoch, result.end_offset = known
        return result
