from typing import Any

import pytest

from service.groups.calls import Claim
from service.groups.errors import (
    CoordinatorUnavailableError,
    GroupFullError,
    InconsistentProtocolError,
    InvalidMemberError,
    InvalidSessionTimeoutError,
    MemberIdRequiredError,
    RebalanceInProgressError,
    UnknownMemberError,
)
from service.groups.joining import admit_join
from service.groups.limits import GroupLimits
from service.groups.state import GroupState
from tests.unit.groups.stage import DELAY_MS, REBALANCE_MS, SESSION_MS, Stage, join_call, protocols


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_first_member_of_a_group_leads_its_first_generation(stage: Stage) -> None:
    ticket = stage.join()
    assert stage.waits(ticket)
    stage.pass_ms(DELAY_MS)
    result = stage.joined(ticket)
    assert (result.generation, result.leader, result.member_id) == (1, "m1", "m1")
    assert (result.protocol_type, result.protocol) == ("consumer", "range")
    assert stage.state is GroupState.COMPLETING_REBALANCE


def test_only_the_leader_is_told_who_the_members_are(stage: Stage) -> None:
    first, second = stage.join(), stage.join(protocols=protocols("range", metadata=b"other"))
    stage.pass_ms(2 * DELAY_MS)
    told = {member.member_id: member.metadata for member in stage.joined(first).members}
    assert told == {"m1": b"meta", "m2": b"other"}
    assert stage.joined(second).members == ()
    assert stage.joined(second).leader == "m1"


@pytest.mark.rule("KIP-394")
def test_a_new_dynamic_member_has_to_come_back_with_the_id_that_it_is_given(stage: Stage) -> None:
    ticket = stage.join(member_id_required=True)
    error = stage.answers[ticket]
    assert isinstance(error, MemberIdRequiredError)
    assert error.member_id == "m1"
    assert stage.state is GroupState.EMPTY
    again = stage.join("m1")
    stage.pass_ms(DELAY_MS)
    assert stage.joined(again).member_id == "m1"


def test_a_static_member_needs_no_second_request(stage: Stage) -> None:
    ticket = stage.join(instance_id="a", member_id_required=True)
    stage.pass_ms(DELAY_MS)
    assert stage.joined(ticket).member_id == "m1"


def test_an_id_that_was_given_out_is_good_for_one_session(stage: Stage) -> None:
    stage.join(member_id_required=True)
    stage.pass_ms(SESSION_MS)
    late = stage.join("m1")
    assert isinstance(stage.answers[late], UnknownMemberError)
    assert stage.group.is_blank


def test_each_id_that_was_given_out_expires_in_its_own_time(stage: Stage) -> None:
    stage.join(member_id_required=True)
    stage.join(member_id_required=True, session_timeout_ms=SESSION_MS * 2)
    stage.pass_ms(SESSION_MS)
    assert set(stage.group.members.pending) == {"m2"}
    stage.pass_ms(SESSION_MS)
    assert stage.group.is_blank


def test_an_id_that_was_given_out_cannot_be_used_by_a_static_member(stage: Stage) -> None:
    stage.join(member_id_required=True)
    assert isinstance(stage.answers[stage.join("m1", instance_id="a")], UnknownMemberError)


def test_a_rebalance_waits_for_an_id_that_was_given_out_until_it_expires(stage: Stage) -> None:
    first, second = stage.stable()
    stage.join(member_id_required=True, session_timeout_ms=7_000)
    tickets = [stage.join(first), stage.join(second)]
    assert all(map(stage.waits, tickets))
    stage.pass_ms(7_000)
    assert [stage.joined(ticket).generation for ticket in tickets] == [2, 2]


def test_an_unknown_member_id_is_refused(stage: Stage) -> None:
    assert isinstance(stage.answers[stage.join("who")], UnknownMemberError)
    stage.stable()
    assert isinstance(stage.answers[stage.join("who")], UnknownMemberError)


@pytest.mark.rule("REL-52")
@pytest.mark.parametrize(
    "changes",
    [
        {"protocol_type": ""},
        {"protocols": ()},
    ],
)
def test_an_empty_group_wants_a_protocol(stage: Stage, changes: dict[str, Any]) -> None:
    assert isinstance(stage.answers[stage.join(**changes)], InconsistentProtocolError)


