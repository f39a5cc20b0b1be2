from collections.abc import AsyncIterator
from typing import Any

import pytest

from everlog.model.errors import RejectedError, RetriableError
from everlog.model.ids import TopicName
from service.broker.handlers.offset_commit import OffsetCommitHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from tests.unit.groups.desk import A_ID, B_ID, Desk, open_desk

IDS = {"a": A_ID, "b": B_ID, "unknown": b"u" * 16}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


def _topic(name: str, *offsets: tuple[int, int], **changes: Any) -> OffsetCommitRequestTopic:
    values = {"committed_leader_epoch": 3, "committed_metadata": "note"} | changes
    return OffsetCommitRequestTopic(
        name=name,
        topic_id=IDS[name],
        partitions=[
            OffsetCommitRequestPartition(
                partition_index=partition, committed_offset=offset, **values
            )
            for partition, offset in offsets
        ],
    )


async def _commit(
    desk: Desk, version: int, *topics: OffsetCommitRequestTopic, **changes: Any
) -> OffsetCommitResponse:
    handler = OffsetCommitHandler(coordinator=desk.hall.coordinator, images=desk.images)
    request = OffsetCommitRequest(**({"group_id": "group", "topics": list(topics)} | changes))
    response = await desk.ask(handler, version, request)
    assert isinstance(response, OffsetCommitResponse)
    return response


def _codes(response: OffsetCommitResponse) -> list[int]:
    return [each.error_code for topic in response.topics for each in topic.partitions]


@pytest.mark.parametrize("version", range(2, 11))
async def test_offsets_are_kept(desk: Desk, version: int) -> None:
    response = await _commit(desk, version, _topic("a", (0, 5), (1, 6)), _topic("b", (0, 7)))
    assert _codes(response) == [ErrorCode.NONE] * 3
    assert desk.hall.committed() == {("a", 0): 5, ("a", 1): 6, ("b", 0): 7}
    committed = desk.hall.coordinator.fetch("group")[TopicName("a")][0]
    assert committed.metadata == "note"
    assert committed.leader_epoch == (3 if version >= 6 else None)
    assert committed.topic_id == (A_ID if version >= 10 else None)
    topic = response.topics[0]
    assert (topic.name, bytes(topic.topic_id)) == (
        ("", A_ID) if version >= 10 else ("a", bytes(16))
    )


async def test_null_metadata_is_an_empty_note(desk: Desk) -> None:
    await _commit(desk, 8, _topic("a", (0, 5), committed_metadata=None, committed_leader_epoch=-1))
    committed = desk.hall.coordinator.fetch("group")[TopicName("a")][0]
    assert (committed.metadata, committed.leader_epoch) == ("", None)


@pytest.mark.parametrize(("version", "kept_ms"), [(2, 1_000), (4, 1_000), (5, None)])
async def test_old_clients_may_say_how_long(desk: Desk, version: int, kept_ms: int | None) -> None:
    await _commit(desk, version, _topic("a", (0, 5)), retention_time_ms=1_000)
    committed = desk.hall.coordinator.fetch("group")[TopicName("a")][0]
    expected_ms = None if kept_ms is None else committed.committed_ms + kept_ms
    assert committed.expires_ms == expected_ms


@pytest.mark.rule("REL-54")
async def test_each_partition_has_its_own_result(desk: Desk) -> None:
    response = await _commit(
        desk,
        9,
        _topic("a", (0, 5), (1, -5), (2, 1), (-1, 1)),
        _topic("unknown", (0, 1)),
        _topic("b", (0, 1), committed_metadata="x" * 4_097),
    )
    assert _codes(response) == [
        ErrorCode.NONE,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.OFFSET_METADATA_TOO_LARGE,
    ]
    assert desk.hall.committed() == {("a", 0): 5}


async def test_an_unknown_topic_id_is_told(desk: Desk) -> None:
    response = await _commit(desk, 10, _topic("unknown", (0, 1)), _topic("a", (0, 1)))
    assert _codes(response) == [ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.NONE]


@pytest.mark.parametrize(
    ("version", "code"),
    [(8, ErrorCode.ILLEGAL_GENERATION), (9, ErrorCode.GROUP_ID_NOT_FOUND)],
)
async def test_a_member_of_no_group_is_told_by_version(
    desk: Desk, version: int, code: ErrorCode
) -> None:
    response = await _commit(
        desk, version, _topic("a", (0, 1)), generation_id_or_member_epoch=1, member_id="m"
    )
    assert _codes(response) == [code]


@pytest.mark.rule("REL-53")
async def test_what_is_wrong_with_a_member_is_told_for_each_partition(desk: Desk) -> None:
    (joined,) = await desk.hall.stable(1)
    topic = _topic("a", (0, 1), (1, 1))

    async def codes(member_id: str, generation: int, instance_id: str | None = None) -> list[int]:
        response = await _commit(
            desk,
            9,
            topic,
            member_id=member_id,
            generation_id_or_member_epoch=generation,
            group_instance_id=instance_id,
        )
        return _codes(response)

    assert await codes(joined.member_id, 1) == [ErrorCode.NONE] * 2
    assert await codes(joined.member_id, 2) == [ErrorCode.ILLEGAL_GENERATION] * 2
    assert await codes("who", 1) == [ErrorCode.UNKNOWN_MEMBER_ID] * 2
    assert await codes("", -1) == [ErrorCode.UNKNOWN_MEMBER_ID] * 2
    assert await codes(joined.member_id, 1, "i") == [ErrorCode.UNKNOWN_MEMBER_ID] * 2


async def test_a_member_without_an_assignment_is_told_of_the_rebalance(desk: Desk) -> None:
    joined = await desk.hall.joining()
    response = await _commit(
        desk,
        9,
        _topic("a", (0, 1)),
        member_id=joined.member_id,
        generation_id_or_member_epoch=joined.generation,
    )
    assert _codes(response) == [ErrorCode.REBALANCE_IN_PROGRESS]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (RetriableError("no replicas"), ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (RejectedError("too large"), ErrorCode.INVALID_COMMIT_OFFSET_SIZE),
    ],
)
async def test_a_commit_that_is_not_durable_is_an_error(
    desk: Desk, failure: RetriableError, code: ErrorCode
) -> None:
    desk.hall.log.failure = failure
    assert _codes(await _commit(desk, 9, _topic("a", (0, 1)))) == [code]


async def test_a_broker_that_does_not_coordinate_says_so(desk: Desk) -> None:
    desk.hall.log.terms.clear()
    assert _codes(await _commit(desk, 9, _topic("a", (0, 1)))) == [ErrorCode.NOT_COORDINATOR]


async def test_a_request_for_nothing_is_answered_with_nothing(desk: Desk) -> None:
    assert (await _commit(desk, 9)).topics == []
