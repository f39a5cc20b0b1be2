from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from everlog.model.errors import RetriableError
from everlog.model.ids import TopicId
from service.broker.handlers.find_coordinator import FindCoordinatorHandler, KeyType
from service.groups.partitioning import OFFSETS_TOPIC, group_partition
from service.model.cluster import TopicImage
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.find_coordinator import FindCoordinatorRequest
from tests.simulation.clock import ManualClock
from tests.unit.groups.desk import Desk, image_of, open_desk, topic

OFFSETS_ID = TopicId(b"o" * 16)


class FakeOffsetsTopic:
    """Creates the topic at once, later, or not at all."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.created = 0
        self.becomes: TopicImage | None = topic(OFFSETS_TOPIC, OFFSETS_ID, *[1] * 50)
        self.failure: RetriableError | None = None

    async def create(self) -> None:
        self.created += 1
        if self.failure is not None:
            raise self.failure
        if self.becomes is not None:
            self.desk.image = image_of(self.becomes)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


@pytest.fixture
def offsets_topic(desk: Desk) -> FakeOffsetsTopic:
    return FakeOffsetsTopic(desk)


@pytest.fixture
def handler(desk: Desk, offsets_topic: FakeOffsetsTopic) -> FindCoordinatorHandler:
    return FindCoordinatorHandler(
        images=desk.images, offsets_topic=offsets_topic, clock=ManualClock()
    )


@pytest.mark.parametrize("version", range(4))
async def test_one_group_is_found(
    desk: Desk, handler: FindCoordinatorHandler, version: int
) -> None:
    response = await desk.ask(handler, version, FindCoordinatorRequest(key="group"))
    assert response.error_code == ErrorCode.NONE
    assert (response.node_id, response.host, response.port) == (1, "broker-1", 9092)


@pytest.mark.parametrize("version", range(4, 7))
async def test_many_groups_are_found(
    desk: Desk, handler: FindCoordinatorHandler, version: int
) -> None:
    request = FindCoordinatorRequest(key_type=KeyType.GROUP, coordinator_keys=["x", "y"])
    response = await desk.ask(handler, version, request)
    assert [each.key for each in response.coordinators] == ["x", "y"]
    assert {each.error_code for each in response.coordinators} == {ErrorCode.NONE}
    assert {(each.node_id, each.host, each.port) for each in response.coordinators} == {
        (1, "broker-1", 9092)
    }


async def test_the_answer_fits_the_listener_of_the_question(
    desk: Desk, handler: FindCoordinatorHandler
) -> None:
    request = FindCoordinatorRequest(key="group")
    response = await desk.ask(handler, 3, request, listener="INSIDE")
    assert (response.host, response.port) == ("inside-1", 19092)
    response = await desk.ask(handler, 3, request, listener="UNKNOWN")
    assert response.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE


async def test_the_offsets_topic_is_created_for_the_first_group(
    desk: Desk, handler: FindCoordinatorHandler, offsets_topic: FakeOffsetsTopic
) -> None:
    for _ in range(3):
        response = await desk.ask(handler, 3, FindCoordinatorRequest(key="group"))
        assert response.error_code == ErrorCode.NONE
    assert offsets_topic.created == 1


async def test_a_topic_that_is_still_being_created_makes_the_client_ask_again(
    desk: Desk, handler: FindCoordinatorHandler, offsets_topic: FakeOffsetsTopic
) -> None:
    offsets_topic.becomes = None
    response = await desk.ask(handler, 3, FindCoordinatorRequest(key="group"))
    assert response.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert (response.node_id, response.host, response.port) == (-1, "", -1)
    offsets_topic.failure = RetriableError("too few brokers")
    response = await desk.ask(handler, 3, FindCoordinatorRequest(key="group"))
    assert response.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert "too few brokers" in response.error_message


@pytest.mark.parametrize("leader", [None, 2])
async def test_a_partition_without_a_living_leader_makes_the_client_ask_again(
    desk: Desk, handler: FindCoordinatorHandler, leader: int | None
) -> None:
    leaders: list[int | None] = [1] * 50
    leaders[group_partition("group", 50)] = leader
    desk.image = image_of(topic(OFFSETS_TOPIC, OFFSETS_ID, *leaders))
    response = await desk.ask(
        handler, 6, FindCoordinatorRequest(coordinator_keys=["group", "another"])
    )
    codes = [each.error_code for each in response.coordinators]
    assert codes == [ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NONE]


@pytest.mark.parametrize("version", [1, 6])
async def test_transactions_are_refused_with_a_code_after_which_no_client_asks_again(
    desk: Desk, handler: FindCoordinatorHandler, version: int
) -> None:
    request = FindCoordinatorRequest(
        key="tx" if version < 4 else "",
        key_type=KeyType.TRANSACTION,
        coordinator_keys=["tx"] if version >= 4 else [],
    )
    with capture_logs() as logs:
        for _ in range(3):
            response = await desk.ask(handler, version, request)
    answer = response if version < 4 else response.coordinators[0]
    assert answer.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert answer.error_message == "Transactions are not offered by this cluster yet."
    (line,) = logs
    assert (line["event"], line["transactional_id"]) == ("transaction_refused", "tx")


@pytest.mark.parametrize("key_type", [KeyType.SHARE, 3, -1])
async def test_other_coordinators_do_not_exist(
    desk: Desk, handler: FindCoordinatorHandler, key_type: int
) -> None:
    request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=["x:y:0"])
    response = await desk.ask(handler, 6, request)
    assert response.coordinators[0].error_code == ErrorCode.INVALID_REQUEST


async def test_a_group_id_that_could_not_be_stored_is_refused(
    desk: Desk, handler: FindCoordinatorHandler
) -> None:
    request = FindCoordinatorRequest(coordinator_keys=["g" * 9_000])
    response = await desk.ask(handler, 6, request)
    assert response.coordinators[0].error_code == ErrorCode.INVALID_GROUP_ID
