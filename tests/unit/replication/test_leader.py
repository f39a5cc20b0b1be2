"""What a leader knows of its replicas in one term."""

from dataclasses import replace

import pytest

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.model.cluster import PartitionState
from service.replication.leader import LeaderReplicas, NotReplicaError
from tests.unit.replication.test_isr import STATE, A, B, C

D = NodeId(4)

LAG = 10.0


class Led:
    """A leader at some offset, and its followers' fetches."""

    def __init__(self, state: PartitionState = STATE, *, isr_min: int = 2) -> None:
        self.now = 0.0
        self.end = Offset(0)
        self.committed = Offset(0)
        self.replicas = LeaderReplicas(
            state, me=A, term_start=Offset(0), isr_min=isr_min, lag_seconds_max=LAG, now=0.0
        )

    def fetch(self, follower: NodeId, end: int, *, epoch: int = 4) -> None:
        self.replicas.fetched(
            follower,
            durable_end=Offset(end),
            broker_epoch=epoch,
            leader_end=self.end,
            now=self.now,
        )
        self.commit()

    def commit(self) -> Offset:
        self.committed = self.replicas.high_watermark(
            self.committed, durable_end=self.end, now=self.now
        )
        return self.committed

    def propose(self) -> PartitionState | None:
        return self.replicas.propose(self.committed, now=self.now)


@pytest.mark.rule("KIP-392")
def test_a_consumer_may_be_sent_to_followers_that_are_in_sync_and_have_what_it_wants() -> None:
    led = Led(replace(STATE, replicas=(A, B, C, D), isr=(A, B, C)))
    led.end = Offset(9)
    for follower, start, end in ((B, 2, 7), (C, 4, 9), (D, 0, 9)):
        led.replicas.fetched(
            follower,
            durable_end=Offset(end),
            local_start=Offset(start),
            broker_epoch=4,
            leader_end=led.end,
            now=led.now,
        )
    assert led.replicas.holding(1) == [], "of those that are in sync nobody has it on a disk"
    assert led.replicas.holding(3) == [B]
    assert led.replicas.holding(7) == [C, B], "also who waits at the end; the furthest first"
    assert led.replicas.holding(8) == [C]
    led.fetch(C, 9)
    assert led.replicas.holding(8) == [], "who does not say where its disk starts is no choice"


@pytest.mark.rule("REL-I8")
def test_nobody_else_leads_while_all_that_could_be_elected_fetch_in_this_term() -> None:
    led = Led(replace(STATE, replicas=(A, B, C, D), isr=(A, B), elr=(C,)))
    led.now = 5.0
    led.fetch(B, 0)
    assert not led.replicas.are_following(since=0.0), "C has not fetched in this term"
    led.fetch(C, 0)
    assert led.replicas.are_following(since=5.0), "D cannot be elected"
    led.now = 7.0
    led.fetch(B, 0)
    assert not led.replicas.are_following(since=6.0), "C has been silent since"


@pytest.mark.rule("REL-I8")
def test_nobody_else_leads_what_has_one_replica() -> None:
    led = Led(replace(STATE, replicas=(A,), isr=(A,)), isr_min=1)
    assert led.replicas.are_following(since=9.0)


def test_a_partition_of_one_replica_is_committed_as_it_is_durable() -> None:
    led = Led(replace(STATE, replicas=(A,), isr=(A,)), isr_min=1)
    led.end = Offset(7)
    assert led.commit() == 7


def test_a_record_is_committed_when_all_in_sync_have_it() -> None:
    led = Led()
    led.end = Offset(7)
    led.fetch(B, 7)
    assert led.committed == 0
    led.fetch(C, 5)
    assert led.committed == 5


def test_a_follower_that_stays_behind_leaves_and_comes_back() -> None:
    led = Led()
    led.end = Offset(7)
    led.fetch(B, 7)
    led.now = LAG + 1
    led.fetch(B, 7)
    proposed = led.propose()
    assert proposed is not None
    assert proposed.isr == (A, B)
    assert led.commit() == 0, "the one that leaves counts until that is stored"
    led.replicas.stored(proposed, now=led.now)
    assert led.commit() == 7
    led.fetch(C, 7)
    back = led.propose()
    assert back is not None
    assert back.isr == (A, B, C)
    assert led.replicas.joiners == {C: 4}


@pytest.mark.rule("REL-2.7")
def test_one_change_is_under_way_at_a_time() -> None:
    led = Led(replace(STATE, isr=(A,)), isr_min=1)
    led.fetch(B, 0)
    first = led.propose()
    assert first is not None
    led.fetch(C, 0)
    assert led.propose() is None, "it has to be known what became of the first"
    led.replicas.refused()
    second = led.propose()
    assert second is not None
    assert second.isr == (A, B, C)


@pytest.mark.rule("REL-I1")
def test_a_change_of_unknown_outcome_goes_on_counting() -> None:
    led = Led(replace(STATE, replicas=(A, B), isr=(A,)), isr_min=1)
    led.fetch(B, 0)
    assert led.propose() is not None
    led.now, led.end = LAG + 1, Offset(9)
    assert led.commit() == 0, "B may be in sync by now, and it has nothing"


