import pytest

from service.groups.effects import ReplacementStored
from service.groups.errors import (
    CoordinatorUnavailableError,
    FencedInstanceError,
    UnknownMemberError,
)
from service.groups.state import GroupState
from tests.unit.groups.stage import DELAY_MS, SESSION_MS, Stage, protocols

pytestmark = pytest.mark.rule("KIP-345")


@pytest.fixture
def stage() -> Stage:
    return Stage()


def _static_pair(stage: Stage) -> tuple[str, str]:
    """Bring up a stable group of two static members, ``a`` and ``b``; the first one leads."""
    tickets = [stage.join(instance_id="a"), stage.join(instance_id="b")]
    stage.pass_ms(2 * DELAY_MS)
    first, second = (stage.joined(ticket).member_id for ticket in tickets)
    stage.settle()
    return first, second


def test_a_static_member_that_restarts_gets_its_place_without_a_rebalance(stage: Stage) -> None:
    _, follower = _static_pair(stage)
    ticket = stage.join(instance_id="b")
    assert stage.waits(ticket), "its new id has to be durable first"
    (persist,) = stage.persists
    assert isinstance(persist.purpose, ReplacementStored)
    stage.store()
    result = stage.joined(ticket)
    assert (result.generation, result.skip_assignment, result.members) == (1, False, ())
    assert result.member_id != follower
    assert stage.state is GroupState.STABLE
    assert stage.synced(stage.sync(result.member_id, instance_id="b")).assignment == (
        follower.encode()
    )


@pytest.mark.rule("KIP-814")
def test_a_leader_that_restarts_is_told_to_leave_the_assignment_as_it_is(stage: Stage) -> None:
    _static_pair(stage)
    ticket = stage.join(instance_id="a")
    stage.store()
    result = stage.joined(ticket)
    assert result.skip_assignment
    assert result.leader == result.member_id
    assert {member.instance_id for member in result.members} == {"a", "b"}


def test_an_older_leader_that_restarts_is_told_of_the_leader_that_was(stage: Stage) -> None:
    leader, _ = _static_pair(stage)
    ticket = stage.join(instance_id="a", may_skip_assignment=False)
    stage.store()
    result = stage.joined(ticket)
    assert result.leader == leader != result.member_id
    assert (result.skip_assignment, result.members) == (False, ())


def test_the_old_id_of_a_static_member_is_fenced(stage: Stage) -> None:
    _, follower = _static_pair(stage)
    stage.join(instance_id="b")
    stage.store()
    with pytest.raises(FencedInstanceError):
        stage.heartbeat(follower, instance_id="b")
    assert isinstance(stage.answers[stage.join(follower, instance_id="b")], FencedInstanceError)
    assert isinstance(stage.answers[stage.sync(follower, instance_id="b")], FencedInstanceError)
    with pytest.raises(UnknownMemberError):
        stage.heartbeat(follower)


def test_a_waiting_join_of_the_old_process_is_fenced_at_once(stage: Stage) -> None:
    leader, _ = _static_pair(stage)
    waiting = stage.join(leader, instance_id="a")
    assert stage.waits(waiting)
    stage.join(instance_id="a")
    assert isinstance(stage.answers[waiting], FencedInstanceError)


def test_a_waiting_sync_of_the_old_process_is_fenced_at_once(stage: Stage) -> None:
    tickets = [stage.join(instance_id="a"), stage.join(instance_id="b")]
    stage.pass_ms(2 * DELAY_MS)
    waiting = stage.sync(stage.joined(tickets[1]).member_id, instance_id="b")
    stage.join(instance_id="b")
    assert isinstance(stage.answers[waiting], FencedInstanceError)


@pytest.mark.rule("KAFKA-9801")
def test_a_static_member_that_restarts_while_the_leader_assigns_makes_the_group_rebalance(
    stage: Stage,
) -> None:
    tickets = [stage.join(instance_id="a"), stage.join(instance_id="b")]
    stage.pass_ms(2 * DELAY_MS)
    leader = stage.joined(tickets[0]).member_id
    again = stage.join(instance_id="b")
    assert stage.state is GroupState.PREPARING_REBALANCE
    stage.join(leader, instance_id="a")
    assert stage.joined(again).generation == 2


