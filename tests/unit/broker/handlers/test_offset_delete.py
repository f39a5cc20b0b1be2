from collections.abc import AsyncIterator

import pytest

from service.broker.handlers.offset_delete import OffsetDeleteHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from tests.unit.groups.desk import Desk, open_desk
from tests.unit.groups.stage import protocols

SUBSCRIBED_TO_A = protocols("range", metadata=b"\0\0\0\0\0\1\0\1a\xff\xff\xff\xff")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


async def _delete(
    desk: Desk, wanted: dict[str, list[int]], group_id: str = "group"
) -> OffsetDeleteResponse:
    handler = OffsetDeleteHandler(coordinator=desk.hall.coordinator, images=desk.images)
    topics = [
        OffsetDeleteRequestTopic(
            name=name,
            partitions=[OffsetDeleteRequestPartition(partition_index=each) for each in indexes],
        )
        for name, indexes in wanted.items()
    ]
    request = OffsetDeleteRequest(group_id=group_id, topics=topics)
    response = await desk.ask(handler, 0, request)
    assert isinstance(response, OffsetDeleteResponse)
    return response


def _codes(response: OffsetDeleteResponse) -> dict[tuple[str, int], int]:
    return {
        (topic.name, each.partition_index): each.error_code
        for topic in response.topics
        for each in topic.partitions
    }


async def test_offsets_are_deleted(desk: Desk) -> None:
    await desk.hall.commit(("a", 0, 1), ("a", 1, 1), ("b", 0, 1))
    response = await _delete(desk, {"a": [0, 1]})
    assert response.error_code == ErrorCode.NONE
    assert _codes(response) == {("a", 0): ErrorCode.NONE, ("a", 1): ErrorCode.NONE}
    assert desk.hall.committed() == {("b", 0): 1}


async def test_each_partition_has_its_own_result(desk: Desk) -> None:
    await desk.hall.commit(("a", 0, 1), ("b", 0, 1))
    await desk.hall.stable(1, protocols=SUBSCRIBED_TO_A)
    response = await _delete(desk, {"a": [0, 7], "b": [0], "unknown": [0]})
    assert _codes(response) == {
        ("a", 0): ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
        ("a", 7): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ("b", 0): ErrorCode.NONE,
        ("unknown", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }


async def test_errors_of_the_group_are_told_at_the_top(desk: Desk) -> None:
    response = await _delete(desk, {"a": [0]}, "nobody")
    assert (response.error_code, response.topics) == (ErrorCode.GROUP_ID_NOT_FOUND, [])
    await desk.hall.stable(1, protocol_type="connect")
    assert (await _delete(desk, {"a": [0]})).error_code == ErrorCode.NON_EMPTY_GROUP
    desk.hall.log.terms.clear()
    assert (await _delete(desk, {"a": [0]})).error_code == ErrorCode.NOT_COORDINATOR
