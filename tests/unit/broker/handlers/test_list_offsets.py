"""ListOffsets: the ends of a log, and places by time."""

import asyncio
from typing import Any

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.model.offsets import Offset
from service.broker.error_mapping import code_of
from service.broker.handlers.list_offsets import (
    EARLIEST,
    EARLIEST_LOCAL,
    EARLIEST_PENDING_UPLOAD,
    LATEST,
    LATEST_TIERED,
    MAX_TIMESTAMP,
    ListOffsetsHandler,
)
from service.model.log import TimestampOffset
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.unit.broker.handlers.town import Town, context, town
from tests.unit.partition.ground import NOW_MS, batch, settled


async def ask(place: Town, *timestamps: int, version: int = 11, **fields: int) -> list[Any]:
    wanted = [
        ListOffsetsPartition(
            partition_index=fields.get("index", number),
            current_leader_epoch=fields.get("epoch", -1),
            timestamp=timestamp,
        )
        for number, timestamp in enumerate(timestamps)
    ]
    request = ListOffsetsRequest(
        isolation_level=fields.get("isolation", 0),
        topics=[ListOffsetsTopic(name="t", partitions=wanted)],
    )
    response = await ListOffsetsHandler(partitions=place.table)(context(version), request)
    return list(response.topics[0].partitions)


async def with_records(place: Town) -> None:
    partition = await place.topic("t", partitions=1)
    partition.append(batch(5))
    await settled(partition)
    await place.store.set_log_start(partition.hot, Offset(2))


@pytest.mark.parametrize(
    ("timestamp", "offset"),
    [
        (LATEST, 5),
        (EARLIEST, 2),
        (EARLIEST_LOCAL, 2),
        (LATEST_TIERED, -1),
        (EARLIEST_PENDING_UPLOAD, 2),
        (MAX_TIMESTAMP, 4),
        (NOW_MS + 3, 3),
        (NOW_MS, 2),
        (NOW_MS + 9, -1),
    ],
)
@pytest.mark.parametrize("isolation", [0, 1])
async def test_places_are_found(timestamp: int, offset: int, isolation: int) -> None:
    async with town() as place:
        await with_records(place)
        (found,) = await ask(place, timestamp, isolation=isolation)
        assert (found.error_code, found.offset) == (0, offset)


async def test_the_end_of_an_empty_log_has_the_current_term() -> None:
    async with town() as place:
        partition = await place.topic("t")
        (found,) = await ask(place, LATEST)
        assert (found.offset, found.leader_epoch) == (0, partition.leader_epoch)


@pytest.mark.parametrize(
    ("timestamp", "version"),
    [(MAX_TIMESTAMP, 6), (EARLIEST_LOCAL, 7), (LATEST_TIERED, 8), (EARLIEST_PENDING_UPLOAD, 10)],
)
async def test_older_versions_do_not_know_newer_places(timestamp: int, version: int) -> None:
    async with town() as place:
        await with_records(place)
        (found,) = await ask(place, timestamp, version=version)
        assert found.error_code == ErrorCode.UNSUPPORTED_VERSION


async def test_what_cannot_be_is_refused() -> None:
    async with town() as place:
        await with_records(place)
        assert (await ask(place, -7))[0].error_code == ErrorCode.INVALID_REQUEST
        assert (await ask(place, LATEST, index=3))[0].error_code == (
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        )
        assert (await ask(place, LATEST, epoch=99))[0].error_code == ErrorCode.UNKNOWN_LEADER_EPOCH
        twice = await ask(place, LATEST, LATEST, index=0)
        assert [each.error_code for each in twice] == [0, ErrorCode.INVALID_REQUEST]


@pytest.mark.rule("TIER-36")
@pytest.mark.rule("TIER-28")
async def test_no_partition_waits_for_another_to_be_searched() -> None:
    async with town() as place:
        await place.topic("t", partitions=4)
        both_search = asyncio.Barrier(2)

        async def search(timestamp_ms: int, end: Offset) -> TimestampOffset:
            await both_search.wait()
            return TimestampOffset(timestamp_ms, Offset(timestamp_ms), None)

        async def damaged(timestamp_ms: int, end: Offset) -> TimestampOffset:
            raise CorruptObjectError("object", "bits")

        for number, find in enumerate((search, damaged, search)):
            place.table.led("t", number).find_time = find  # type: ignore[method-assign]
        async with asyncio.timeout(10):
            found = await ask(place, 3, 5, 4, LATEST)
        assert [each.offset for each in found] == [3, -1, 4, 0]
        bad = code_of(CorruptObjectError("o", "b"))
        assert [each.error_code for each in found] == [0, bad, 0, 0]
