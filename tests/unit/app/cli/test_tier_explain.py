import pytest

from everlog.format.lock_sums import LockSums
from service.app.cli.archive_sums import ArchiveSums
from service.app.cli.marks import Marks
from service.app.cli.prices import Prices
from service.app.cli.tier_cost import cost_facts
from service.app.cli.tier_explain import rpo_ms_max, sentences, size_facts
from service.app.cli.tier_facts import facts_of, sums_of

HOUR_AGO = 1_704_112_200_000


def _sentences(*marks: Marks, tiered: bool = True) -> list[tuple[str, str]]:
    facts = [facts_of(("t", n), each, tiered=tiered) for n, each in enumerate(marks)]
    return sentences(sums_of(facts))


def test_the_sentences_add_partitions_up() -> None:
    one = Marks(start=0, end=100, local_start=60, archived_end=80, oldest_ms=HOUR_AGO)
    two = Marks(start=0, end=100, local_start=0, archived_end=0)
    assert _sentences(one, two) == [
        ("Where", "local 140 records - archive 80 of 200 (40%)"),
        ("Lag", "120 records are not archived yet"),
        ("Oldest", "2024-01-01 12:30:00 UTC"),
        ("Read", "a scan of everything reads 60 from the archive"),
    ]


def test_an_empty_topic_has_nothing_to_wait_for() -> None:
    empty = Marks(start=0, end=0, local_start=0, archived_end=0)
    assert _sentences(empty) == [
        ("Where", "local 0 records - archive 0 of 0"),
        ("Lag", "nothing waits"),
        ("Read", "a scan of everything is local"),
    ]


def test_what_a_broker_does_not_tell_is_not_invented() -> None:
    ((title, text),) = _sentences(Marks(start=0, end=5))
    assert title == "Where"
    assert text.startswith("not known")


def test_a_topic_that_is_not_tiered_has_no_lag() -> None:
    marks = Marks(start=0, end=1000, local_start=0, archived_end=0)
    assert _sentences(marks, tiered=False) == [
        ("Where", "local 1,000 records"),
        ("Lag", "not tiered: the records of this topic stay on local disks"),
    ]
    assert facts_of(("t", 0), marks, tiered=False)["upload_lag"] is None


def test_what_was_tiered_once_is_still_in_the_archive() -> None:
    marks = Marks(start=0, end=100, local_start=60, archived_end=80)
    told = dict(_sentences(marks, tiered=False))
    assert told["Where"] == "local 40 records - archive 80 of 100 (80%)"
    assert told["Lag"].startswith("not tiered any more")


def test_sizes_requests_and_money_are_told_where_they_are_known() -> None:
    archive = {0: ArchiveSums(objects=16, bytes=1 << 30, max_timestamp_ms=HOUR_AGO)}
    marks = Marks(start=0, end=100, local_start=60, archived_end=80, oldest_ms=HOUR_AGO)
    facts = {
        **sums_of([facts_of(("t", 0), marks, tiered=True)]),
        "store": "s3://bucket",
        "local_bytes": 300 << 20,
        **size_facts(archive),
        "rpo_ms_max": 150_000,
        "cost": cost_facts(archive, Prices(), range_bytes=4 << 20),
        "scrub": {"objects_total": 16.0, "round_ratio": 0.5},
    }
    told = dict(sentences(facts))
    assert told["Where"] == "local 300 MiB, 40 records - archive 1.0 GiB, 80 of 100 (80%)"
    assert told["Objects"] == "16 objects of 64.0 MiB on average in s3://bucket"
    assert told["Lag"].endswith("a lost disk would take at most the last 2 minutes")
    assert told["Read"].endswith("reads 60 from the archive, in 272 GETs")
    assert told["Cost"] == (
        "0.023 USD a month stored, 0.00025 USD to write a GiB (48 PUTs), "
        "0.00011 USD to scan one (272 GETs); prices: Amazon S3 Standard, us-east-1"
    )
    assert told["Scrub"] == "nothing wrong; 16 looks and 0 B read since the start, round 50% over"


