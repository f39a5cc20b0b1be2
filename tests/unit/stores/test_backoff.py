import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.stores.backoff import RetryPolicy, Waits, wait_s

POLICY = RetryPolicy()


@given(
    failures=st.integers(1, 10_000),
    throttled=st.booleans(),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_a_wait_is_within_half_and_whole_of_its_bound(
    *, failures: int, throttled: bool, chance: float
) -> None:
    wait = wait_s(POLICY, failures=failures, throttled=throttled, chance=chance)
    low, high = (1.0, 5.0) if throttled else (0.01, 5.0)
    assert low / 2 <= wait <= high
    assert wait <= low * 2 ** min(failures - 1, 100)


def test_waits_double_up_to_their_bound() -> None:
    waits = [wait_s(POLICY, failures=n, throttled=False, chance=0.0) for n in range(1, 13)]
    assert waits[:3] == [0.005, 0.01, 0.02]
    assert waits[-1] == 2.5
    throttled = [wait_s(POLICY, failures=n, throttled=True, chance=0.0) for n in range(1, 8)]
    assert throttled == [0.5, 1.0, 2.0, 2.5, 2.5, 2.5, 2.5]


def test_chance_spreads_the_waits() -> None:
    early = wait_s(POLICY, failures=5, throttled=False, chance=0.0)
    late = wait_s(POLICY, failures=5, throttled=False, chance=0.999)
    assert late > 1.9 * early


@pytest.mark.rule("TIER-27")
def test_an_outage_does_not_make_the_first_throttle_a_long_one() -> None:
    waits = Waits(POLICY)
    outage = [waits.after_failure(throttled=False, chance=0.0) for _ in range(20)]
    assert outage[-1] == 2.5
    assert waits.after_failure(throttled=True, chance=0.0) == 0.5
    assert waits.after_failure(throttled=True, chance=0.0) == 1.0
    assert waits.failures == 22


def test_throttling_does_not_make_the_first_lost_connection_a_long_one() -> None:
    waits = Waits(POLICY)
    for _ in range(20):
        waits.after_failure(throttled=True, chance=0.0)
    assert waits.after_failure(throttled=False, chance=0.0) == 0.005
