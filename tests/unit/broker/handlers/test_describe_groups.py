from collections.abc import AsyncIterator

import pytest

from service.broker.handlers.describe_groups import DescribeGroupsHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
)
from tests.unit.groups.desk import Desk, open_desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


async def _describe(desk: Desk, version: int, *groups: str) -> list[DescribedGroup]:
    handler = DescribeGroupsHandler(coordinator=desk.hall.coordinator)
    response = await desk.ask(handler, version, DescribeGroupsRequest(groups=list(groups)))
    return list(response.groups)


@pytest.mark.parametrize("version", range(7))
async def test_a_group_is_described_with_its_members(desk: Desk, version: int) -> None:
    (joined,) = await desk.hall.stable(1, instance_id="i")
    (group,) = await _describe(desk, version, "group")
    assert (group.error_code, group.group_id, group.group_state) == (0, "group", "Stable")
    assert (group.protocol_type, group.protocol_data) == ("consumer", "range")
    (member,) = group.members
    assert member.member_id == joined.member_id
    assert member.group_instance_id == ("i" if version >= 4 else None)
    assert (member.client_id, member.client_host) == ("client", "/127.0.0.1")
    assert bytes(member.member_metadata) == b"meta"
    assert bytes(member.member_assignment) == joined.member_id.encode()


@pytest.mark.parametrize("version", range(7))
async def test_a_group_that_does_not_exist_is_dead(desk: Desk, version: int) -> None:
    (group,) = await _describe(desk, version, "nobody")
    assert (group.group_id, group.group_state, group.members) == ("nobody", "Dead", [])
    expected = ErrorCode.GROUP_ID_NOT_FOUND if version >= 6 else ErrorCode.NONE
    assert group.error_code == expected
    assert group.error_message == ("Group nobody not found." if version >= 6 else None)


async def test_each_group_has_its_own_error(desk: Desk) -> None:
    await desk.hall.commit(("a", 0, 1), group="simple")
    groups = await _describe(desk, 5, "simple", "g" * 9_000)
    assert [group.error_code for group in groups] == [0, ErrorCode.INVALID_GROUP_ID]
    assert groups[0].group_state == "Empty"
    desk.hall.log.terms.clear()
    (group,) = await _describe(desk, 5, "simple")
    assert group.error_code == ErrorCode.NOT_COORDINATOR
