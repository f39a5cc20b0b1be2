"""Which seats a broker keeps at its start."""

from dataclasses import replace

import pytest

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch
from service.coordination.elections import elect, needs_election
from service.coordination.seats import Remains, keeps_seat, without_seat
from service.model.cluster import PartitionState

A, B, C = NodeId(1), NodeId(2), NodeId(3)

STATE = PartitionState(
    replicas=(A, B, C),
    leader=A,
    leader_epoch=LeaderEpoch(5),
    leader_broker_epoch=10,
    isr=(A, B),
    elr=(C,),
    controller_epoch=1,
    version=7,
)

INTACT = Remains(
    same_directory=True,
    has_log=True,
    reached_mark=True,
    stopped_clean=False,
    same_boot=False,
    always_synced=False,
)


@pytest.mark.rule("BP-7")
@pytest.mark.parametrize("proof", ["stopped_clean", "same_boot", "always_synced"])
def test_each_proof_that_nothing_unsynced_was_lost_keeps_a_seat(proof: str) -> None:
    assert keeps_seat(replace(INTACT, **{proof: True}), replicas=3)


@pytest.mark.rule("BP-7")
def test_after_a_power_cut_a_seat_is_lost_with_what_was_not_synced() -> None:
    assert not keeps_seat(INTACT, replicas=3)


@pytest.mark.rule("BP-7")
def test_the_only_replica_goes_on_after_a_power_cut_with_what_there_is() -> None:
    assert keeps_seat(INTACT, replicas=1)


@pytest.mark.rule("BP-7")
@pytest.mark.parametrize("lost", ["same_directory", "has_log", "reached_mark"])
@pytest.mark.parametrize("replicas", [1, 3])
def test_no_proof_keeps_a_seat_whose_log_is_gone_or_has_lost_what_was_synced(
    lost: str, replicas: int
) -> None:
    proven = replace(INTACT, stopped_clean=True, same_boot=True, always_synced=True)
    assert not keeps_seat(replace(proven, **{lost: False}), replicas=replicas)


@pytest.mark.rule("BP-7")
def test_a_follower_that_gives_up_its_seat_leaves_the_term_to_its_leader() -> None:
    left = without_seat(STATE, B)
    assert left == replace(STATE, isr=(A,), version=8)
    assert without_seat(STATE, C) == replace(STATE, elr=(), version=8)


@pytest.mark.rule("BP-7")
def test_the_term_of_a_leader_that_gives_up_its_seat_ends_in_the_next_election() -> None:
    left = without_seat(STATE, A)
    assert left == replace(STATE, isr=(B,), version=8)
    live = {A: 11, B: 3}
    assert needs_election(left, live)
    elected = elect(left, live, controller_epoch=2)
    assert elected is not None
    assert (elected.leader, elected.leader_epoch, elected.isr) == (B, 6, (B,))


@pytest.mark.rule("BP-7")
def test_without_the_last_seat_nobody_can_be_elected() -> None:
    left = without_seat(replace(STATE, isr=(A,), elr=()), A)
    assert left is not None
    assert left.isr == ()
    offline = elect(left, {A: 11, B: 3}, controller_epoch=2)
    assert offline is not None
    assert (offline.leader, offline.isr) == (None, ())
    assert elect(offline, {A: 12, B: 3, C: 4}, controller_epoch=2) is None


def test_who_has_no_seat_has_none_to_give_up() -> None:
    assert without_seat(replace(STATE, elr=()), C) is None
