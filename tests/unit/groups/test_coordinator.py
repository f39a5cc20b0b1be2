import asyncio
from collections.abc import AsyncIterator

import pytest

from everlog.model.errors import RetriableError
from everlog.model.ids import TopicName
from service.groups.calls import Claim
from service.groups.descriptions import GroupFilter
from service.groups.errors import (
    CoordinatorUnavailableError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    RebalanceInProgressError,
    UnknownMemberError,
)
from service.groups.group_record import encode_group_key
from service.groups.limits import GroupLimits
from tests.unit.groups.fakes import FakeOffsetsLog
from tests.unit.groups.hall import GROUP, LIMITS, Hall, open_hall
from tests.unit.groups.stage import SESSION_MS, join_call

EVERYTHING = GroupFilter.of([], [])


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    async with open_hall() as hall:
        yield hall


def _state(hall: Hall, group: str = GROUP) -> str | None:
    description = hall.coordinator.describe(group)
    return None if description is None else description.state


async def test_members_join_are_assigned_and_stay(hall: Hall) -> None:
    joined = await hall.stable()
    assert [each.generation for each in joined] == [1, 1]
    assert _state(hall) == "Stable"
    for _ in range(3):
        await hall.wind(SESSION_MS - 1)
        for each in joined:
            hall.coordinator.heartbeat(GROUP, Claim(each.member_id), 1)
    await hall.wind(SESSION_MS)
    assert _state(hall) == "Empty"


async def test_a_member_id_begins_with_what_the_client_calls_itself(hall: Hall) -> None:
    ids = {hall.coordinator.new_member_id("x" * 300) for _ in range(10)}
    assert len(ids) == 10
    assert all(each.startswith("x" * 255 + "-") and len(each) == 255 + 37 for each in ids)


@pytest.mark.rule("REL-52")
async def test_a_group_has_to_have_a_name_that_can_be_stored(hall: Hall) -> None:
    for group in ("", "g" * 8_192):
        with pytest.raises(InvalidGroupIdError):
            await hall.coordinator.join(group, join_call())
        with pytest.raises(InvalidGroupIdError):
            hall.coordinator.heartbeat(group, Claim("m"), 1)
    with pytest.raises(InvalidGroupIdError):
        hall.coordinator.fetch("g" * 8_192)


async def test_offsets_can_be_kept_under_an_empty_name_as_they_always_could(hall: Hall) -> None:
    await hall.commit(("t", 0, 1), group="")
    assert hall.committed("") == {("t", 0): 1}


@pytest.mark.rule("REL-52")
async def test_a_session_out_of_bounds_is_refused(hall: Hall) -> None:
    with pytest.raises(InvalidSessionTimeoutError):
        await hall.coordinator.join(GROUP, join_call(session_timeout_ms=1))


async def test_calls_to_a_group_that_does_not_exist_leave_none_behind(hall: Hall) -> None:
    with pytest.raises(UnknownMemberError):
        await hall.coordinator.join(GROUP, join_call("m"))
    with pytest.raises(UnknownMemberError):
        hall.coordinator.heartbeat(GROUP, Claim("m"), 1)
    with pytest.raises(UnknownMemberError):
        hall.coordinator.leave(GROUP, [Claim("m")])
    assert hall.coordinator.fetch(GROUP) == {}
    assert hall.coordinator.list_groups(EVERYTHING) == []


async def test_a_group_that_only_gave_out_an_id_is_forgotten_with_it(hall: Hall) -> None:
    task = hall.joining(member_id_required=True)
    await asyncio.wait([task])
    assert task.exception() is not None
    assert len(hall.coordinator.list_groups(EVERYTHING)) == 1
    await hall.wind(SESSION_MS)
    assert hall.coordinator.list_groups(EVERYTHING) == []


async def test_deadlines_are_met_by_the_running_coordinator() -> None:
    limits = GroupLimits(initial_rebalance_delay_ms=0)
    async with open_hall(limits=limits) as hall:
        result = await hall.joining()
        assert result.generation == 1


async def test_a_client_that_goes_away_changes_nothing(hall: Hall) -> None:
    (joined,) = await hall.stable(1)
    newcomer = hall.joining()
    await hall.settle()
    newcomer.cancel()
    await hall.settle()
    again = await hall.joining(joined.member_id)
    assert (again.generation, len(again.members)) == (2, 2)
    assert hall.coordinator.waiting_calls == 0


async def test_a_commit_takes_place_though_its_client_has_gone_away(hall: Hall) -> None:
    hall.log.hold = True
    commit = hall.start(hall.commit(("t", 0, 5)))
    await hall.settle()
    commit.cancel()
    await hall.settle()
    hall.log.release()
    await hall.settle()
    assert hall.committed() == {("t", 0): 5}