def test_storage_classes_are_told_and_priced() -> None:
    gib = 1 << 30
    archive = {
        0: ArchiveSums(
            objects=16,
            bytes=4 * gib,
            max_timestamp_ms=None,
            bytes_by_class={"STANDARD": gib, "GLACIER_IR": 2 * gib, "STANDARD_IA": gib},
        ),
        1: ArchiveSums(objects=16, bytes=gib, max_timestamp_ms=None),
    }
    facts = size_facts(archive)
    by_class = {"GLACIER_IR": 2 * gib, "STANDARD": 2 * gib, "STANDARD_IA": gib}
    assert facts["archive_bytes_by_class"] == by_class
    cost = cost_facts(archive, Prices(), range_bytes=4 << 20)
    assert cost is not None
    assert cost["month"] == pytest.approx(2 * 0.004 + 2 * 0.023 + 0.0125)
    assert cost["month_by_class"]["GLACIER_IR"] == pytest.approx(2 * 0.004)
    plain = cost_facts(
        {0: ArchiveSums(objects=32, bytes=5 * gib, max_timestamp_ms=None)},
        Prices(),
        range_bytes=4 << 20,
    )
    assert plain is not None
    assert cost["scan"] - plain["scan"] == pytest.approx(2 * 0.03 + 0.01)
    assert cost["scan_gib"] - plain["scan_gib"] == pytest.approx((2 * 0.03 + 0.01) / 5)
    marks = Marks(start=0, end=100, local_start=60, archived_end=80)
    sums = sums_of([facts_of(("t", 0), marks, tiered=True)])
    told = dict(sentences({**sums, "store": "s3://bucket", **facts}))
    assert told["Objects"].endswith(
        "in s3://bucket: 2.0 GiB GLACIER_IR, 2.0 GiB STANDARD, 1.0 GiB STANDARD_IA"
    )


def test_what_a_lost_disk_would_take_is_as_old_as_the_newest_archived_record() -> None:
    now_ms = HOUR_AGO + 60_000

    def rpo(marks: Marks, *sums: ArchiveSums) -> int | None:
        partitions = [facts_of(("t", 0), marks, tiered=True)]
        return rpo_ms_max(partitions, dict(enumerate(sums)), now_ms=now_ms)

    some = ArchiveSums(objects=1, bytes=1, max_timestamp_ms=HOUR_AGO + 10_000)
    behind = Marks(start=0, end=100, local_start=0, archived_end=80, oldest_ms=HOUR_AGO)
    assert rpo(behind, some) == 50_000
    assert rpo(behind) == 60_000, "without an archive the oldest record counts"
    assert rpo(Marks(start=0, end=80, local_start=0, archived_end=80), some) == 0
    assert rpo(Marks(start=0, end=100, local_start=0, archived_end=80)) is None
    assert rpo(Marks(start=0, end=100)) is None


def test_what_is_locked_is_told_with_the_end_of_the_last_lock() -> None:
    locks = [
        LockSums(bytes=1 << 30, trash_bytes=64 << 20, until_ms=HOUR_AGO),
        LockSums(bytes=1 << 30, until_ms=HOUR_AGO + 3_600_000),
        LockSums(),
    ]
    archive = {
        number: ArchiveSums(objects=1, bytes=2 << 30, max_timestamp_ms=None, locks=each)
        for number, each in enumerate(locks)
    }
    marks = Marks(start=0, end=100, local_start=60, archived_end=80, oldest_ms=HOUR_AGO)
    known = {**sums_of([facts_of(("t", 0), marks, tiered=True)]), "store": "s3://bucket"}
    told = dict(sentences({**known, **size_facts(archive)}))
    assert told["Locked"] == (
        "2.0 GiB cannot be deleted, and 64.0 MiB that are not needed any more; "
        "the last lock ends 2024-01-01 13:30:00 UTC"
    )
    assert "Locked" not in dict(sentences({**known, **size_facts({2: archive[2]})}))
    assert "Locked" not in dict(sentences({**known, **size_facts(None)}))
