from collections.abc import AsyncIterator

import pytest

from service.broker.handlers.list_groups import ListGroupsHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.list_groups import ListGroupsRequest
from tests.unit.groups.desk import Desk, open_desk
from tests.unit.groups.fakes import FakeOffsetsLog


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        await desk.hall.stable(1)
        await desk.hall.commit(("a", 0, 1), group="simple")
        yield desk


async def _list(desk: Desk, version: int, states: list[str], types: list[str]) -> list[str]:
    handler = ListGroupsHandler(coordinator=desk.hall.coordinator)
    request = ListGroupsRequest(states_filter=states, types_filter=types)
    response = await desk.ask(handler, version, request)
    assert response.error_code == ErrorCode.NONE
    return sorted(group.group_id for group in response.groups)


@pytest.mark.parametrize("version", range(6))
async def test_all_groups_are_listed(desk: Desk, version: int) -> None:
    handler = ListGroupsHandler(coordinator=desk.hall.coordinator)
    response = await desk.ask(handler, version, ListGroupsRequest())
    lines = {group.group_id: group for group in response.groups}
    assert set(lines) == {"group", "simple"}
    assert (lines["group"].protocol_type, lines["simple"].protocol_type) == ("consumer", "")
    assert lines["group"].group_state == ("Stable" if version >= 4 else "")
    assert lines["group"].group_type == ("classic" if version >= 5 else "")


@pytest.mark.rule("KIP-518")
async def test_groups_are_listed_by_state(desk: Desk) -> None:
    assert await _list(desk, 4, ["Stable"], []) == ["group"]
    assert await _list(desk, 4, ["empty", "Dead"], []) == ["simple"]


async def test_groups_are_listed_by_type(desk: Desk) -> None:
    assert await _list(desk, 5, [], ["Classic"]) == ["group", "simple"]
    assert await _list(desk, 5, [], ["consumer"]) == []
    assert await _list(desk, 5, ["stable"], ["classic", "consumer"]) == ["group"]


async def test_a_list_that_would_not_be_whole_is_an_error() -> None:
    log = FakeOffsetsLog()
    log.reading.clear()
    async with open_desk(log) as desk:
        handler = ListGroupsHandler(coordinator=desk.hall.coordinator)
        response = await desk.ask(handler, 5, ListGroupsRequest())
        assert response.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        log.reading.set()
