"""What is told of a run."""

from collections import Counter

from tests.cluster.report import FaultLine, Report
from tests.cluster.schedule import named
from tests.history.anomalies import Anomaly, Kind
from tests.history.operations import Partition


def _report() -> Report:
    (kill,) = named("kill-one")
    faults = [
        FaultLine(nemesis=kill, what="kill -9 of 1", begun=begun, acknowledged=1)
        for begun in (10.0, 20.0)
    ]
    counts = Counter({"acknowledged": 1234, "read": 100, "read from the store": 40})
    return Report(seed=7, seconds=20, counts=counts, faults=faults)


def test_the_gap_of_a_fault_is_the_longest_silence_until_the_next_one() -> None:
    report = _report()
    report.measure_gaps([9.0, 11.0, 14.5, 19.0, 20.5, 22.0])
    assert report.gaps == [4.5, 1.5]


def test_a_silence_lasts_beyond_a_fault_that_nothing_follows() -> None:
    report = _report()
    report.measure_gaps([9.0])
    assert report.gaps == [10.0, 0.0]


def test_a_good_run_is_told_in_a_line_with_its_seed() -> None:
    report = _report()
    assert report.is_good
    assert "\n" not in str(report)
    assert "seed 7" in str(report)
    assert "40% from the store" in str(report)


def test_what_was_found_is_told_and_the_page_has_all_figures() -> None:
    report = _report()
    report.measure_gaps([9.0, 11.0, 19.0, 21.0])
    report.anomalies = [Anomaly(Kind.UNSEEN, Partition("orders", 1), "7")] * 300
    assert not report.is_good
    assert str(report).count("unseen orders-1: 7") < 300
    page = report.markdown()
    assert "{'unseen': 300}" in page
    assert "| N1 kill-one | 2 | 8.0 | 8.0 |" in page
    assert "1,234" in page
