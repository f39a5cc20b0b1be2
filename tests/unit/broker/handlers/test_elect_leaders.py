"""ElectLeaders: one result for each partition, in Kafka's codes."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from everlog.model.ids import NodeId
from service.broker.handlers.elect_leaders import ElectLeadersHandler
from service.coordination.asked_elections import LeaderElections
from service.coordination.leadership import ElectionStats, default_rules
from service.model.cluster import PartitionState
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.elect_leaders import (
    PREFERRED,
    UNCLEAN,
    ElectLeadersRequest,
    ElectLeadersResponse,
    TopicPartitions,
)
from tests.unit.broker.handlers.town import Town, context, town
from tests.unit.coordination.stage import nothing

ABSENT = NodeId(9)


@pytest.fixture
async def place() -> AsyncIterator[Town]:
    async with town() as place:
        yield place


async def ask(
    place: Town, request: ElectLeadersRequest, *, version: int = 2
) -> ElectLeadersResponse:
    stage = place.stage
    elections = LeaderElections(
        store=stage.store,
        images=stage.images,
        controller=stage.controller,
        rules_of=default_rules,
        stats=ElectionStats(),
    )
    return await ElectLeadersHandler(elections=elections, keeper=place.keeper)(
        context(version), request
    )


def codes(response: ElectLeadersResponse) -> list[tuple[str, int, ErrorCode]]:
    return [
        (topic.topic, each.partition_id, ErrorCode(each.error_code))
        for topic in response.replica_election_results
        for each in topic.partition_result
    ]


def replicated(place: Town, *replicas: NodeId) -> PartitionState:
    """Return the state of the partition with other replicas."""
    state = place.stage.topic("t").partitions[0]
    return replace(state, replicas=replicas, version=state.version + 1)


def of(*partitions: int, topic: str = "t") -> list[TopicPartitions]:
    return [TopicPartitions(topic=topic, partitions=list(partitions))]


async def test_who_leads_already_and_what_does_not_exist_are_told(place: Town) -> None:
    await place.topic("t")
    wanted = [*of(0, 5), *of(0, topic="u")]
    for kind in (PREFERRED, UNCLEAN):
        response = await ask(
            place, ElectLeadersRequest(election_type=kind, topic_partitions=wanted)
        )
        assert response.error_code == ErrorCode.NONE
        assert codes(response) == [
            ("t", 0, ErrorCode.ELECTION_NOT_NEEDED),
            ("t", 5, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
            ("u", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ]


async def test_of_all_partitions_only_those_are_told_that_are_led_by_others(place: Town) -> None:
    await place.topic("t")
    assert codes(await ask(place, ElectLeadersRequest(topic_partitions=None))) == []
    await place.stage.write_state("t", replicated(place, ABSENT, place.stage.broker.id))
    response = await ask(place, ElectLeadersRequest(topic_partitions=None))
    assert codes(response) == [("t", 0, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)]
    (topic,) = response.replica_election_results
    assert "broker 9" in str(topic.partition_result[0].error_message)


async def test_no_replica_that_runs_is_no_leader(place: Town) -> None:
    await place.topic("t")
    state = replace(replicated(place, ABSENT), leader=None, isr=(ABSENT,))
    await place.stage.write_state("t", state)
    request = ElectLeadersRequest(election_type=UNCLEAN, topic_partitions=of(0))
    found = codes(await ask(place, request))
    assert found == [("t", 0, ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE)]


async def test_a_type_that_does_not_exist_is_refused(place: Town) -> None:
    request = ElectLeadersRequest(election_type=7, topic_partitions=of(0))
    response = await ask(place, request)
    assert response.error_code == ErrorCode.INVALID_REQUEST
    assert codes(response) == [("t", 0, ErrorCode.INVALID_REQUEST)]


@pytest.mark.parametrize(("version", "code"), [(0, 0), (1, ErrorCode.NOT_CONTROLLER)])
async def test_who_is_not_the_controller_says_so(place: Town, version: int, code: int) -> None:
    await place.stage.controller.perform(nothing)
    await place.stage.controller.retire()
    response = await ask(place, ElectLeadersRequest(topic_partitions=of(0)), version=version)
    assert response.error_code == code
    assert codes(response) == [("t", 0, ErrorCode.NOT_CONTROLLER)]
