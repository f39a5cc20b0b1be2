import pytest

from service.groups.calls import Claim
from service.groups.errors import (
    CoordinatorUnavailableError,
    FencedInstanceError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberError,
)
from service.groups.state import GroupState
from tests.unit.groups.stage import DELAY_MS, SESSION_MS, Stage, protocols


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_heartbeat_keeps_a_session_alive(stage: Stage) -> None:
    (member,) = stage.stable(1)
    for _ in range(5):
        stage.pass_ms(SESSION_MS - 1)
        stage.heartbeat(member)
    assert stage.state is GroupState.STABLE


def test_a_member_that_falls_silent_is_gone_after_its_session(stage: Stage) -> None:
    (member,) = stage.stable(1)
    stage.pass_ms(SESSION_MS - 1)
    assert stage.member_ids == [member]
    stage.pass_ms(1)
    assert stage.member_ids == []
    assert stage.state is GroupState.EMPTY


def test_the_others_rebalance_when_a_member_falls_silent(stage: Stage) -> None:
    first, _ = stage.stable()
    stage.pass_ms(SESSION_MS // 2)
    stage.heartbeat(first)
    stage.pass_ms(SESSION_MS // 2)
    assert stage.state is GroupState.PREPARING_REBALANCE
    with pytest.raises(RebalanceInProgressError):
        stage.heartbeat(first)


def test_a_heartbeat_in_a_rebalance_asks_to_join_again_and_still_counts(stage: Stage) -> None:
    first, second = stage.stable()
    stage.join(first)
    for _ in range(3):
        stage.pass_ms(SESSION_MS - 1)
        with pytest.raises(RebalanceInProgressError):
            stage.heartbeat(second)
    assert second in stage.member_ids


def test_a_heartbeat_while_the_leader_assigns_is_just_a_heartbeat(stage: Stage) -> None:
    ticket = stage.join()
    stage.pass_ms(DELAY_MS)
    stage.heartbeat(stage.joined(ticket).member_id)
    assert stage.state is GroupState.COMPLETING_REBALANCE


@pytest.mark.rule("REL-53")
def test_a_heartbeat_of_another_generation_is_refused(stage: Stage) -> None:
    (member,) = stage.stable(1)
    for generation in (-1, 0, 2):
        with pytest.raises(IllegalGenerationError):
            stage.heartbeat(member, generation=generation)


@pytest.mark.rule("REL-53")
def test_a_heartbeat_of_an_unknown_member_is_refused(stage: Stage) -> None:
    with pytest.raises(UnknownMemberError):
        stage.heartbeat("who")
    stage.stable(1)
    with pytest.raises(UnknownMemberError):
        stage.heartbeat("who")


@pytest.mark.rule("REL-53")
def test_a_heartbeat_with_the_wrong_instance_is_refused(stage: Stage) -> None:
    ticket = stage.join(instance_id="a")
    stage.pass_ms(DELAY_MS)
    with pytest.raises(FencedInstanceError):
        stage.heartbeat("other", instance_id="a")
    with pytest.raises(UnknownMemberError):
        stage.heartbeat(stage.joined(ticket).member_id, instance_id="b")


def test_a_group_that_is_being_deleted_asks_to_come_back(stage: Stage) -> None:
    stage.group.begin_delete()
    with pytest.raises(CoordinatorUnavailableError):
        stage.heartbeat("m1")
    with pytest.raises(CoordinatorUnavailableError):
        stage.leave("m1")


def test_a_member_that_leaves_is_gone_at_once(stage: Stage) -> None:
    first, second = stage.stable()
    (departure,) = stage.leave(second)
    assert departure.error is None
    assert stage.state is GroupState.PREPARING_REBALANCE
    assert stage.joined(stage.join(first)).generation == 2


def test_the_last_member_that_leaves_leaves_an_empty_group(stage: Stage) -> None:
    (member,) = stage.stable(1)
    stage.leave(member)
    assert (stage.state, stage.group.generation) == (GroupState.EMPTY, 2)


def test_a_leader_that_leaves_is_replaced(stage: Stage) -> None:
    first, second = stage.stable()
    stage.leave(first)
    ticket = stage.join(second)
    assert stage.joined(ticket).leader == second


def test_an_administrator_removes_static_members_by_their_instance(stage: Stage) -> None:
    tickets = [stage.join(instance_id="a"), stage.join(instance_id="b")]
    stage.pass_ms(2 * DELAY_MS)
    stage.settle()
    departures = stage.leave(Claim("", "a"), Claim("", "nobody"), Claim(""))
    kinds = [type(departure.error) for departure in departures]
    assert kinds == [type(None), UnknownMemberError, UnknownMemberError]
    assert stage.member_ids == [stage.joined(tickets[1]).member_id]


def test_each_member_of_a_list_has_its_own_result(stage: Stage) -> None:
    ticket = stage.join(instance_id="a")
    stage.pass_ms(DELAY_MS)
    stage.settle()
    departures = stage.leave(Claim("other", "a"), Claim("who"), stage.joined(ticket).member_id)
    kinds = [type(departure.error) for departure in departures]
    assert kinds == [FencedInstanceError, UnknownMemberError, type(None)]


def test_a_list_of_strangers_does_not_disturb_the_group(stage: Stage) -> None:
    stage.stable()
    stage.leave("who", Claim("", "nobody"))
    assert stage.state is GroupState.STABLE


def test_an_id_that_was_given_out_can_be_given_back(stage: Stage) -> None:
    stage.join(member_id_required=True)
    (departure,) = stage.leave("m1")
    assert departure.error is None
    assert stage.group.is_blank


def test_a_waiting_join_of_a_member_that_leaves_is_answered(stage: Stage) -> None:
    first, _ = stage.stable()
    ticket = stage.join(first)
    stage.leave(first)
    assert isinstance(stage.answers[ticket], UnknownMemberError)


def test_a_waiting_sync_of_a_member_that_leaves_is_answered(stage: Stage) -> None:
    tickets = [stage.join(), stage.join()]
    stage.pass_ms(2 * DELAY_MS)
    follower = stage.joined(tickets[1]).member_id
    ticket = stage.sync(follower)
    stage.leave(follower)
    assert isinstance(stage.answers[ticket], UnknownMemberError)


def test_sessions_that_end_together_end_in_one_rebalance(stage: Stage) -> None:
    stage.stable(4)
    stage.pass_ms(SESSION_MS)
    assert stage.state is GroupState.EMPTY
    assert stage.group.generation == 2


def test_a_member_that_is_answered_because_another_is_gone_is_not_gone_too(stage: Stage) -> None:
    _, second = stage.stable()
    ticket = stage.join(second, protocols=protocols("range", metadata=b"more"))
    stage.pass_ms(SESSION_MS)
    assert stage.joined(ticket).generation == 2
    assert stage.member_ids == [second]
    stage.heartbeat(second)


def test_looking_too_early_changes_nothing(stage: Stage) -> None:
    members = stage.stable()
    wake_ms = stage.group.wake_ms
    stage.now_ms += 1
    stage.pass_ms(0)
    assert stage.group.wake_ms == wake_ms
    assert stage.member_ids == members


def test_opaque_metadata_of_a_member_are_never_read(stage: Stage) -> None:
    stage.stable(1, protocol_type="connect", protocols=protocols("x", metadata=b"\xff\xff"))
    assert stage.group.subscribed is None
