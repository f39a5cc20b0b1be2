from service.app.cli.marks import Marks
from service.app.cli.tier import facts_of, sentences, sums_of

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
