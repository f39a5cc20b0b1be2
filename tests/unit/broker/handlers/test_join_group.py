from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.broker.handlers.join_group import JoinGroupHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from tests.unit.groups.desk import Desk, open_desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


def _request(**changes: Any) -> JoinGroupRequest:
    values: dict[str, Any] = {
        "group_id": "group",
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 60_000,
        "protocol_type": "consumer",
        "protocols": [JoinGroupRequestProtocol(name="range", metadata=b"meta")],
    }
    return JoinGroupRequest(**(values | changes))


async def _join(desk: Desk, version: int = 9, **changes: Any) -> JoinGroupResponse:
    handler = JoinGroupHandler(coordinator=desk.hall.coordinator)
    response = await desk.ask(handler, version, _request(**changes))
    assert isinstance(response, JoinGroupResponse)
    return response


@pytest.mark.parametrize("version", range(4))
async def test_an_old_client_joins_with_one_request(desk: Desk, version: int) -> None:
    response = await _join(desk, version)
    assert response.error_code == ErrorCode.NONE
    assert (response.generation_id, response.protocol_name) == (1, "range")
    assert response.leader == response.member_id
    assert response.member_id.startswith("client-")
    (member,) = response.members
    assert (member.member_id, bytes(member.metadata)) == (response.member_id, b"meta")


@pytest.mark.rule("KIP-394")
@pytest.mark.parametrize("version", range(4, 10))
async def test_a_newer_client_joins_with_two(desk: Desk, version: int) -> None:
    first = await _join(desk, version)
    assert first.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert first.generation_id == -1
    second = await _join(desk, version, member_id=first.member_id)
    assert second.error_code == ErrorCode.NONE
    assert second.member_id == first.member_id
    assert second.protocol_type == ("consumer" if version >= 7 else None)
    assert not second.skip_assignment


@pytest.mark.parametrize("version", range(5, 10))
async def test_a_static_member_is_named_after_its_instance(desk: Desk, version: int) -> None:
    response = await _join(desk, version, group_instance_id="instance")
    assert response.member_id.startswith("instance-")
    assert response.members[0].group_instance_id == "instance"


async def test_version_0_has_the_session_timeout_for_rebalances(desk: Desk) -> None:
    await _join(desk, 0)
    group = next(iter(desk.hall.coordinator._shards)).groups["group"].group
    assert [member.rebalance_timeout_ms for member in group.members] == [10_000]


@pytest.mark.parametrize("timeout_ms", [-1, 0])
async def test_a_rebalance_timeout_that_is_none_is_not_taken_literally(
    desk: Desk, timeout_ms: int
) -> None:
    await _join(desk, 3, rebalance_timeout_ms=timeout_ms)
    group = next(iter(desk.hall.coordinator._shards)).groups["group"].group
    assert [member.rebalance_timeout_ms for member in group.members] == [10_000]


@pytest.mark.rule("REL-52")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group_id": ""}, ErrorCode.INVALID_GROUP_ID),
        ({"session_timeout_ms": 0}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"session_timeout_ms": 86_400_000}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"protocols": []}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": ""}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"member_id": "who"}, ErrorCode.UNKNOWN_MEMBER_ID),
        (
            {"protocols": [JoinGroupRequestProtocol(name="x", metadata=bytes(10_000_000))]},
            ErrorCode.INVALID_REQUEST,
        ),
    ],
)
@pytest.mark.parametrize("version", [0, 6, 9])
async def test_what_is_wrong_with_a_request_is_said(
    desk: Desk, version: int, changes: dict[str, Any], code: ErrorCode
) -> None:
    response = await _join(desk, version, **changes)
    assert response.error_code == code
    assert response.member_id == changes.get("member_id", "")


async def test_a_broker_that_does_not_coordinate_says_so(desk: Desk) -> None:
    desk.hall.log.terms.clear()
    assert (await _join(desk)).error_code == ErrorCode.NOT_COORDINATOR


async def test_metadata_outlives_the_request(desk: Desk) -> None:
    joined = await _join(desk, 3)
    group = next(iter(desk.hall.coordinator._shards)).groups["group"].group
    member = group.members.get(joined.member_id)
    assert member is not None
    assert type(member.protocols[0].metadata) is bytes