@pytest.mark.rule("REL-52")
@pytest.mark.parametrize(
    "changes",
    [
        {"protocol_type": "connect"},
        {"protocols": protocols("sticky")},
    ],
)
def test_a_member_that_shares_no_protocol_is_refused(stage: Stage, changes: dict[str, Any]) -> None:
    stage.stable()
    assert isinstance(stage.answers[stage.join(**changes)], InconsistentProtocolError)
    assert stage.state is GroupState.STABLE


def test_the_protocol_is_the_one_that_most_members_like_best(stage: Stage) -> None:
    tickets = [
        stage.join(protocols=protocols("a", "b", "c")),
        stage.join(protocols=protocols("c", "b")),
        stage.join(protocols=protocols("d", "c", "b")),
        stage.join(protocols=protocols("b", "c")),
        stage.join(protocols=protocols("c", "b")),
    ]
    stage.pass_ms(6 * DELAY_MS)
    assert {stage.joined(ticket).protocol for ticket in tickets} == {"c"}


def test_of_equally_liked_protocols_the_oldest_member_decides(stage: Stage) -> None:
    tickets = [
        stage.join(protocols=protocols("b", "a")),
        stage.join(protocols=protocols("a", "b")),
    ]
    stage.pass_ms(2 * DELAY_MS)
    assert {stage.joined(ticket).protocol for ticket in tickets} == {"b"}


def test_the_type_of_a_group_is_free_again_once_it_is_empty(stage: Stage) -> None:
    (member,) = stage.stable(1)
    stage.leave(member)
    ticket = stage.join(protocol_type="connect", protocols=protocols("sessioned"))
    stage.pass_ms(DELAY_MS)
    assert stage.joined(ticket).protocol_type == "connect"


def test_a_new_member_makes_a_stable_group_rebalance(stage: Stage) -> None:
    first, second = stage.stable()
    ticket = stage.join()
    assert stage.state is GroupState.PREPARING_REBALANCE
    others = [stage.join(first), stage.join(second)]
    assert {stage.joined(each).generation for each in [ticket, *others]} == {2}


def test_a_follower_with_nothing_new_gets_the_current_generation(stage: Stage) -> None:
    _, follower = stage.stable()
    ticket = stage.join(follower)
    assert stage.joined(ticket).generation == 1
    assert stage.state is GroupState.STABLE


def test_a_follower_with_other_metadata_makes_the_group_rebalance(stage: Stage) -> None:
    _, follower = stage.stable()
    assert stage.waits(stage.join(follower, protocols=protocols("range", metadata=b"more")))
    assert stage.state is GroupState.PREPARING_REBALANCE


def test_the_leader_always_makes_a_stable_group_rebalance(stage: Stage) -> None:
    leader, _ = stage.stable()
    assert stage.waits(stage.join(leader))
    assert stage.state is GroupState.PREPARING_REBALANCE


def test_a_member_that_missed_its_answer_gets_it_again(stage: Stage) -> None:
    tickets = [stage.join(), stage.join()]
    stage.pass_ms(2 * DELAY_MS)
    leader, follower = (stage.joined(ticket).member_id for ticket in tickets)
    assert len(stage.joined(stage.join(leader)).members) == 2
    assert stage.joined(stage.join(follower)).members == ()
    assert stage.state is GroupState.COMPLETING_REBALANCE


def test_other_metadata_while_the_leader_assigns_make_the_group_rebalance(stage: Stage) -> None:
    tickets = [stage.join(), stage.join()]
    stage.pass_ms(2 * DELAY_MS)
    follower = stage.joined(tickets[1]).member_id
    waiting_sync = stage.sync(stage.joined(tickets[0]).member_id)
    stage.join(follower, protocols=protocols("range", metadata=b"more"))
    assert stage.state is GroupState.PREPARING_REBALANCE
    assert isinstance(stage.answers[waiting_sync], RebalanceInProgressError)


def test_a_member_that_joins_twice_is_answered_twice(stage: Stage) -> None:
    first, _ = stage.stable()
    abandoned = stage.join(first)
    current = stage.join(first)
    assert isinstance(stage.answers[abandoned], RebalanceInProgressError)
    assert stage.waits(current)