def test_another_choice_of_protocol_makes_the_group_rebalance(stage: Stage) -> None:
    tickets = [
        stage.join(instance_id="a", protocols=protocols("x", "y")),
        stage.join(instance_id="b", protocols=protocols("x", "y")),
    ]
    stage.pass_ms(2 * DELAY_MS)
    assert stage.joined(tickets[0]).protocol == "x"
    stage.settle()
    stage.join(instance_id="b", protocols=protocols("y"))
    assert stage.state is GroupState.PREPARING_REBALANCE


@pytest.mark.rule("redpanda-23693")
def test_a_static_member_that_restarts_may_have_other_timeouts_and_another_host(
    stage: Stage,
) -> None:
    _static_pair(stage)
    stage.join(instance_id="b", session_timeout_ms=30_000, client_host="/10.0.0.9", client_id="z")
    member = stage.group.members.get_static("b")
    assert member is not None
    assert (member.session_timeout_ms, member.client_host) == (30_000, "/10.0.0.9")
    assert member.client_id == "z"
    stored = {each.instance_id: each for each in stage.persists[0].stored.members}
    assert stored["b"].client_host == "/10.0.0.9"
    assert stored["b"].assignment, "it keeps what it was given"


def test_a_rebalance_that_begins_meanwhile_takes_the_returned_member_along(stage: Stage) -> None:
    leader, _ = _static_pair(stage)
    returned = stage.join(instance_id="b")
    other = stage.join(leader, instance_id="a")
    assert stage.joined(returned).generation == stage.joined(other).generation == 2
    stage.store()
    assert stage.joined(returned).generation == 2


def test_a_session_begins_anew_when_a_return_has_become_durable(stage: Stage) -> None:
    stage.join(instance_id="a")
    stage.pass_ms(DELAY_MS)
    stage.settle()
    ticket = stage.join(instance_id="a")
    stage.pass_ms(3 * SESSION_MS)
    assert stage.waits(ticket)
    stage.store()
    stage.pass_ms(SESSION_MS - 1)
    assert stage.member_ids == [stage.joined(ticket).member_id]
    stage.pass_ms(1)
    assert stage.member_ids == []


def test_two_restarts_in_a_row_answer_the_first_one_too(stage: Stage) -> None:
    _static_pair(stage)
    first, second = stage.join(instance_id="b"), stage.join(instance_id="b")
    assert isinstance(stage.answers[first], FencedInstanceError)
    stage.store()
    assert stage.waits(second)
    stage.store()
    assert stage.joined(second).generation == 1


def test_a_return_that_cannot_be_stored_is_to_be_tried_again(stage: Stage) -> None:
    _static_pair(stage)
    ticket = stage.join(instance_id="b")
    error = CoordinatorUnavailableError()
    stage.fail_to_store(error)
    assert stage.answers[ticket] is error
    again = stage.join(instance_id="b")
    stage.store()
    assert stage.joined(again).generation == 1


def test_a_return_that_cannot_be_stored_begins_a_new_session(stage: Stage) -> None:
    stage.join(instance_id="a")
    stage.pass_ms(DELAY_MS)
    stage.settle()
    stage.join(instance_id="a")
    stage.pass_ms(3 * SESSION_MS)
    stage.fail_to_store(CoordinatorUnavailableError())
    stage.pass_ms(SESSION_MS)
    assert stage.member_ids == []


def test_a_static_member_that_does_not_come_back_is_gone_after_its_session(stage: Stage) -> None:
    first, second = _static_pair(stage)
    stage.pass_ms(SESSION_MS // 2)
    stage.heartbeat(first, instance_id="a")
    stage.pass_ms(SESSION_MS // 2)
    assert second not in stage.member_ids
    assert stage.state is GroupState.PREPARING_REBALANCE


def test_a_static_member_that_restarts_before_it_has_asked_still_has_to_ask(stage: Stage) -> None:
    tickets = [stage.join(instance_id="a"), stage.join(instance_id="b")]
    stage.pass_ms(2 * DELAY_MS)
    leader = stage.joined(tickets[0]).member_id
    stage.sync(leader, {leader: b"x"}, instance_id="a")
    stage.store()
    assert stage.state is GroupState.STABLE
    returned = stage.join(instance_id="b")
    stage.store()
    assert stage.group.unsynced == {stage.joined(returned).member_id}