@pytest.mark.rule("REL-2.5")
def test_who_was_to_join_and_has_been_started_anew_since_does_not_join_by_a_second_try() -> None:
    led = Led(replace(STATE, isr=(A,)), isr_min=1)
    led.end = Offset(7)
    led.fetch(B, 7, epoch=4)
    assert led.propose() is not None
    led.fetch(B, 0, epoch=5)
    assert led.replicas.joiners == {B: 4}, "it has fetched with nothing as the new registration"
    led.replicas.refused()
    assert led.replicas.joiners == {}


@pytest.mark.rule("REL-C9")
def test_nobody_waits_for_a_replica_that_is_about_to_stop_or_takes_it_in() -> None:
    led = Led(replace(STATE, isr=(A, B)), isr_min=1)
    led.end = Offset(5)
    led.fetch(B, 5)
    led.fetch(C, 5)
    led.replicas.away = {C}
    assert led.propose() is None
    led.end = Offset(7)
    led.fetch(B, 7)
    assert led.committed == 7
    led.replicas.away = set()
    led.fetch(C, 7)
    proposed = led.propose()
    assert proposed is not None
    assert proposed.isr == (A, B, C)


def test_what_somebody_else_has_stored_ends_a_proposal() -> None:
    led = Led(replace(STATE, isr=(A,)), isr_min=1)
    led.fetch(B, 0)
    assert led.propose() is not None
    led.replicas.stored(replace(STATE, version=9), now=led.now)
    assert led.replicas.pending is None
    led.replicas.stored(replace(STATE, isr=(A,), version=8), now=led.now)
    assert led.replicas.state.isr == (A, B, C), "older news is none"


@pytest.mark.rule("REL-2.5")
def test_strangers_and_earlier_registrations_of_a_replica_are_refused() -> None:
    led = Led()
    led.fetch(B, 0, epoch=5)
    with pytest.raises(NotReplicaError):
        led.fetch(B, 9, epoch=4)
    with pytest.raises(NotReplicaError):
        led.fetch(NodeId(77), 9)


def test_the_isr_is_short_below_its_minimum() -> None:
    assert Led(replace(STATE, isr=(A,))).replicas.is_short
    assert not Led(replace(STATE, isr=(A, C))).replicas.is_short


@pytest.mark.rule("REL-I9")
def test_after_the_minimum_was_lowered_nothing_is_committed_while_others_are_eligible() -> None:
    led = Led(replace(STATE, replicas=(A, B), isr=(A,), elr=(B,)), isr_min=2)
    led.end = Offset(7)
    led.replicas.isr_min = 1
    assert led.commit() == 0, "B can still be elected, and it has nothing"
    proposed = led.propose()
    assert proposed is not None
    assert (proposed.isr, proposed.elr) == ((A,), ())
    led.replicas.stored(proposed, now=led.now)
    assert led.commit() == 7
    assert led.propose() is None


@pytest.mark.rule("KIP-455")
def test_a_new_replica_of_a_large_log_holds_nothing_up_before_it_has_caught_up() -> None:
    led = Led(replace(STATE, replicas=(A, B), isr=(A, B)))
    led.end = Offset(100)
    led.fetch(B, 100)
    moving = replace(STATE, replicas=(D, A, B), isr=(A, B), adding=(D,), removing=(B,), version=8)
    led.replicas.stored(moving, now=led.now)
    led.fetch(D, 0)
    led.end = Offset(110)
    led.fetch(B, 110)
    assert led.committed == 110
    assert led.propose() is None
    led.fetch(D, 110)
    proposed = led.propose()
    assert proposed is not None
    assert proposed.isr == (D, A, B)
    assert (proposed.adding, proposed.removing) == ((D,), (B,))
    led.end = Offset(120)
    led.fetch(B, 120)
    assert led.committed == 110, "it may be in sync by now"


@pytest.mark.rule("KIP-455")
def test_replicas_that_are_being_added_are_not_asked_for_by_the_minimum() -> None:
    led = Led(replace(STATE, replicas=(A,), isr=(A,)))
    assert led.replicas.isr_needed == 1
    moving = replace(STATE, replicas=(A, B, C), isr=(A,), adding=(B, C), version=8)
    led.replicas.stored(moving, now=led.now)
    led.end = Offset(5)
    assert (led.replicas.isr_needed, led.replicas.is_short) == (1, False)
    assert led.commit() == 5
    done = replace(moving, isr=(A, B, C), adding=(), version=9)
    led.replicas.stored(done, now=led.now)
    assert led.replicas.isr_needed == 2


@pytest.mark.rule("BP-D22")
@pytest.mark.parametrize(("isr_min", "enforced"), [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_the_enforced_minimum_never_exceeds_the_replicas(isr_min: int, enforced: int) -> None:
    assert Led(isr_min=isr_min).replicas.isr_needed == enforced
