"""How old what waits is, by looks at the log's end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.tiering.copy_lag import MARKS_MAX, CopyLag

LOOK_S = 0.5


def test_nothing_waits_in_an_empty_log() -> None:
    lag = CopyLag(log_end=0, now=10.0)
    assert lag.age_s(tiered_end=0, log_end=0, now=99.0) == 0
    assert not lag.is_due(tiered_end=0, log_end=0, now=99.0, lag_s_max=1.0)


def test_a_record_counts_from_the_look_before_it_came() -> None:
    lag = CopyLag(log_end=0, now=10.0)
    lag.look(log_end=0, now=20.0)
    lag.look(log_end=3, now=20.5)
    assert lag.age_s(tiered_end=0, log_end=3, now=21.0) == 1.0
    assert not lag.is_due(tiered_end=0, log_end=3, now=21.0, lag_s_max=1.5)
    assert lag.is_due(tiered_end=0, log_end=3, now=21.5, lag_s_max=1.5)


def test_what_was_there_at_the_start_is_due_at_once() -> None:
    lag = CopyLag(log_end=7, now=10.0)
    assert lag.is_due(tiered_end=3, log_end=7, now=10.0, lag_s_max=60.0)
    assert not lag.is_due(tiered_end=7, log_end=7, now=10.0, lag_s_max=60.0)
    lag.look(log_end=9, now=11.0)
    assert not lag.is_due(tiered_end=7, log_end=9, now=12.0, lag_s_max=60.0)


def test_while_nothing_is_uploaded_little_is_remembered() -> None:
    lag = CopyLag(log_end=0, now=0.0)
    for number in range(1, 1000):
        lag.look(log_end=number, now=float(number))
    assert len(lag._marks) <= MARKS_MAX
    assert lag.age_s(tiered_end=0, log_end=999, now=1000.0) >= 999.0


@pytest.mark.rule("TIER-33")
@given(
    appends=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    uploads=st.lists(st.floats(0, 1), min_size=40, max_size=40),
)
def test_an_age_is_never_too_low_and_too_high_by_one_look_at_most(
    appends: list[int], uploads: list[float]
) -> None:
    lag = CopyLag(log_end=0, now=0.0)
    came: list[float] = []
    tiered_end, now = 0, 0.0
    for count, share in zip(appends, uploads, strict=False):
        came += [now + LOOK_S / 2] * count
        now += LOOK_S
        lag.look(log_end=len(came), now=now)
        tiered_end += int((len(came) - tiered_end) * share)
        age_s = lag.age_s(tiered_end=tiered_end, log_end=len(came), now=now)
        true_s = now - came[tiered_end] if tiered_end < len(came) else 0.0
        assert true_s <= age_s <= true_s + LOOK_S
