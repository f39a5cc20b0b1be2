"""The gate between two looks at the disk."""

import pytest

from service.partition.disk_gate import SLOWING_SECONDS, WAIT_SECONDS_MAX, DiskGate
from service.partition.disk_pressure import DiskLevel, DiskRoom, Pressure
from service.partition.errors import DiskCrowdedError
from tests.simulation.clock import ManualClock

PACED = Pressure(level=DiskLevel.RELEASE, is_short=True, rate=1000.0)


def room(*, high: int, critical: int, reserve: int = 500) -> DiskRoom:
    return DiskRoom(high=high, high_step=10, critical=critical, critical_step=10, reserve=reserve)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def gate(clock: ManualClock) -> DiskGate:
    return DiskGate(clock)


def test_a_gate_is_open_until_it_is_told_otherwise(gate: DiskGate) -> None:
    assert gate.take(1 << 40) == 0
    gate.take_reserved(1 << 40)


def test_who_passes_the_lower_limit_makes_somebody_look_once(gate: DiskGate) -> None:
    looks: list[None] = []
    gate.on_crossed = lambda: looks.append(None)
    gate.adjust(Pressure(), room(high=100, critical=1000))
    assert gate.take(100) == 0
    assert not looks
    assert gate.take(1) == 0
    assert gate.take(1) == 0
    assert len(looks) == 1


def test_a_limit_is_noticed_while_segments_are_released_too(gate: DiskGate) -> None:
    looks: list[None] = []
    gate.on_crossed = lambda: looks.append(None)
    gate.adjust(Pressure(level=DiskLevel.RELEASE), room(high=100, critical=1000))
    gate.take(100)
    assert not looks
    gate.take(1)
    assert looks


@pytest.mark.parametrize("before", [Pressure(), PACED])
def test_the_upper_limit_holds_between_two_looks(gate: DiskGate, before: Pressure) -> None:
    looks: list[None] = []
    gate.adjust(before, room(high=100, critical=1000))
    gate.take(600)
    gate.on_crossed = lambda: looks.append(None)
    with pytest.raises(DiskCrowdedError, match=r"above log\.local\.disk\.critical"):
        gate.take(401)
    assert gate.has_lacked_room
    assert len(looks) == 1
    assert (gate.taken, gate.refused) == (600, 1)
    gate.take(400)


def test_nothing_is_taken_while_producers_are_refused(gate: DiskGate) -> None:
    gate.adjust(Pressure(level=DiskLevel.REFUSE), room(high=-10, critical=5))
    with pytest.raises(DiskCrowdedError):
        gate.take(1)


def test_the_broker_itself_may_go_a_little_further(gate: DiskGate) -> None:
    gate.adjust(Pressure(level=DiskLevel.REFUSE), room(high=-200, critical=-100))
    gate.take_reserved(400)
    with pytest.raises(DiskCrowdedError):
        gate.take_reserved(1)


def test_all_producers_together_keep_the_pace(gate: DiskGate, clock: ManualClock) -> None:
    gate.adjust(PACED, room(high=-1, critical=1 << 20))
    assert gate.take(100) == pytest.approx(0.1)
    assert gate.take(100) == pytest.approx(0.2)
    clock.advance(200)
    assert gate.take(100) == pytest.approx(0.1)
    assert gate.held_back == 3
    assert gate.held_back_seconds == pytest.approx(0.4)


def test_nobody_is_held_back_for_long(gate: DiskGate) -> None:
    gate.adjust(PACED, room(high=-1, critical=1 << 30))
    assert gate.take(1 << 20) == WAIT_SECONDS_MAX
    assert gate.take(1 << 20) == WAIT_SECONDS_MAX


def test_waits_too_short_for_a_timer_add_up(gate: DiskGate) -> None:
    gate.adjust(
        Pressure(level=DiskLevel.RELEASE, is_short=True, rate=1e6), room(high=-1, critical=1 << 20)
    )
    waits = [gate.take(100) for _ in range(20)]
    assert waits[0] == 0
    assert waits[-1] == pytest.approx(0.002)


def test_who_was_held_back_lately_counts_as_slowed(gate: DiskGate, clock: ManualClock) -> None:
    assert not gate.is_slowing
    gate.adjust(PACED, room(high=-1, critical=1 << 20))
    gate.take(100)
    assert gate.is_slowing
    clock.advance(int(SLOWING_SECONDS * 1000))
    assert not gate.is_slowing


def test_a_look_begins_the_count_anew(gate: DiskGate) -> None:
    gate.adjust(Pressure(), room(high=100, critical=1000))
    gate.take(90)
    gate.adjust(Pressure(), room(high=10, critical=910))
    assert gate.taken == 0
    with pytest.raises(DiskCrowdedError):
        gate.take(911)
