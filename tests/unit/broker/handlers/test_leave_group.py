from collections.abc import AsyncIterator

import pytest

from service.broker.handlers.leave_group import LeaveGroupHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
)
from tests.unit.groups.desk import Desk, open_desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


async def _leave(desk: Desk, version: int, request: LeaveGroupRequest) -> LeaveGroupResponse:
    handler = LeaveGroupHandler(coordinator=desk.hall.coordinator)
    response = await desk.ask(handler, version, request)
    assert isinstance(response, LeaveGroupResponse)
    return response


def _size(desk: Desk) -> int:
    description = desk.hall.coordinator.describe("group")
    return 0 if description is None else len(description.members)


@pytest.mark.parametrize("version", range(3))
async def test_an_old_client_names_itself(desk: Desk, version: int) -> None:
    first, _ = await desk.hall.stable()
    request = LeaveGroupRequest(group_id="group", member_id=first.member_id)
    assert (await _leave(desk, version, request)).error_code == ErrorCode.NONE
    assert _size(desk) == 1
    assert (await _leave(desk, version, request)).error_code == ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("version", range(3, 6))
async def test_a_newer_request_names_many_and_each_has_its_result(desk: Desk, version: int) -> None:
    first, _ = await desk.hall.stable()
    members = [
        MemberIdentity(member_id=first.member_id, reason="tired"),
        MemberIdentity(member_id="who"),
        MemberIdentity(member_id="", group_instance_id="i"),
    ]
    response = await _leave(desk, version, LeaveGroupRequest(group_id="group", members=members))
    assert response.error_code == ErrorCode.NONE
    results = [(m.member_id, m.group_instance_id, m.error_code) for m in response.members]
    assert results == [
        (first.member_id, None, ErrorCode.NONE),
        ("who", None, ErrorCode.UNKNOWN_MEMBER_ID),
        ("", "i", ErrorCode.UNKNOWN_MEMBER_ID),
    ]


async def test_nobody_is_in_a_group_that_does_not_exist(desk: Desk) -> None:
    request = LeaveGroupRequest(group_id="nobody", members=[MemberIdentity(member_id="m")])
    response = await _leave(desk, 5, request)
    assert response.error_code == ErrorCode.NONE
    assert [m.error_code for m in response.members] == [ErrorCode.UNKNOWN_MEMBER_ID]
    old = await _leave(desk, 0, LeaveGroupRequest(group_id="nobody", member_id="m"))
    assert old.error_code == ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("version", [0, 5])
async def test_errors_of_the_group_are_told_at_the_top(desk: Desk, version: int) -> None:
    response = await _leave(desk, version, LeaveGroupRequest(group_id=""))
    assert (response.error_code, response.members) == (ErrorCode.INVALID_GROUP_ID, [])
    desk.hall.log.terms.clear()
    response = await _leave(desk, version, LeaveGroupRequest(group_id="group"))
    assert response.error_code == ErrorCode.NOT_COORDINATOR
