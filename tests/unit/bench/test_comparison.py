"""What a row says follows from samples, round by round."""

from dataclasses import replace

import pytest

from bench.comparison import DISK, EVERLOG, KAFKA, Comparison, Spread, Target, evaluate, spread
from bench.sample import WHOLE_BLOCK, Sample, Samples

CASE = "1MB/always"


def measured(peer: str, *figures: float, case: str = CASE) -> list[Sample]:
    return [
        Sample(round=turn, peer=peer, case=case, metrics={"mb_per_s": value})
        for turn, value in enumerate(figures)
    ]


def compared(target: Target | None = None, *, other: str | None = CASE) -> Comparison:
    return Comparison(
        title="a row", metric="mb_per_s", unit="MB/s", everlog=CASE, other=other, target=target
    )


def test_a_spread_of_nothing_is_none() -> None:
    assert spread([]) is None


def test_a_spread_has_median_and_extremes() -> None:
    assert spread([4.0, 1.0, 3.0]) == Spread(3.0, 1.0, 4.0, 3)


def test_ratios_are_taken_within_each_round_before_their_median() -> None:
    samples = Samples((*measured(KAFKA, 100, 10, 50), *measured(EVERLOG, 200, 40, 150)))
    row = evaluate(compared(), samples)
    # The ratio of the medians would be 150 / 50 as well, but its extremes would be lost.
    assert row.ratio == Spread(3.0, 2.0, 4.0, 3)
    assert row.other is not None
    assert row.other.median == 50
    assert row.everlog is not None
    assert row.everlog.median == 150


def test_a_round_that_one_peer_missed_has_no_ratio() -> None:
    samples = Samples((*measured(KAFKA, 100, 100), *measured(EVERLOG, 300)))
    row = evaluate(compared(), samples)
    assert row.ratio == Spread(3.0, 3.0, 3.0, 1)


def test_a_case_may_stand_beside_another_of_the_same_peer() -> None:
    samples = Samples((*measured(EVERLOG, 30, case="boto3"), *measured(EVERLOG, 24)))
    beside = replace(compared(other="boto3"), whose=EVERLOG)
    row = evaluate(beside, samples)
    assert row.other == Spread(30, 30, 30, 1)
    assert row.ratio == Spread(0.8, 0.8, 0.8, 1)


def test_a_figure_of_zero_is_no_divisor() -> None:
    samples = Samples((*measured(KAFKA, 0), *measured(EVERLOG, 300)))
    assert evaluate(compared(), samples).ratio is None


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target(sense=">=", bound=2), "met"),
        (Target(sense=">=", bound=2.5), "missed"),
        (Target(sense="<=", bound=2), "met"),
        (Target(sense="<=", bound=0.5), "missed"),
        (Target(sense="<=", bound=200, of="value"), "met"),
        (Target(sense="<=", bound=199, of="value"), "missed"),
        (None, ""),
    ],
)
def test_a_verdict_holds_the_median_against_the_bound(target: Target | None, verdict: str) -> None:
    samples = Samples((*measured(KAFKA, 100), *measured(EVERLOG, 200)))
    assert evaluate(compared(target), samples).verdict == verdict


def test_a_target_of_a_ratio_has_no_verdict_without_the_other_peer() -> None:
    row = evaluate(compared(Target(sense=">=", bound=2)), Samples(tuple(measured(EVERLOG, 200))))
    assert row.verdict == ""


def test_a_bound_on_everlogs_own_figure_needs_no_other_peer() -> None:
    target = Target(sense="<=", bound=80, of="value")
    row = evaluate(compared(target, other=None), Samples(tuple(measured(EVERLOG, 81))))
    assert row.other is None
    assert row.verdict == "missed"


@pytest.mark.parametrize(("everlog", "verdict"), [(80.0, "met"), (79.0, "missed")])
def test_eight_tenths_of_the_disk_will_do_where_the_ratio_does_not(
    everlog: float, verdict: str
) -> None:
    target = Target(sense=">=", bound=4, disk_case="1MB")
    disk = measured(DISK, 100, case="1MB")
    samples = Samples((*measured(KAFKA, 60), *measured(EVERLOG, everlog), *disk))
    row = evaluate(compared(target), samples)
    assert row.disk_share == everlog / 100
    assert row.verdict == verdict


@pytest.mark.parametrize("case", [CASE, WHOLE_BLOCK])
@pytest.mark.parametrize("peer", [KAFKA, EVERLOG])
def test_one_failed_round_fails_the_row(peer: str, case: str) -> None:
    failure = Sample(round=1, peer=peer, case=case, error="it ended")
    samples = Samples((*measured(KAFKA, 1), *measured(EVERLOG, 9), failure))
    assert evaluate(compared(Target(sense=">=", bound=2)), samples).verdict == "failed"


def test_the_failure_of_another_case_is_another_rows() -> None:
    failure = Sample(round=1, peer=EVERLOG, case="16KB/always", error="it ended")
    samples = Samples((*measured(KAFKA, 1), *measured(EVERLOG, 9), failure))
    assert evaluate(compared(Target(sense=">=", bound=2)), samples).verdict == "met"
