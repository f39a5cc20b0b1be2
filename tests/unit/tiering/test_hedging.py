"""When a download gets a second one."""

import pytest

from service.tiering.worker.hedging import (
    CREDIT_MAX,
    LATENCIES_MIN,
    SECONDS_SHARE,
    WAIT_SECONDS_MIN,
    Hedging,
)

MIB = 1 << 20


def seasoned(*, seconds: float = 0.1, length: int = 4 * MIB) -> Hedging:
    hedging = Hedging()
    for _ in range(LATENCIES_MIN * 2):
        hedging.ended(length, seconds)
    return hedging


def test_nothing_is_slow_before_enough_is_known() -> None:
    hedging = Hedging()
    for _ in range(LATENCIES_MIN - 1):
        hedging.ended(MIB, 0.1)
    assert hedging.patience_s(MIB) is None
    hedging.ended(MIB, 0.1)
    assert hedging.patience_s(MIB) == pytest.approx(0.2)


def test_patience_is_twice_what_all_but_the_slowest_take() -> None:
    hedging = seasoned(seconds=0.1)
    hedging.ended(4 * MIB, 9.0)
    assert hedging.patience_s(4 * MIB) == pytest.approx(0.2)


def test_sizes_are_told_apart() -> None:
    hedging = seasoned(seconds=0.4)
    for _ in range(LATENCIES_MIN):
        hedging.ended(MIB, 0.1)
    assert hedging.patience_s(4 * MIB) == pytest.approx(0.8)
    assert hedging.patience_s(MIB) == pytest.approx(0.2)
    assert hedging.patience_s(64) is None


def test_patience_is_never_shorter_than_a_second_download_costs() -> None:
    assert seasoned(seconds=0.001).patience_s(4 * MIB) == WAIT_SECONDS_MIN


def test_a_store_that_slows_down_is_known_to_be_slow() -> None:
    hedging = seasoned(seconds=0.1)
    for _ in range(100):
        hedging.ended(4 * MIB, 1.0)
    assert hedging.patience_s(4 * MIB) == pytest.approx(2.0)


def test_second_downloads_are_a_small_share_of_all() -> None:
    hedging = seasoned()
    hedged = 0
    for _ in range(1000):
        hedging.patience_s(4 * MIB)
        hedged += hedging.admit()
    assert 1000 * SECONDS_SHARE <= hedged <= 1000 * SECONDS_SHARE + 1


def test_what_was_saved_up_is_bounded() -> None:
    hedging = seasoned()
    for _ in range(10_000):
        hedging.patience_s(4 * MIB)
    assert sum(hedging.admit() for _ in range(100)) == CREDIT_MAX
