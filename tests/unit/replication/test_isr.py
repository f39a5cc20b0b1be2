"""Who is in sync, and the state that a leader proposes."""

from dataclasses import replace

import pytest

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch, Offset
from service.model.cluster import PartitionState
from service.replication.isr import is_joining, lagging, may_join, with_isr
from service.replication.progress import Progress

A, B, C = NodeId(1), NodeId(2), NodeId(3)

STATE = PartitionState(
    replicas=(A, B, C),
    leader=A,
    leader_epoch=LeaderEpoch(5),
    leader_broker_epoch=10,
    isr=(A, B, C),
    controller_epoch=1,
    version=7,
)

FRESH = Progress(caught_up_at=0.0, asked_at=0.0)


def fetch(progress: Progress, end: int, leader_end: int, now: float) -> Progress:
    return progress.after_fetch(
        durable_end=Offset(end), broker_epoch=4, leader_end=Offset(leader_end), now=now
    )


def test_a_follower_that_has_everything_has_caught_up() -> None:
    assert fetch(FRESH, 8, 8, 5.0).caught_up_at == 5.0


@pytest.mark.rule("REL-2.7")
def test_one_that_has_what_there_was_when_it_asked_before_is_not_behind() -> None:
    busy = fetch(fetch(FRESH, 0, 10, 5.0), 10, 20, 6.0)
    assert busy.caught_up_at == 5.0
    behind = fetch(busy, 15, 30, 7.0)
    assert behind.caught_up_at == 5.0
    assert lagging((A, B), {B: behind}, now=15.1, seconds_max=10.0) == (B,)
    assert lagging((A, B), {B: behind}, now=14.9, seconds_max=10.0) == ()


@pytest.mark.rule("REL-I3")
def test_what_a_follower_has_told_another_leader_counts_for_nothing() -> None:
    assert FRESH.durable_end == -1
    assert fetch(FRESH, 0, 10, 9.0).caught_up_at == 0.0


@pytest.mark.rule("REL-2.7")
def test_nobody_joins_without_what_was_there_when_the_term_began() -> None:
    reached = fetch(FRESH, 8, 9, 1.0)
    assert may_join(reached, high_watermark=Offset(8), term_start=Offset(8))
    assert not may_join(reached, high_watermark=Offset(5), term_start=Offset(9))
    assert not may_join(reached, high_watermark=Offset(9), term_start=Offset(5))


def test_who_is_close_is_waited_for_and_who_is_far_is_not() -> None:
    near = fetch(FRESH, 8, 8, 1.0)
    assert is_joining(near, term_start=Offset(8), now=2.0, seconds_max=10.0)
    assert not is_joining(near, term_start=Offset(8), now=12.0, seconds_max=10.0)
    assert not is_joining(near, term_start=Offset(9), now=2.0, seconds_max=10.0)


@pytest.mark.rule("REL-I9")
def test_who_leaves_a_small_isr_stays_eligible_until_it_has_grown_again() -> None:
    two = with_isr(STATE, {B, A}, isr_min=2)
    assert (two.isr, two.elr, two.version) == ((A, B), (), 8)
    one = with_isr(two, {A}, isr_min=2)
    assert (one.isr, one.elr) == ((A,), (B,))
    assert with_isr(one, {A, C}, isr_min=2).elr == ()
    assert with_isr(replace(one, elr=(B, C)), {A, C}, isr_min=3).elr == (B,)


@pytest.mark.rule("REL-I5")
def test_a_leader_never_leaves_its_own_isr() -> None:
    with pytest.raises(AssertionError, match="REL-I5"):
        with_isr(STATE, {B, C}, isr_min=1)
