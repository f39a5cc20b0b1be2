from collections.abc import AsyncIterator
from typing import Any

import pytest

from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.broker.handlers.offset_fetch import OffsetFetchHandler
from service.groups.calls import Claim, CommitCall, OffsetCommit
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from tests.unit.groups.desk import A_ID, B_ID, Desk, image_of, open_desk, topic

IDS = {"a": A_ID, "b": B_ID, "unknown": TopicId(b"u" * 16)}
Found = dict[tuple[str, int], tuple[int, int, str, int]]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        await desk.hall.commit(("a", 0, 5), ("b", 0, 7), metadata="nöte")
        yield desk


def _handler(desk: Desk) -> OffsetFetchHandler:
    return OffsetFetchHandler(coordinator=desk.hall.coordinator, images=desk.images)


def _found(topics: list[Any], version: int) -> Found:
    names = {bytes(topic_id): name for name, topic_id in IDS.items()}
    return {
        (names[bytes(each.topic_id)] if version >= 10 else each.name, p.partition_index): (
            p.committed_offset,
            p.committed_leader_epoch,
            p.metadata,
            p.error_code,
        )
        for each in topics
        for p in each.partitions
    }


async def _fetch(
    desk: Desk, version: int, wanted: dict[str, list[int]] | None, group_id: str = "group"
) -> tuple[int, Found]:
    """Ask for one group in whatever way the version has; return its code and its offsets."""
    if version < 8:
        old = (
            None
            if wanted is None
            else [
                OffsetFetchRequestTopic(name=name, partition_indexes=indexes)
                for name, indexes in wanted.items()
            ]
        )
        request = OffsetFetchRequest(group_id=group_id, topics=old)
        response = await desk.ask(_handler(desk), version, request)
        return response.error_code, _found(response.topics, version)
    new = (
        None
        if wanted is None
        else [
            OffsetFetchRequestTopics(name=name, topic_id=IDS[name], partition_indexes=indexes)
            for name, indexes in wanted.items()
        ]
    )
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group_id, topics=new)])
    response = await desk.ask(_handler(desk), version, request)
    (group,) = response.groups
    assert group.group_id == group_id
    return group.error_code, _found(group.topics, version)


@pytest.mark.parametrize("version", range(1, 11))
async def test_offsets_come_back_as_they_were_committed(desk: Desk, version: int) -> None:
    code, found = await _fetch(desk, version, {"a": [0, 1], "b": [0]})
    assert code == ErrorCode.NONE
    assert found == {
        ("a", 0): (5, -1, "nöte", 0),
        ("a", 1): (-1, -1, "", 0),
        ("b", 0): (7, -1, "nöte", 0),
    }


@pytest.mark.parametrize("version", range(2, 11))
async def test_all_offsets_of_a_group_can_be_asked_for(desk: Desk, version: int) -> None:
    code, found = await _fetch(desk, version, None)
    assert code == ErrorCode.NONE
    assert found == {("a", 0): (5, -1, "nöte", 0), ("b", 0): (7, -1, "nöte", 0)}


@pytest.mark.parametrize("version", [1, 7, 10])
async def test_a_group_that_does_not_exist_has_committed_nothing(desk: Desk, version: int) -> None:
    code, found = await _fetch(desk, version, {"a": [0]}, "nobody")
    assert (code, found) == (ErrorCode.NONE, {("a", 0): (-1, -1, "", 0)})


async def test_leader_epochs_come_back(desk: Desk) -> None:
    await desk.hall.coordinator.commit("group", _by_id(A_ID))
    assert (await _fetch(desk, 5, {"a": [1]}))[1] == {("a", 1): (9, 4, "", 0)}
    assert (await _fetch(desk, 4, {"a": [1]}))[1] == {("a", 1): (9, -1, "", 0)}


def _by_id(topic_id: TopicId) -> CommitCall:
    wanted = OffsetCommit(
        topic=TopicName("a"),
        partition=1,
        offset=Offset(9),
        leader_epoch=LeaderEpoch(4),
        topic_id=topic_id,
    )
    return CommitCall(claim=Claim(""), generation=None, offsets=(wanted,))


async def test_an_unknown_topic_id_is_told(desk: Desk) -> None:
    code, found = await _fetch(desk, 10, {"unknown": [0], "a": [0]})
    assert code == ErrorCode.NONE
    assert found[("unknown", 0)] == (-1, -1, "", ErrorCode.UNKNOWN_TOPIC_ID)
    assert found[("a", 0)][0] == 5


async def test_offsets_of_a_topic_that_was_created_anew_are_not_those_of_the_old_one(
    desk: Desk,
) -> None:
    await desk.hall.coordinator.commit("group", _by_id(TopicId(b"o" * 16)))
    _, found = await _fetch(desk, 10, {"a": [0, 1]})
    assert found == {("a", 0): (5, -1, "nöte", 0), ("a", 1): (-1, -1, "", 0)}
    _, found = await _fetch(desk, 10, None)
    assert ("a", 1) not in found
    _, found = await _fetch(desk, 9, {"a": [1]})
    assert found == {("a", 1): (9, 4, "", 0)}, "by name there is no telling"


async def test_topics_that_have_gone_cannot_be_named_by_id(desk: Desk) -> None:
    desk.image = image_of(topic("b", B_ID, 1))
    assert (await _fetch(desk, 10, None))[1] == {("b", 0): (7, -1, "nöte", 0)}
    assert set((await _fetch(desk, 9, None))[1]) == {("a", 0), ("b", 0)}


async def test_many_groups_are_answered_one_by_one(desk: Desk) -> None:
    await desk.hall.commit(("a", 0, 1), group="other")
    request = OffsetFetchRequest(
        groups=[
            OffsetFetchRequestGroup(group_id="group", topics=None),
            OffsetFetchRequestGroup(group_id="g" * 9_000, topics=None),
            OffsetFetchRequestGroup(group_id="other", topics=None),
        ],
        require_stable=True,
    )
    response = await desk.ask(_handler(desk), 9, request)
    codes = [group.error_code for group in response.groups]
    assert codes == [ErrorCode.NONE, ErrorCode.INVALID_GROUP_ID, ErrorCode.NONE]
    assert [len(group.topics) for group in response.groups] == [2, 0, 1]


@pytest.mark.parametrize("version", [2, 7, 8, 10])
async def test_an_error_of_the_group_is_told_once(desk: Desk, version: int) -> None:
    desk.hall.log.terms.clear()
    assert await _fetch(desk, version, {"a": [0]}) == (ErrorCode.NOT_COORDINATOR, {})


async def test_version_1_tells_an_error_of_the_group_for_each_partition(desk: Desk) -> None:
    desk.hall.log.terms.clear()
    _, found = await _fetch(desk, 1, {"a": [0, 1]})
    assert {each[3] for each in found.values()} == {ErrorCode.NOT_COORDINATOR}
    assert len(found) == 2
