import pytest

from service.groups.calls import Claim
from service.groups.effects import EmptiedStored
from service.groups.errors import RebalanceInProgressError, UnknownMemberError
from service.groups.limits import GroupLimits
from service.groups.state import GroupState
from tests.unit.groups.stage import DELAY_MS, REBALANCE_MS, SESSION_MS, Stage, protocols


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_first_rebalance_waits_for_more_members(stage: Stage) -> None:
    ticket = stage.join()
    stage.pass_ms(DELAY_MS - 1)
    assert stage.waits(ticket)
    stage.pass_ms(1)
    assert stage.joined(ticket).generation == 1


def test_each_new_member_extends_the_first_wait_by_as_much_again(stage: Stage) -> None:
    tickets = [stage.join()]
    stage.pass_ms(DELAY_MS - 1)
    tickets.append(stage.join())
    stage.pass_ms(DELAY_MS)
    assert stage.waits(tickets[0])
    stage.pass_ms(1)
    assert {stage.joined(ticket).generation for ticket in tickets} == {1}


def test_the_first_wait_is_never_longer_than_the_slowest_member_may_take(stage: Stage) -> None:
    tickets = [stage.join(rebalance_timeout_ms=7_000)]
    for _ in range(6):
        stage.pass_ms(1_000)
        tickets.append(stage.join(rebalance_timeout_ms=7_000))
    assert stage.waits(tickets[0])
    stage.pass_ms(1_000)
    assert {stage.joined(ticket).generation for ticket in tickets} == {1}


def test_without_a_delay_the_first_rebalance_is_over_at_once() -> None:
    stage = Stage(GroupLimits(initial_rebalance_delay_ms=0))
    ticket = stage.join()
    stage.pass_ms(0)
    assert stage.joined(ticket).generation == 1


