"""What is done about a full disk, level by level."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.disk_limit import DiskLimit, DiskLimits, DiskUsage, critical_above
from service.partition.disk_pressure import (
    CRITICAL_STEP_BYTES_MAX,
    HIGH_STEP_BYTES_MAX,
    HORIZON_SECONDS,
    RESERVE_BYTES_MAX,
    DiskLevel,
    DiskRoom,
    Flow,
    Pressure,
    pressure_after,
)

MIB = 1 << 20
STILL = Flow()
SIZES = DiskLimits(high=DiskLimit(bytes_max=100 * MIB), critical=DiskLimit(bytes_max=120 * MIB))
SHARES = DiskLimits(high=DiskLimit(percent=80), critical=critical_above(DiskLimit(percent=80)))


def room(own_mib: int, *, free: int = 1 << 40) -> DiskRoom:
    """Of a budget of 100 MiB; 120 MiB are critical."""
    return DiskRoom.of(SIZES, DiskUsage(own=own_mib * MIB, free=free, total=1 << 41))


def after(
    before: Pressure,
    own_mib: int,
    *,
    releasable_mib: int = 0,
    flow: Flow = STILL,
    **signs: bool,
) -> Pressure:
    return pressure_after(before, room(own_mib), flow, releasable=releasable_mib * MIB, **signs)


def test_below_the_lower_limit_nothing_is_done() -> None:
    assert after(Pressure(), 100) == Pressure()
    assert after(Pressure(), 0, releasable_mib=50) == Pressure()


def test_above_it_what_may_go_goes_down_to_a_twentieth_below() -> None:
    found = after(Pressure(), 103, releasable_mib=50)
    assert found == Pressure(level=DiskLevel.RELEASE, release=8 * MIB)
    assert after(Pressure(), 103, releasable_mib=4).release == 4 * MIB


def test_a_disk_that_lives_at_its_lower_limit_is_not_calm_in_between() -> None:
    releasing = after(Pressure(), 101, releasable_mib=50)
    below = after(releasing, 95, releasable_mib=50, was_high=True)
    assert below == Pressure(level=DiskLevel.RELEASE)
    assert after(below, 95, releasable_mib=50) == Pressure()
    assert after(Pressure(), 95, was_high=True) == Pressure()


def test_producers_get_a_pace_only_when_releasing_is_not_enough() -> None:
    assert after(Pressure(), 110, releasable_mib=10).rate is None
    short = after(Pressure(), 110, releasable_mib=9)
    assert short.is_short
    assert short.rate == pytest.approx(10 * MIB / HORIZON_SECONDS)


def test_a_pace_ends_when_what_stays_lies_below_the_low_mark() -> None:
    short = after(Pressure(), 110, releasable_mib=9)
    assert after(short, 110, releasable_mib=14).is_short
    assert not after(short, 110, releasable_mib=15).is_short


def test_the_pace_slows_down_towards_the_upper_limit_and_never_stops() -> None:
    rates = [after(Pressure(), own).rate for own in (101, 110, 119)]
    assert rates == sorted(rates, key=lambda rate: -(rate or 0))
    at_the_brink = pressure_after(
        Pressure(),
        DiskRoom(high=-1, high_step=1, critical=1, critical_step=1, reserve=0),
        Flow(appended=0, filled=1e9),
        releasable=0,
    )
    assert at_the_brink.rate == 1.0


def test_what_is_drained_may_be_filled_again() -> None:
    draining = Flow(appended=5 * MIB, filled=-45 * MIB)
    rate = after(Pressure(), 110, flow=draining).rate
    assert rate == pytest.approx(50 * MIB + 10 * MIB / HORIZON_SECONDS)


def test_throttled_is_only_who_has_somebody_held_back() -> None:
    assert after(Pressure(), 110).level is DiskLevel.RELEASE
    assert after(Pressure(), 110, is_slowing=True).level is DiskLevel.THROTTLE
    assert after(Pressure(), 90, is_slowing=True).level is DiskLevel.CALM


def test_at_the_upper_limit_producers_are_refused_whatever_may_go() -> None:
    found = after(Pressure(), 120, releasable_mib=100)
    assert (found.level, found.release) == (DiskLevel.REFUSE, 25 * MIB)
    assert after(Pressure(), 119).level is not DiskLevel.REFUSE


def test_a_batch_that_did_not_fit_any_more_makes_it_a_refusal() -> None:
    found = pressure_after(Pressure(), room(119), STILL, releasable=0, has_lacked_room=True)
    assert found.level is DiskLevel.REFUSE
    assert after(found, 119).level is DiskLevel.REFUSE


def test_a_refusal_ends_when_there_is_some_room_and_the_pace_stays() -> None:
    refusing = after(Pressure(), 121)
    assert after(refusing, 119).level is DiskLevel.REFUSE
    resumed = after(refusing, 118)
    assert resumed.level is DiskLevel.RELEASE
    assert resumed.rate is not None


def test_some_of_the_volume_stays_free_whatever_the_budget_says() -> None:
    assert room(0, free=RESERVE_BYTES_MAX).critical == 0
    crowded = pressure_after(Pressure(), room(0, free=MIB), STILL, releasable=10 * MIB)
    assert (crowded.level, crowded.release) == (DiskLevel.REFUSE, 10 * MIB)


def test_the_broker_itself_may_use_a_part_of_what_stays_free() -> None:
    full = room(0, free=RESERVE_BYTES_MAX)
    assert 0 < full.reserve < RESERVE_BYTES_MAX


def test_steps_are_bounded_on_large_volumes() -> None:
    total = 100 << 40
    found = DiskRoom.of(SHARES, DiskUsage(own=0, free=total // 10, total=total))
    assert found.high_step == HIGH_STEP_BYTES_MAX
    assert found.critical_step == CRITICAL_STEP_BYTES_MAX
    assert found.surplus == HIGH_STEP_BYTES_MAX - found.high


def test_a_flow_is_an_average_that_forgets() -> None:
    flow = Flow()
    for _ in range(100):
        flow = flow.after(1.0, appended=1000, filled=400)
    assert flow.appended == pytest.approx(1000, rel=0.01)
    assert flow.filled == pytest.approx(400, rel=0.01)
    assert flow.after(0.0, appended=5, filled=5) == flow
    for _ in range(100):
        flow = flow.after(1.0, appended=0, filled=-50)
    assert flow.appended == pytest.approx(0, abs=1)
    assert flow.filled == pytest.approx(-50, rel=0.01)


def test_the_time_that_is_left_is_told() -> None:
    assert room(110).seconds_to_critical(Flow(filled=MIB)) == pytest.approx(10)
    assert room(110).seconds_to_critical(Flow(filled=-MIB)) == inf
    assert room(121).seconds_to_critical(STILL) == 0


@given(
    own=st.lists(st.integers(0, 140), min_size=1, max_size=30),
    releasable=st.integers(0, 140),
    is_slowing=st.booleans(),
)
def test_no_history_lets_the_limits_be_forgotten(
    *, own: list[int], releasable: int, is_slowing: bool
) -> None:
    pressure = Pressure()
    for mib in own:
        pressure = after(pressure, mib, releasable_mib=min(releasable, mib), is_slowing=is_slowing)
        if mib >= 120:
            assert pressure.level is DiskLevel.REFUSE
        elif mib > 100:
            assert pressure.level > DiskLevel.CALM
        elif mib < 95:
            assert pressure == Pressure()
        assert pressure.release <= min(releasable, mib) * MIB
