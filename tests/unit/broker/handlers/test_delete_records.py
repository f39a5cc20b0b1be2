"""DeleteRecords: raises the log start."""

import pytest

from service.broker.handlers.delete_records import DeleteRecordsHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from tests.unit.broker.handlers.town import Town, context, town
from tests.unit.partition.ground import batch, settled


async def delete(place: Town, offset: int, *, topic: str = "t", index: int = 0) -> tuple[int, int]:
    wanted = [DeleteRecordsPartition(partition_index=index, offset=offset)]
    request = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=wanted)])
    handler = DeleteRecordsHandler(partitions=place.table, hot=place.store)
    (found,) = (await handler(context(2), request)).topics[0].partitions
    return found.error_code, found.low_watermark


async def with_records(place: Town, **settings: str) -> None:
    partition = await place.topic("t", **settings)
    partition.append(batch(5))
    await settled(partition)


async def test_the_start_rises_and_survives_a_restart() -> None:
    async with town() as place:
        await with_records(place)
        assert await delete(place, 3) == (0, 3)
        assert await delete(place, 1) == (0, 3)
        await place.restart()
        assert place.table.led("t", 0).log_start == 3
        assert await delete(place, -1) == (0, 5)


@pytest.mark.parametrize("offset", [-2, 6, 2**63 - 1])
async def test_an_offset_beyond_the_log_is_refused(offset: int) -> None:
    async with town() as place:
        await with_records(place)
        assert await delete(place, offset) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)


async def test_what_may_not_be_deleted_is_kept() -> None:
    async with town() as place:
        await with_records(place, cleanup_policy="compact")
        assert await delete(place, 1) == (ErrorCode.POLICY_VIOLATION, -1)
        internal = await delete(place, 1, topic="__consumer_offsets")
        assert internal == (ErrorCode.INVALID_TOPIC_EXCEPTION, -1)
        unknown = await delete(place, 1, index=7)
        assert unknown == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)


async def test_of_a_topic_on_hold_nothing_is_deleted() -> None:
    async with town() as place:
        await with_records(place, archive_hold="true")
        assert await delete(place, 1) == (ErrorCode.POLICY_VIOLATION, -1)
        assert place.table.led("t", 0).log_start == 0
