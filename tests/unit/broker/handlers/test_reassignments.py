"""Partition reassignments on the wire, in Kafka's codes."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from everlog.model.ids import NodeId
from service.broker.handlers.reassignments import (
    AlterPartitionReassignmentsHandler,
    ListPartitionReassignmentsHandler,
)
from service.coordination.registration import register_broker
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from service.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ReassignmentTopic,
)
from tests.unit.broker.handlers.town import Town, context, town
from tests.unit.coordination.stage import description, founded, nothing
from tests.unit.coordination.test_reassignments import reassignments


@pytest.fixture
async def place() -> AsyncIterator[Town]:
    async with town() as place:
        await place.topic("t", partitions=2)
        other = await founded(place.stage.server)
        await register_broker(other, description(2))
        await place.stage.images.wait_for(lambda image: NodeId(2) in image.brokers)
        yield place


async def alter(
    place: Town, topic: str, number: int, replicas: list[int] | None
) -> AlterPartitionReassignmentsResponse:
    handler = AlterPartitionReassignmentsHandler(
        reassignments=reassignments(place.stage), keeper=place.keeper
    )
    partition = ReassignablePartition(partition_index=number, replicas=replicas)
    asked = ReassignableTopic(name=topic, partitions=[partition])
    return await handler(context(0), AlterPartitionReassignmentsRequest(topics=[asked]))


async def code(place: Town, topic: str, number: int, replicas: list[int] | None) -> ErrorCode:
    response = await alter(place, topic, number, replicas)
    assert response.error_code == ErrorCode.NONE
    ((partition,),) = [each.partitions for each in response.responses]
    assert partition.partition_index == number
    return ErrorCode(partition.error_code)


async def under_way(
    place: Town, topics: list[ReassignmentTopic] | None
) -> ListPartitionReassignmentsResponse:
    handler = ListPartitionReassignmentsHandler(reassignments=reassignments(place.stage))
    return await handler(context(0), ListPartitionReassignmentsRequest(topics=topics))


async def test_what_is_begun_is_listed_until_it_is_cancelled(place: Town) -> None:
    assert await code(place, "t", 0, [2]) == ErrorCode.NONE
    (topic,) = (await under_way(place, None)).topics
    (found,) = topic.partitions
    assert (topic.name, found.partition_index, found.replicas) == ("t", 0, [2, 1])
    assert (found.adding_replicas, found.removing_replicas) == ([2], [1])
    others = [ReassignmentTopic(name="t", partition_indexes=[1, 9])]
    assert (await under_way(place, others)).topics == []
    assert await code(place, "t", 0, None) == ErrorCode.NONE
    assert (await under_way(place, None)).topics == []


@pytest.mark.parametrize(
    ("topic", "replicas", "expected"),
    [
        ("t", None, ErrorCode.NO_REASSIGNMENT_IN_PROGRESS),
        ("t", [], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", [2, 2], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", [2, 99], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", [-1], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("u", [2], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("u", None, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
async def test_each_mistake_has_its_code(
    place: Town, topic: str, replicas: list[int] | None, expected: ErrorCode
) -> None:
    assert await code(place, topic, 0, replicas) == expected


async def test_who_is_not_the_controller_says_so(place: Town) -> None:
    await place.stage.controller.perform(nothing)
    await place.stage.controller.retire()
    response = await alter(place, "t", 0, [2])
    assert response.error_code == ErrorCode.NOT_CONTROLLER
    assert (await under_way(place, None)).error_code == ErrorCode.NOT_CONTROLLER


async def test_a_broker_removes_the_log_of_what_has_moved_away(place: Town) -> None:
    partition = place.table.led("t", 0)
    directory = partition.hot.directory
    assert await code(place, "t", 0, [2]) == ErrorCode.NONE
    topic = directory.rpartition("/")[0]
    assert logs(place, topic) == {"0", "1"}, "it is needed until the other one has it"
    state = place.stage.topic("t").partitions[0]
    await place.stage.write_state(
        "t", replace(state, isr=(NodeId(2), NodeId(1)), version=state.version + 1)
    )
    await place.stage.images.wait_for(
        lambda image: not image.topics[partition.topic].partitions[0].is_moving
    )
    await place.keeper.settled()
    assert [each.index for each in place.table.partitions] == [1]
    assert logs(place, topic) == {"1"}


def logs(place: Town, topic: str) -> set[str]:
    return {name.rstrip("/") for name, _ in place.disk.list_dir(topic)}
