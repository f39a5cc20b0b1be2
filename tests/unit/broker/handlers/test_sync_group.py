from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.broker.handlers.sync_group import SyncGroupHandler
from service.groups.effects import JoinResult
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from tests.unit.groups.desk import Desk, open_desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


async def _sync(
    desk: Desk, joined: JoinResult, version: int = 5, **changes: Any
) -> SyncGroupResponse:
    values: dict[str, Any] = {
        "group_id": "group",
        "generation_id": joined.generation,
        "member_id": joined.member_id,
        "protocol_type": "consumer",
        "protocol_name": "range",
        "assignments": [SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"mine")],
    }
    handler = SyncGroupHandler(coordinator=desk.hall.coordinator)
    response = await desk.ask(handler, version, SyncGroupRequest(**(values | changes)))
    assert isinstance(response, SyncGroupResponse)
    return response


@pytest.mark.parametrize("version", range(6))
async def test_a_leader_gets_what_it_has_assigned_to_itself(desk: Desk, version: int) -> None:
    joined = await desk.hall.joining()
    response = await _sync(desk, joined, version)
    assert (response.error_code, bytes(response.assignment)) == (ErrorCode.NONE, b"mine")
    named = ("consumer", "range") if version >= 5 else (None, None)
    assert (response.protocol_type, response.protocol_name) == named


@pytest.mark.rule("KIP-559")
@pytest.mark.parametrize(
    "changes",
    [
        {"protocol_type": None},
        {"protocol_name": None},
        {"protocol_type": "connect"},
        {"protocol_name": "sticky"},
    ],
)
async def test_version_5_has_to_name_the_protocol(desk: Desk, changes: dict[str, Any]) -> None:
    joined = await desk.hall.joining()
    response = await _sync(desk, joined, **changes)
    assert response.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


@pytest.mark.rule("REL-53")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group_id": ""}, ErrorCode.INVALID_GROUP_ID),
        ({"group_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"member_id": "who"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"generation_id": 7}, ErrorCode.ILLEGAL_GENERATION),
        ({"group_instance_id": "i"}, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(
    desk: Desk, changes: dict[str, Any], code: ErrorCode
) -> None:
    joined = await desk.hall.joining()
    assert (await _sync(desk, joined, **changes)).error_code == code


async def test_a_fenced_static_member_is_told(desk: Desk) -> None:
    joined = await desk.hall.joining(instance_id="i")
    response = await _sync(desk, joined, member_id="other", group_instance_id="i")
    assert response.error_code == ErrorCode.FENCED_INSTANCE_ID


async def test_a_rebalance_is_told(desk: Desk) -> None:
    (joined,) = await desk.hall.stable(1)
    _newcomer = desk.hall.joining()
    await desk.hall.settle()
    assert (await _sync(desk, joined)).error_code == ErrorCode.REBALANCE_IN_PROGRESS
