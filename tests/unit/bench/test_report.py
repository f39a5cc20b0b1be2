"""A report has the table, and says where its figures come from."""

from dataclasses import replace

from bench import report
from bench.comparison import DISK, EVERLOG, KAFKA
from bench.results import Result
from bench.sample import Sample, Samples
from bench.suites import SUITES


def result(suite: str, *samples: Sample) -> Result:
    return Result(
        suite=suite,
        started="20260131T120000Z",
        machine={
            "processor": "Z80",
            "cores": 2,
            "memory_gib": 4,
            "file_system": "ext4",
            "system": "Linux",
            "kernel": "6.1",
        },
        versions={"kafka": "4.1.0", "everlog": "0.1.0", "librdkafka": "2.0.2"},
        options={"rounds": 1},
        load_before=[],
        load_after=[],
        samples=Samples(samples),
    )


def start_s(peer: str, seconds: float) -> Sample:
    return Sample(round=0, peer=peer, case="first", metrics={"start_s": seconds})


def test_a_suites_figures_land_in_its_rows() -> None:
    shown = report.markdown([result("start", start_s(KAFKA, 3.0), start_s(EVERLOG, 0.6))])
    assert (
        "| start to first metadata answer, empty directory | s | 3.00 | 0.60 "
        "| 0.20x | 0.20..0.20 | <= 0.8 | met |"
    ) in shown


def test_versions_and_machine_are_said_once_for_results_of_one_kind() -> None:
    shown = report.terminal([result("start"), result("memory")])
    assert shown.count("kafka 4.1.0, everlog 0.1.0, librdkafka 2.0.2; Z80, 2 cores") == 1


def test_the_plain_disk_is_named_beside_the_figures() -> None:
    metrics = {"writes_per_s": 500.0, "mb_per_s": 8.2}
    disk = Sample(round=0, peer=DISK, case="16KB", metrics=metrics)
    assert "16KB 8.20 MB/s (500 a second)" in report.terminal([result("produce", disk)])


def test_every_suite_renders_without_a_single_figure() -> None:
    shown = report.terminal([result(name) for name in SUITES])
    titles = [row.title for suite in SUITES.values() for row in suite.comparisons]
    assert all(title in shown for title in titles)
    assert len(set(titles)) == len(titles)


def test_what_is_set_against_something_else_has_a_table_of_its_own() -> None:
    rate = {"mb_per_s": 200.0}
    read = [Sample(round=0, peer=EVERLOG, case=case, metrics=rate) for case in ("s3", "boto3")]
    shown = report.markdown([result("tier", *read), result("start", start_s(KAFKA, 3.0))])
    tier, start, _ = shown.split("\n\n")
    assert tier.startswith("| case | unit | beside it | Everlog |")
    assert "| cold scan from S3 / boto3 alone, 8 threads | MB/s | 200 | 200 | 1.00x |" in tier
    assert start.startswith("| case | unit | Kafka | Everlog |")


def test_a_quick_run_is_said_to_be_one_and_meets_no_target() -> None:
    full = result("start", start_s(EVERLOG, 0.6))
    shown = report.markdown([replace(full, options={"rounds": 1, "quick": True})])
    assert "1 quick rounds, shorter than the rows say," in shown
    assert "met" not in shown.partition("\n\n")[0].replace("metadata", "")
