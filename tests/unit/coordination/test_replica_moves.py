"""The states that a reassignment goes through: nobody leads who lacks what is committed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.coordination.elections import ElectionRules, Electorate
from service.coordination.replica_moves import (
    begun,
    cancelled,
    completed,
    decide_all,
    may_complete,
)
from service.coordination.topic_errors import InvalidReplicaAssignmentError
from service.model.cluster import PartitionState
from tests.unit.coordination.test_elections import STATE, live, nodes

RULES = ElectionRules(isr_min=2)
ALL = Electorate(live=live(b0=10, b1=3, b2=4, b3=5, b4=6, b5=7))


def begin(
    state: PartitionState, *target: int, electorate: Electorate = ALL
) -> PartitionState | None:
    return begun(state, nodes(*target), electorate, RULES, controller_epoch=2)


def moving(*target: int, isr: tuple[int, ...] | None = None) -> PartitionState:
    """Return the state in the middle of a move to a target."""
    state = begin(STATE, *target)
    assert state is not None
    return state if isr is None else replace(state, isr=nodes(*isr))


def test_the_new_replicas_are_added_in_front_of_those_that_go() -> None:
    state = moving(3, 1, 4)
    assert state.replicas == nodes(3, 1, 4, 0, 2)
    assert (state.adding, state.removing) == (nodes(3, 4), nodes(0, 2))
    assert (state.target, state.original) == (nodes(3, 1, 4), nodes(1, 0, 2))
    assert (state.leader, state.leader_epoch) == (STATE.leader, STATE.leader_epoch)
    assert {*state.isr} == {*STATE.isr}, "nobody is in sync by being wanted"
    assert state.version == STATE.version + 1


def test_what_is_wanted_already_changes_nothing() -> None:
    assert begin(STATE, 0, 1, 2) is None
    assert begin(moving(3, 1, 4), 3, 1, 4) is None


def test_another_order_or_fewer_replicas_need_no_copy() -> None:
    turned = begin(STATE, 2, 0, 1)
    assert turned is not None
    assert (turned.replicas, turned.is_moving, turned.leader) == (nodes(2, 0, 1), False, 0)
    fewer = begin(STATE, 2)
    assert fewer is not None
    assert (fewer.replicas, fewer.isr, fewer.leader) == (nodes(2), nodes(2), 2)
    assert fewer.leader_epoch == STATE.leader_epoch + 1


def test_another_target_drops_what_the_first_one_added() -> None:
    first = moving(3, 4, 5, isr=(0, 1, 2, 3))
    second = begin(first, 0, 1, 5)
    assert second is not None
    assert second.replicas == nodes(0, 1, 5, 2)
    assert (second.adding, second.removing) == (nodes(5), nodes(2))
    assert second.isr == nodes(0, 1, 2), "3 is in sync, and no replica any more"


def test_it_is_complete_when_all_that_stay_are_in_sync() -> None:
    for isr in ((0, 1, 2), (0, 1, 2, 3), (3, 4, 0)):
        assert not may_complete(moving(3, 4, 5, isr=isr), ALL)
    ready = moving(3, 4, 5, isr=(3, 4, 5, 0))
    assert may_complete(ready, ALL)
    done = completed(ready, ALL, RULES, controller_epoch=2)
    assert (done.replicas, done.isr, done.is_moving) == (nodes(3, 4, 5), nodes(3, 4, 5), False)
    assert (done.leader, done.leader_broker_epoch) == (3, 5)
    assert done.leader_epoch == ready.leader_epoch + 1, "the leader was to go"
    assert done.version == ready.version + 1


def test_a_leader_that_stays_goes_on_in_its_term() -> None:
    done = completed(moving(3, 0, isr=(0, 1, 2, 3)), ALL, RULES, controller_epoch=2)
    assert (done.leader, done.leader_epoch) == (0, STATE.leader_epoch)
    assert done.isr == nodes(3, 0)


def test_it_waits_for_a_leader_that_lives_and_is_not_about_to_stop() -> None:
    ready = moving(3, isr=(0, 3))
    draining = Electorate(live=live(b0=10), draining=live(b3=5))
    assert not may_complete(ready, draining)
    assert not may_complete(ready, Electorate(live=live(b0=10)))
    assert not may_complete(ready, Electorate(live=live(b3=5))), "an election comes first"
    after = decide_all(ready, Electorate(live=live(b3=5)), RULES, controller_epoch=2)
    assert after is not None
    assert (after.leader, after.is_moving) == (3, True)
    last = decide_all(after, Electorate(live=live(b3=5)), RULES, controller_epoch=2)
    assert last is not None
    assert (last.replicas, last.isr, last.leader) == (nodes(3), nodes(3), 3)


def test_cancelling_brings_back_the_replicas_from_before() -> None:
    back = cancelled(moving(3, 1, 4, isr=(3, 1, 0)), ALL, RULES, controller_epoch=2)
    assert ({*back.replicas}, back.is_moving) == ({0, 1, 2}, False)
    assert ({*back.isr}, back.leader, back.leader_epoch) == ({0, 1}, 0, STATE.leader_epoch)


def test_cancelling_takes_the_lead_from_one_that_was_added() -> None:
    led = replace(moving(3, 1, 4, isr=(3, 1)), leader=nodes(3)[0], leader_broker_epoch=5)
    back = cancelled(led, ALL, RULES, controller_epoch=2)
    assert (back.leader, back.leader_epoch) == (1, led.leader_epoch + 1)


@pytest.mark.parametrize("isr", [(3,), (3, 4)])
def test_the_last_one_that_has_all_records_is_never_dropped(isr: tuple[int, ...]) -> None:
    alone = replace(moving(3, 4, isr=isr), leader=nodes(3)[0], leader_broker_epoch=5)
    with pytest.raises(InvalidReplicaAssignmentError, match="none is in sync"):
        cancelled(alone, ALL, RULES, controller_epoch=2)
    with pytest.raises(InvalidReplicaAssignmentError, match="none is in sync"):
        begin(alone, 0, 1)


def test_who_stays_in_sync_and_is_down_cannot_take_over() -> None:
    led = replace(moving(3, isr=(3, 1)), leader=nodes(3)[0], leader_broker_epoch=5)
    with pytest.raises(InvalidReplicaAssignmentError, match="start one of"):
        cancelled(led, Electorate(live=live(b3=5)), RULES, controller_epoch=2)


@given(
    target=st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True),
    isr=st.sets(st.integers(0, 5), min_size=1),
    again=st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True),
)
def test_whatever_is_asked_for_the_isr_keeps_a_member_it_had(
    target: list[int], isr: set[int], again: list[int]
) -> None:
    state = begin(STATE, *target) or STATE
    members = tuple(each for each in state.replicas if each in isr) or state.isr
    state = replace(state, isr=members, leader=members[0], leader_broker_epoch=ALL.live[members[0]])
    try:
        after = begin(state, *again)
    except InvalidReplicaAssignmentError:
        assert not {*again, *state.original} & {*state.isr}
        return
    if after is not None:
        assert after.isr
        assert {*after.isr} <= {*state.isr}
        assert after.leader in after.isr
        assert {*after.adding} <= {*after.target}
        assert not {*after.removing} & {*after.target}
        assert after.target == nodes(*again)
