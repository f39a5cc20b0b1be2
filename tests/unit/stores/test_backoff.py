from hypothesis import given
from hypothesis import strategies as st

from everlog.stores.backoff import RetryPolicy, wait_s

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
    low, high = (1.0, 30.0) if throttled else (0.01, 5.0)
    assert low / 2 <= wait <= high
    assert wait <= low * 2 ** min(failures - 1, 100)


def test_waits_double_up_to_their_bound() -> None:
    waits = [wait_s(POLICY, failures=n, throttled=False, chance=0.0) for n in range(1, 13)]
    assert waits[:3] == [0.005, 0.01, 0.02]
    assert waits[-1] == 2.5
    throttled = [wait_s(POLICY, failures=n, throttled=True, chance=0.0) for n in range(1, 8)]
    assert throttled == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_chance_spreads_the_waits() -> None:
    early = wait_s(POLICY, failures=5, throttled=False, chance=0.0)
    late = wait_s(POLICY, failures=5, throttled=False, chance=0.999)
    assert late > 1.9 * early
