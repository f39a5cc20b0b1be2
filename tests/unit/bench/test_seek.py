"""Percentiles are values that were measured."""

import pytest

from bench.seek import percentile


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (75, 3), (76, 4), (100, 4), (0, 1)])
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    percent: float, value: float
) -> None:
    assert percentile([4, 1, 3, 2], percent) == value


def test_one_value_is_every_percentile() -> None:
    assert percentile([7.5], 99) == 7.5