def test_a_member_that_joins_again_may_change_its_timeouts_and_its_address(stage: Stage) -> None:
    _, follower = stage.stable()
    stage.join(
        follower,
        client_host="/10.0.0.1",
        session_timeout_ms=20_000,
        rebalance_timeout_ms=None,
        protocols=protocols("range", "sticky"),
    )
    member = stage.group.members.get(follower)
    assert member is not None
    assert (member.client_host, member.session_timeout_ms) == ("/10.0.0.1", 20_000)
    assert member.rebalance_timeout_ms == 20_000, "version 0 has the session timeout only"


@pytest.mark.rule("REL-52")
def test_a_full_group_takes_no_new_member_but_its_own(stage: Stage) -> None:
    stage.limits = GroupLimits(initial_rebalance_delay_ms=DELAY_MS, group_size_max=2)
    first, second = stage.stable()
    assert isinstance(stage.answers[stage.join()], GroupFullError)
    tickets = [stage.join(first), stage.join(second)]
    assert [stage.joined(ticket).generation for ticket in tickets] == [2, 2]


@pytest.mark.rule("KIP-345")
def test_a_static_member_that_restarts_needs_no_room_in_a_full_group(stage: Stage) -> None:
    stage.limits = GroupLimits(initial_rebalance_delay_ms=DELAY_MS, group_size_max=1)
    stage.join(instance_id="a")
    stage.pass_ms(DELAY_MS)
    stage.settle()
    ticket = stage.join(instance_id="a")
    stage.store()
    assert stage.joined(ticket).generation == 1
    assert isinstance(stage.answers[stage.join(instance_id="b")], GroupFullError)


def test_a_group_above_its_limit_sheds_who_joins_last(stage: Stage) -> None:
    members = stage.stable(3)
    stage.limits = GroupLimits(initial_rebalance_delay_ms=DELAY_MS, group_size_max=2)
    tickets = [stage.join(member) for member in members]
    assert isinstance(stage.answers[tickets[2]], GroupFullError)
    assert [stage.joined(ticket).generation for ticket in tickets[:2]] == [2, 2]
    assert stage.member_ids == members[:2]


def test_a_group_that_is_being_deleted_asks_its_callers_to_come_back(stage: Stage) -> None:
    stage.group.begin_delete()
    assert isinstance(stage.answers[stage.join()], CoordinatorUnavailableError)


def test_a_new_member_that_waits_for_five_minutes_is_let_go(stage: Stage) -> None:
    stage.stable(1, session_timeout_ms=1_800_000, rebalance_timeout_ms=1_800_000)
    ticket = stage.join(session_timeout_ms=1_800_000)
    stage.pass_ms(stage.limits.new_member_join_timeout_ms)
    assert isinstance(stage.answers[ticket], UnknownMemberError)


def test_a_waiting_member_needs_no_heartbeat_once_it_has_been_in_a_generation(
    stage: Stage,
) -> None:
    first, second = stage.stable()
    ticket = stage.join(first)
    for _ in range(4):
        stage.pass_ms(SESSION_MS - 1)
        with pytest.raises(RebalanceInProgressError):
            stage.heartbeat(second)
    assert stage.waits(ticket)
    stage.pass_ms(REBALANCE_MS)
    assert stage.joined(ticket).generation == 2


@pytest.mark.rule("REL-52")
@pytest.mark.parametrize("session_timeout_ms", [0, -1, 5_999, 1_800_001, 86_400_000])
def test_a_session_is_neither_too_short_nor_too_long(session_timeout_ms: int) -> None:
    with pytest.raises(InvalidSessionTimeoutError):
        admit_join(join_call(session_timeout_ms=session_timeout_ms), GroupLimits())


@pytest.mark.parametrize("session_timeout_ms", [6_000, 1_800_000])
def test_the_bounds_of_a_session_are_allowed(session_timeout_ms: int) -> None:
    admit_join(join_call(session_timeout_ms=session_timeout_ms), GroupLimits())


@pytest.mark.rule("REL-52")
def test_ten_megabytes_of_metadata_are_too_much() -> None:
    call = join_call(protocols=protocols("range", metadata=bytes(10_000_000)))
    with pytest.raises(InvalidMemberError):
        admit_join(call, GroupLimits())


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": Claim("", "i" * 8_192)},
        {"protocol_type": "t" * 8_192},
        {"protocols": protocols("p" * 8_192)},
    ],
)
def test_a_name_that_could_not_be_stored_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidMemberError):
        admit_join(join_call(**changes), GroupLimits())
