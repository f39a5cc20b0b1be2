"""How a run of librdkafka's suite is judged, and how its list of passing tests grows."""

from tests.conformance.librdkafka_suite import Outcome, accept, judge, load_expectation

_TEXT = """\
[passes_min]
everlog = 2
kafka = 1

[everywhere]
0001_tls = "TLS"

[everlog]
0002_groups = "passes"
0003_quotas = "quotas"
0004_unknown = ""

[kafka]
0003_quotas = "quotas"
"""
_PASSED = Outcome(state="PASSED")
_FAILED = Outcome(state="FAILED", words="timed out")
_SKIPPED = Outcome(state="SKIPPED")

_AS_EXPECTED = {
    "0001_tls": _SKIPPED,
    "0002_groups": _PASSED,
    "0003_quotas": _FAILED,
    "0004_unknown": _PASSED,
}


def test_a_run_as_expected_has_no_complaints() -> None:
    assert judge(_AS_EXPECTED, load_expectation(_TEXT, "everlog"), whole=True) == []


def test_a_test_that_used_to_pass_and_one_without_a_reason_are_complained_of() -> None:
    outcomes = _AS_EXPECTED | {"0002_groups": _SKIPPED, "0004_unknown": _FAILED}
    complaints = judge(outcomes, load_expectation(_TEXT, "everlog"), whole=True)
    assert complaints == [
        "0002_groups SKIPPED: ",
        "0004_unknown FAILED: timed out",
        "fewer than 2 passed",
    ]


def test_a_part_of_the_suite_is_not_counted() -> None:
    expectation = load_expectation(_TEXT, "everlog")
    assert judge({"0002_groups": _PASSED}, expectation, whole=False) == []


def test_accepting_notes_what_passes_for_that_server_and_takes_nothing_back() -> None:
    outcomes = _AS_EXPECTED | {"0002_groups": _FAILED, "0003_quotas": _PASSED}
    accepted = accept(_TEXT, "everlog", outcomes)
    assert load_expectation(accepted, "everlog").tests == {
        "0001_tls": "TLS",
        "0002_groups": "passes",
        "0003_quotas": "passes",
        "0004_unknown": "passes",
    }
    assert load_expectation(accepted, "kafka").tests["0003_quotas"] == "quotas"


def test_the_numbers_of_the_tests_are_run_once_each() -> None:
    expectation = load_expectation(_TEXT, "everlog")
    assert expectation.numbers("") == ["0001", "0002", "0003", "0004"]
    assert expectation.numbers("0003,0009") == ["0003"]
