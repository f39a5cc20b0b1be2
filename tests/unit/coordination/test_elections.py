"""The controller's rule: who leads, in which term, and when there is nothing to do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch
from service.coordination.elections import (
    NO_BROKER_EPOCH,
    ElectionRules,
    Electorate,
    decide,
    elect,
    first_term,
    is_settled,
    is_unclean,
    needs_election,
)
from service.model.cluster import PartitionState


def nodes(*ids: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(number) for number in ids)


def live(**epochs: int) -> dict[NodeId, int]:
    return {NodeId(int(name[1:])): epoch for name, epoch in epochs.items()}


STATE = PartitionState(
    replicas=nodes(0, 1, 2),
    leader=NodeId(0),
    leader_epoch=LeaderEpoch(5),
    leader_broker_epoch=10,
    isr=nodes(0, 1, 2),
    controller_epoch=1,
    version=7,
)


ALLOWED = ElectionRules(unclean=True)


@pytest.mark.rule("BP-7")
def test_a_leader_that_is_back_within_its_session_gets_a_new_term() -> None:
    back = live(b0=11, b1=3, b2=4)
    assert needs_election(STATE, back)
    elected = elect(STATE, back, controller_epoch=2)
    assert elected is not None
    assert elected.leader == 0
    assert elected.leader_epoch == 6
    assert elected.leader_broker_epoch == 11
    assert elected.version == 8
    assert elected.controller_epoch == 2
    assert elected.is_led_by(NodeId(0), 11)
    assert not elected.is_led_by(NodeId(0), 10)
    assert not needs_election(elected, back)


def test_a_leader_that_is_registered_as_it_was_needs_no_election() -> None:
    assert not needs_election(STATE, live(b0=10))


def test_the_first_replica_that_is_alive_and_in_sync_is_elected() -> None:
    state = replace(STATE, isr=nodes(2, 1))
    elected = elect(state, live(b1=3, b2=4), controller_epoch=2)
    assert elected is not None
    assert (elected.leader, elected.leader_broker_epoch, elected.isr) == (1, 3, nodes(2, 1))


def test_replicas_that_are_not_alive_leave_the_isr() -> None:
    elected = elect(STATE, live(b2=4), controller_epoch=2)
    assert elected is not None
    assert (elected.leader, elected.isr) == (2, nodes(2))


def test_a_replica_out_of_sync_is_not_elected_though_it_is_alive() -> None:
    state = replace(STATE, isr=nodes(0))
    elected = elect(state, live(b1=3), controller_epoch=2)
    assert elected is not None
    assert elected.leader is None
    assert elected.isr == nodes(0), "the ISR is never emptied: only its members have all records"
    assert elected.leader_epoch == 6
    assert elected.leader_broker_epoch == NO_BROKER_EPOCH


@pytest.mark.rule("REL-I9")
def test_an_eligible_replica_is_elected_when_nobody_in_sync_is_alive() -> None:
    state = replace(STATE, isr=nodes(0), elr=nodes(2))
    elected = elect(state, live(b1=3, b2=4), controller_epoch=2)
    assert elected is not None
    assert (elected.leader, elected.isr, elected.elr) == (2, nodes(2), ())


def test_a_partition_that_stays_without_a_leader_is_left_alone() -> None:
    dead = elect(replace(STATE, isr=nodes(0)), live(b1=3), controller_epoch=2)
    assert dead is not None
    assert needs_election(dead, live(b1=3))
    assert elect(dead, live(b1=3), controller_epoch=3) is None
    revived = elect(dead, live(b0=12), controller_epoch=3)
    assert revived is not None
    assert (revived.leader, revived.leader_epoch) == (0, 7)


def test_unknown_keys_survive_an_election() -> None:
    elected = elect(replace(STATE, extra={"adding": [4]}), live(b0=11), controller_epoch=2)
    assert elected is not None
    assert elected.extra == {"adding": [4]}


def test_the_first_term_begins_with_those_who_are_alive() -> None:
    state = first_term(nodes(2, 0, 1), live(b0=3, b1=4), controller_epoch=9)
    assert (state.leader, state.isr, state.leader_broker_epoch) == (0, nodes(0, 1), 3)
    assert (state.leader_epoch, state.version, state.controller_epoch) == (0, 0, 9)
    down = first_term(nodes(2), live(b0=3), controller_epoch=9)
    assert (down.leader, down.isr) == (None, nodes(2))


_REPLICAS = st.permutations(range(4)).map(lambda ids: nodes(*ids))


@given(_REPLICAS, st.data())
def test_an_election_never_gives_the_lead_to_somebody_without_a_seat(
    replicas: tuple[NodeId, ...], data: st.DataObject
) -> None:
    isr = tuple(data.draw(st.lists(st.sampled_from(replicas), min_size=1, unique=True)))
    elr = tuple(data.draw(st.lists(st.sampled_from(replicas), unique=True)))
    leader = data.draw(st.none() | st.sampled_from(isr))
    state = replace(STATE, replicas=replicas, isr=isr, elr=elr, leader=leader)
    brokers = data.draw(st.dictionaries(st.sampled_from(replicas), st.integers(0, 20)))
    elected = elect(state, brokers, controller_epoch=2)
    if elected is None:
        assert state.leader is None
        assert not brokers.keys() & {*isr, *elr}
        return
    assert elected.leader_epoch == state.leader_epoch + 1
    assert elected.isr
    if elected.leader is None:
        assert elected.isr == isr
        assert not brokers.keys() & {*isr, *elr}
    else:
        assert elected.leader in brokers
        assert elected.leader in {*isr, *elr}
        assert elected.leader in elected.isr
        assert set(elected.isr) <= brokers.keys()
        assert elected.leader_broker_epoch == brokers[elected.leader]
        assert set(elected.isr) <= {*isr, elected.leader}


@pytest.mark.rule("REL-C9")
def test_a_leader_that_drains_is_followed_by_the_first_that_does_not() -> None:
    draining = live(b0=10, b1=3)
    assert needs_election(STATE, live(b2=4), draining)
    electorate = Electorate(live=live(b2=4), draining=draining)
    decided = decide(STATE, electorate, ElectionRules(), controller_epoch=2)
    assert decided is not None
    assert (decided.leader, decided.isr, decided.leader_epoch) == (2, nodes(2), 6)
    assert is_settled(decided, electorate)


@pytest.mark.rule("REL-C9")
def test_the_last_one_in_sync_leads_on_though_it_drains() -> None:
    state = replace(STATE, isr=nodes(0))
    electorate = Electorate(live=live(b1=3, b2=4), draining=live(b0=10))
    assert electorate.has_leader(state)
    assert is_settled(state, electorate)
    assert decide(state, electorate, ElectionRules(), controller_epoch=2) is None


def test_a_term_of_a_start_before_the_one_that_drains_has_nobody_to_act_in_it() -> None:
    state = replace(STATE, isr=nodes(0))
    electorate = Electorate(live={}, draining=live(b0=11))
    assert not electorate.has_leader(state)
    decided = decide(state, electorate, ElectionRules(), controller_epoch=2)
    assert decided is not None
    assert decided.leader is None


@pytest.mark.rule("REL-C9")
@pytest.mark.parametrize("draining", [{}, live(b2=4)], ids=["gone", "draining"])
def test_who_has_gone_or_drains_is_in_sync_with_nobody_any_more(
    draining: dict[NodeId, int],
) -> None:
    electorate = Electorate(live=live(b0=10, b1=3), draining=draining)
    assert not is_settled(STATE, electorate)
    decided = decide(STATE, electorate, ElectionRules(isr_min=2), controller_epoch=2)
    assert decided is not None
    assert (decided.leader, decided.isr, decided.elr) == (0, nodes(0, 1), ())
    assert decided.leader_epoch == STATE.leader_epoch, "the term goes on"
    assert decided.version == STATE.version + 1
    assert is_settled(decided, electorate)


@pytest.mark.rule("REL-I9")
def test_who_leaves_an_isr_that_becomes_too_small_stays_eligible() -> None:
    rules = ElectionRules(isr_min=2)
    state = replace(STATE, isr=nodes(0, 1))
    alone = decide(state, Electorate(live=live(b0=10)), rules, controller_epoch=2)
    assert alone is not None
    assert (alone.isr, alone.elr) == (nodes(0), nodes(1))
    dead = decide(state, Electorate(live=live(b1=3)), rules, controller_epoch=2)
    assert dead is not None
    assert (dead.leader, dead.isr, dead.elr) == (1, nodes(1), nodes(0))
    assert elect(dead, live(b0=12), rules, controller_epoch=2) is not None


@pytest.mark.rule("REL-I9")
def test_the_minimum_is_never_more_than_there_are_replicas() -> None:
    state = replace(STATE, replicas=nodes(0, 1), isr=nodes(0, 1))
    rules = ElectionRules(isr_min=9)
    after = decide(state, Electorate(live=live(b0=10)), rules, controller_epoch=2)
    assert after is not None
    assert after.elr == nodes(1), "two are needed, and one is left"


@given(st.data())
def test_what_is_decided_is_settled(data: st.DataObject) -> None:
    replicas = nodes(0, 1, 2)
    isr = tuple(data.draw(st.lists(st.sampled_from(replicas), min_size=1, unique=True)))
    state = replace(STATE, isr=isr, leader=data.draw(st.none() | st.sampled_from(isr)))
    phases = data.draw(st.tuples(*[st.sampled_from(("gone", "live", "again", "draining"))] * 3))
    brokers = dict(zip(replicas, phases, strict=True))
    electorate = Electorate(
        live={r: 10 if p == "live" else 11 for r, p in brokers.items() if p in {"live", "again"}},
        draining={r: 10 for r, p in brokers.items() if p == "draining"},
    )
    decided = decide(state, electorate, ElectionRules(isr_min=2), controller_epoch=2)
    after = decided or state
    assert decide(after, electorate, ElectionRules(isr_min=2), controller_epoch=2) is None
    assert set(after.isr) | set(after.elr) <= {*isr}
    if after.leader is not None:
        assert after.leader in after.isr
        assert electorate.has_leader(after)


def test_a_replica_that_is_not_in_sync_leads_only_where_the_topic_allows_it() -> None:
    state = replace(STATE, isr=nodes(0), elr=nodes(2))
    brokers = Electorate(live=live(b1=3))
    offline = decide(state, brokers, ElectionRules(), controller_epoch=2)
    assert offline is not None
    assert offline.leader is None
    for before in (state, offline):
        after = decide(before, brokers, ElectionRules(isr_min=2, unclean=True), controller_epoch=2)
        assert after is not None
        assert (after.leader, after.isr, after.elr) == (1, nodes(1), ())
        assert after.unclean_epoch == after.leader_epoch == before.leader_epoch + 1
        assert is_unclean(before, after)
    in_sync = decide(state, Electorate(live=live(b0=12, b1=3)), ALLOWED, controller_epoch=2)
    assert in_sync is not None
    assert (in_sync.leader, in_sync.unclean_epoch) == (0, None), "nobody else is needed"


def test_that_a_leader_was_unclean_once_stays_known() -> None:
    before = replace(STATE, isr=nodes(1), unclean_epoch=LeaderEpoch(5))
    after = decide(before, Electorate(live=live(b1=3)), ALLOWED, controller_epoch=2)
    assert after is not None
    assert (after.leader_epoch, after.unclean_epoch) == (6, 5)
    assert not is_unclean(before, after)
