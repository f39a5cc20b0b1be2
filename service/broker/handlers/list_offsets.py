"""ListOffsets: the ends of a log, or the first offset at or after a time (KIP-79)."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterator
from typing import Any

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of
from service.broker.fetch_reading import READ_COMMITTED
from service.model.log import TimestampOffset
from service.partition.readable import ReadablePartition, ReadableTable
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

LATEST = -1
EARLIEST = -2
MAX_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6
_WHATEVER_THE_END = frozenset({EARLIEST, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD})

_SINCE = {MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}
"""First version of the request that may ask for each (KIP-734, 405, 1005, 1023)."""


class ListOffsetsHandler:
    """Looks up offsets, over both tiers."""

    def __init__(self, *, partitions: ReadableTable) -> None:
        self._partitions = partitions

    async def __call__(
        self, context: RequestContext, request: ListOffsetsRequest
    ) -> ListOffsetsResponse:
        response = ListOffsetsResponse()
        searches = list(self._look_up(context, request, response))
        if searches:
            # Side by side: no partition waits for another's index to come out of the store.
            async with asyncio.TaskGroup() as tasks:
                for search in searches:
                    tasks.create_task(search)
        return response

    def _look_up(
        self,
        context: RequestContext,
        request: ListOffsetsRequest,
        response: ListOffsetsResponse,
    ) -> Iterator[Coroutine[Any, Any, None]]:
        """Answer what is known at once; yield what finds the rest."""
        seen: set[tuple[str, int]] = set()
        for topic in request.topics:
            answer = ListOffsetsTopicResponse(name=topic.name)
            response.topics.append(answer)
            for wanted in topic.partitions:
                result = ListOffsetsPartitionResponse(partition_index=wanted.partition_index)
                answer.partitions.append(result)
                if (topic.name, wanted.partition_index) in seen:
                    result.error_code = ErrorCode.INVALID_REQUEST
                    continue
                seen.add((topic.name, wanted.partition_index))
                try:
                    search = self._find(context, request, topic.name, wanted, result)
                except EverlogError as error:
                    result.error_code = code_of(error)
                    continue
                if search is not None:
                    yield _tell(result, search)

    def _find(
        self,
        context: RequestContext,
        request: ListOffsetsRequest,
        topic: str,
        wanted: ListOffsetsPartition,
        result: ListOffsetsPartitionResponse,
    ) -> Awaitable[TimestampOffset | None] | None:
        partition = self._partitions.led(topic, wanted.partition_index)
        epoch = wanted.current_leader_epoch
        partition.check_epoch(None if epoch < 0 else epoch)
        if context.api_version < _SINCE.get(wanted.timestamp, 0):
            result.error_code = ErrorCode.UNSUPPORTED_VERSION
            return None
        if wanted.timestamp not in _WHATEVER_THE_END:
            partition.check_end_known()
        end = partition.high_watermark
        if request.isolation_level == READ_COMMITTED:
            end = partition.last_stable_offset
        if wanted.timestamp >= 0:
            return partition.find_time(wanted.timestamp, end)
        if wanted.timestamp == MAX_TIMESTAMP:
            return partition.find_newest(end)
        offset = _landmark(partition, wanted.timestamp, end)
        if offset is None:
            result.error_code = ErrorCode.INVALID_REQUEST
        elif offset >= 0:
            result.offset = offset
            result.leader_epoch = _epoch_at(partition, offset)
        return None


def _landmark(partition: ReadablePartition, timestamp: int, end: int) -> int | None:
    """Offset of an end of the log; -1 where there is none, None if the number means nothing."""
    landmarks = {
        LATEST: end,
        EARLIEST: partition.log_start,
        EARLIEST_LOCAL: max(partition.local_start, partition.log_start),
        LATEST_TIERED: partition.tiered_end - 1,
        EARLIEST_PENDING_UPLOAD: max(partition.tiered_end, partition.log_start),
    }
    return landmarks.get(timestamp)


def _epoch_at(partition: ReadablePartition, offset: int) -> int:
    if offset >= partition.log_end:
        return partition.leader_epoch
    epoch = partition.epoch_of(offset)
    return -1 if epoch is None else epoch


async def _tell(
    result: ListOffsetsPartitionResponse, search: Awaitable[TimestampOffset | None]
) -> None:
    """Put down what a search finds, or why it finds nothing."""
    try:
        found = await search
    except EverlogError as error:
        result.error_code = code_of(error)
        return
    if found is not None:
        result.timestamp = found.timestamp_ms
        result.offset = found.offset
        result.leader_epoch = -1 if found.leader_epoch is None else found.leader_epoch