def test_a_dynamic_member_that_does_not_join_again_in_time_is_left_behind(stage: Stage) -> None:
    first, second = stage.stable()
    ticket = stage.join(first)
    for _ in range(REBALANCE_MS // 5_000 - 1):
        stage.pass_ms(5_000)
        with pytest.raises(RebalanceInProgressError):
            stage.heartbeat(second)
    assert stage.waits(ticket)
    stage.pass_ms(5_000)
    assert stage.joined(ticket).generation == 2
    assert stage.member_ids == [first]


def test_the_slowest_member_sets_how_long_a_rebalance_waits(stage: Stage) -> None:
    first = stage.join(rebalance_timeout_ms=20_000, session_timeout_ms=100_000)
    second = stage.join(rebalance_timeout_ms=50_000, session_timeout_ms=100_000)
    stage.pass_ms(2 * DELAY_MS)
    stage.settle()
    ticket = stage.join(stage.joined(first).member_id, session_timeout_ms=100_000)
    stage.pass_ms(49_999)
    assert stage.waits(ticket)
    stage.pass_ms(10_001)
    assert stage.joined(ticket).generation == 2
    assert stage.joined(second).member_id not in stage.member_ids


@pytest.mark.rule("KIP-345")
def test_a_static_member_that_does_not_join_again_keeps_its_place(stage: Stage) -> None:
    first = stage.join(session_timeout_ms=100_000)
    static = stage.join(instance_id="a", session_timeout_ms=100_000)
    stage.pass_ms(2 * DELAY_MS)
    stage.settle()
    ticket = stage.join(stage.joined(first).member_id, session_timeout_ms=100_000)
    stage.pass_ms(REBALANCE_MS)
    assert stage.joined(ticket).generation == 2
    assert stage.joined(static).member_id in stage.member_ids
    assert len(stage.joined(ticket).members) == 2


def test_a_rebalance_that_nobody_joins_goes_on_until_the_static_members_expire(
    stage: Stage,
) -> None:
    tickets = [
        stage.join(instance_id="a", session_timeout_ms=200_000),
        stage.join(session_timeout_ms=200_000),
    ]
    stage.pass_ms(2 * DELAY_MS)
    stage.settle()
    stage.leave(stage.joined(tickets[1]).member_id)
    stage.pass_ms(REBALANCE_MS * 2)
    assert stage.state is GroupState.PREPARING_REBALANCE
    stage.pass_ms(200_000)
    assert stage.state is GroupState.EMPTY


def test_if_the_leader_is_late_another_member_leads(stage: Stage) -> None:
    first, second = stage.stable()
    ticket = stage.join(second, protocols=protocols("range", metadata=b"more"))
    stage.pass_ms(REBALANCE_MS)
    assert stage.joined(ticket).leader == second
    assert first not in stage.member_ids


def test_a_static_leader_that_is_late_is_no_leader_any_more(stage: Stage) -> None:
    leader = stage.join(instance_id="a", session_timeout_ms=100_000)
    other = stage.join(session_timeout_ms=100_000)
    stage.pass_ms(2 * DELAY_MS)
    stage.settle()
    other_id = stage.joined(other).member_id
    ticket = stage.join(other_id, protocols=protocols("range", metadata=b"more"))
    stage.pass_ms(REBALANCE_MS)
    assert stage.joined(ticket).leader == other_id
    assert stage.joined(leader).member_id in stage.member_ids


@pytest.mark.rule("redpanda-25270")
def test_a_group_becomes_empty_while_only_ids_that_were_given_out_remain(stage: Stage) -> None:
    (member,) = stage.stable(1)
    stage.join(member_id_required=True)
    stage.leave(member)
    stage.pass_ms(0)
    assert stage.state is GroupState.EMPTY
    pending = next(iter(stage.group.members.pending))
    ticket = stage.join(pending)
    stage.pass_ms(DELAY_MS)
    assert stage.joined(ticket).generation == 3


def test_a_group_that_has_become_empty_is_written_down(stage: Stage) -> None:
    (member,) = stage.stable(1)
    stage.leave(member)
    (persist,) = stage.persists
    assert isinstance(persist.purpose, EmptiedStored)
    assert (persist.stored.generation, persist.stored.members) == (2, ())
    assert (persist.stored.protocol_type, persist.stored.protocol) == ("consumer", None)
    assert persist.stored.leader is None
    stage.store()
    assert stage.state is GroupState.EMPTY


def test_members_that_never_ask_for_their_assignment_are_removed(stage: Stage) -> None:
    tickets = [stage.join(), stage.join(), stage.join(instance_id="a")]
    stage.pass_ms(3 * DELAY_MS)
    leader, follower, static = (stage.joined(ticket).member_id for ticket in tickets)
    sync = stage.sync(leader, {leader: b"x"})
    for _ in range(REBALANCE_MS // 5_000 - 1):
        stage.pass_ms(5_000)
        stage.heartbeat(follower)
        stage.heartbeat(static, instance_id="a")
    assert stage.waits(sync)
    stage.pass_ms(5_000)
    assert isinstance(stage.answers[sync], RebalanceInProgressError)
    assert stage.state is GroupState.PREPARING_REBALANCE
    assert stage.member_ids == [leader]


def test_a_follower_that_never_asks_is_removed_from_a_stable_group_too(stage: Stage) -> None:
    tickets = [stage.join(), stage.join()]
    stage.pass_ms(2 * DELAY_MS)
    leader, follower = (stage.joined(ticket).member_id for ticket in tickets)
    stage.sync(leader, {leader: b"x"})
    stage.store()
    assert stage.state is GroupState.STABLE
    for _ in range(REBALANCE_MS // 5_000 - 1):
        stage.pass_ms(5_000)
        stage.heartbeat(follower)
        stage.heartbeat(leader)
    stage.pass_ms(5_000)
    assert stage.member_ids == [leader]
    assert stage.group.generation == 1, "the leader has to join again first"


def test_a_stable_group_whose_members_all_asked_has_no_deadline_but_the_sessions(
    stage: Stage,
) -> None:
    members = stage.stable()
    for _ in range(2 * REBALANCE_MS // 5_000):
        stage.pass_ms(5_000)
        for member in members:
            stage.heartbeat(member)
    assert stage.state is GroupState.STABLE
    assert stage.group.generation == 1


def test_a_silent_group_ends_up_empty_with_no_deadline_left(stage: Stage) -> None:
    stage.stable(3)
    stage.pass_ms(10 * REBALANCE_MS)
    assert stage.state is GroupState.EMPTY
    assert stage.group.wake_ms is None


def test_all_members_leaving_in_a_first_rebalance_leave_an_empty_group(stage: Stage) -> None:
    tickets = [stage.join(), stage.join()]
    stage.leave("m1", Claim("m2"))
    assert all(isinstance(stage.answers[each], UnknownMemberError) for each in tickets)
    stage.pass_ms(2 * DELAY_MS)
    assert stage.state is GroupState.EMPTY


def test_a_member_that_is_let_go_in_a_rebalance_completes_it_for_the_others(stage: Stage) -> None:
    first, second, third = stage.stable(3)
    tickets = [stage.join(first), stage.join(second, protocols=protocols("range", "x"))]
    assert all(map(stage.waits, tickets))
    stage.leave(third)
    assert [stage.joined(ticket).generation for ticket in tickets] == [2, 2]


def test_a_member_that_falls_silent_in_a_rebalance_completes_it_for_the_others(
    stage: Stage,
) -> None:
    first, second, third = stage.stable(3)
    tickets = [stage.join(first), stage.join(second, protocols=protocols("range", "x"))]
    stage.pass_ms(SESSION_MS)
    assert [stage.joined(ticket).generation for ticket in tickets] == [2, 2]
    assert third not in stage.member_ids