async def test_a_heartbeat_that_shortens_a_deadline_is_not_overslept() -> None:
    limits = GroupLimits(initial_rebalance_delay_ms=300_000)
    async with open_hall(limits=limits) as hall:
        _waiting = hall.joining(rebalance_timeout_ms=400_000, member_id_required=False)
        await hall.settle()
        description = hall.coordinator.describe(GROUP)
        assert description is not None
        with pytest.raises(RebalanceInProgressError):
            hall.coordinator.heartbeat(GROUP, Claim(description.members[0].member_id), 0)
        await hall.wind(SESSION_MS)
        description = hall.coordinator.describe(GROUP)
        assert description is not None
        assert description.members == ()


async def test_the_heartbeats_of_a_group_do_not_fill_the_timers(hall: Hall) -> None:
    (joined,) = await hall.stable(1)
    for _ in range(1_000):
        hall.clock.now_ms += 1
        hall.coordinator.heartbeat(GROUP, Claim(joined.member_id), 1)
    assert len(hall.coordinator._timers._heap) <= 3


# ---- what cannot be written


async def test_an_assignment_that_cannot_be_written_is_an_error_and_a_rebalance(
    hall: Hall,
) -> None:
    joined = await hall.joining()
    hall.log.failure = RetriableError("no replicas")
    with pytest.raises(CoordinatorUnavailableError):
        await hall.syncing(joined, {joined.member_id: b"x"})
    assert _state(hall) == "PreparingRebalance"


# ---- administration


async def test_groups_are_listed_by_state_and_type(hall: Hall) -> None:
    await hall.stable(1)
    await hall.commit(("t", 0, 1), group="simple")

    def listed(states: list[str], types: list[str]) -> dict[str, str]:
        lines = hall.coordinator.list_groups(GroupFilter.of(states, types))
        return {line.group_id: line.state for line in lines}

    assert listed([], []) == {GROUP: "Stable", "simple": "Empty"}
    assert listed(["stable"], []) == {GROUP: "Stable"}
    assert listed([" EMPTY ", "Dead"], ["Classic"]) == {"simple": "Empty"}
    assert listed([], ["consumer"]) == {}


async def test_only_a_stable_group_shows_what_its_members_have(hall: Hall) -> None:
    (joined,) = await hall.stable(1)
    description = hall.coordinator.describe(GROUP)
    assert description is not None
    (member,) = description.members
    assert (description.protocol, member.metadata) == ("range", b"meta")
    assert member.assignment == joined.member_id.encode()
    assert (member.client_id, member.client_host) == ("client", "/127.0.0.1")
    _waiting = hall.joining()
    await hall.settle()
    description = hall.coordinator.describe(GROUP)
    assert description is not None
    assert (description.state, description.protocol) == ("PreparingRebalance", "")
    assert {(each.metadata, each.assignment) for each in description.members} == {(b"", b"")}


async def test_a_group_that_does_not_exist_is_described_as_none(hall: Hall) -> None:
    assert hall.coordinator.describe("nobody") is None


async def test_topics_that_are_deleted_take_their_offsets_along(hall: Hall) -> None:
    await hall.commit(("gone", 0, 1), ("kept", 0, 2))
    await hall.commit(("gone", 0, 1), group="other")
    hall.coordinator.topics_deleted([TopicName("gone")])
    await hall.settle()
    assert hall.committed() == {("kept", 0): 2}
    assert [line.group_id for line in hall.coordinator.list_groups(EVERYTHING)] == [GROUP]


async def test_idle_groups_are_removed_in_time_by_the_running_coordinator() -> None:
    limits = GroupLimits(
        initial_rebalance_delay_ms=0, offsets_retention_ms=0, offsets_retention_check_ms=1
    )
    log = FakeOffsetsLog()
    async with open_hall(log, limits) as hall:
        await hall.commit(("t", 0, 1))
        async with asyncio.timeout(5):
            while hall.coordinator.list_groups(EVERYTHING):
                await asyncio.sleep(0.001)
    assert log.records[0][-1][1] is None
    assert encode_group_key(GROUP) not in dict(log.records[0]), "it never had a record of its own"


async def test_limits_have_kafkas_defaults() -> None:
    limits = GroupLimits()
    assert (limits.session_timeout_ms_min, limits.session_timeout_ms_max) == (6_000, 1_800_000)
    assert (limits.initial_rebalance_delay_ms, limits.group_size_max) == (3_000, 2**31 - 1)
    assert limits.offsets_retention_ms == 7 * 24 * 60 * 60 * 1_000
    assert LIMITS.append_timeout_ms == 5_000
