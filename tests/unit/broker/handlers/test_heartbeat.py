from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.broker.handlers.heartbeat import HeartbeatHandler
from service.groups.effects import JoinResult
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.heartbeat import HeartbeatRequest
from tests.unit.groups.desk import Desk, open_desk
from tests.unit.groups.fakes import FakeOffsetsLog

SOMEBODY = JoinResult(member_id="m", generation=1, protocol_type=None, protocol=None, leader="m")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


async def _beat(desk: Desk, joined: JoinResult, version: int = 4, **changes: Any) -> int:
    values: dict[str, Any] = {
        "group_id": "group",
        "generation_id": joined.generation,
        "member_id": joined.member_id,
    }
    handler = HeartbeatHandler(coordinator=desk.hall.coordinator)
    response = await desk.ask(handler, version, HeartbeatRequest(**(values | changes)))
    return int(response.error_code)


@pytest.mark.parametrize("version", range(5))
async def test_a_member_is_alive(desk: Desk, version: int) -> None:
    (joined,) = await desk.hall.stable(1)
    assert await _beat(desk, joined, version) == ErrorCode.NONE


@pytest.mark.rule("REL-53")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group_id": ""}, ErrorCode.INVALID_GROUP_ID),
        ({"group_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"member_id": "who"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"generation_id": 0}, ErrorCode.ILLEGAL_GENERATION),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(
    desk: Desk, changes: dict[str, Any], code: ErrorCode
) -> None:
    (joined,) = await desk.hall.stable(1)
    assert await _beat(desk, joined, **changes) == code


@pytest.mark.rule("REL-53")
async def test_a_fenced_static_member_is_told(desk: Desk) -> None:
    joined = await desk.hall.joining(instance_id="i")
    code = await _beat(desk, joined, member_id="other", group_instance_id="i")
    assert code == ErrorCode.FENCED_INSTANCE_ID


async def test_a_rebalance_is_told(desk: Desk) -> None:
    (joined,) = await desk.hall.stable(1)
    _newcomer = desk.hall.joining()
    await desk.hall.settle()
    assert await _beat(desk, joined) == ErrorCode.REBALANCE_IN_PROGRESS


async def test_a_group_that_is_being_deleted_is_not_available(desk: Desk) -> None:
    await desk.hall.commit(("a", 0, 1))
    desk.hall.log.hold = True
    _deletion = desk.hall.start(desk.hall.coordinator.delete_groups(["group"]))
    await desk.hall.settle()
    assert await _beat(desk, SOMEBODY) == ErrorCode.COORDINATOR_NOT_AVAILABLE
    desk.hall.log.release()


async def test_a_broker_that_does_not_coordinate_says_so(desk: Desk) -> None:
    desk.hall.log.terms.clear()
    assert await _beat(desk, SOMEBODY) == ErrorCode.NOT_COORDINATOR


async def test_a_heartbeat_while_the_group_is_loaded_alarms_nobody() -> None:
    log = FakeOffsetsLog()
    log.reading.clear()
    async with open_desk(log) as desk:
        assert await _beat(desk, SOMEBODY) == ErrorCode.NONE
        log.reading.set()
