"""What people are told of a clone: what it has, and what it lacks."""

from service.app.cli.marks import Marks
from service.app.cli.tier_clone import clone_facts, sentences

SOONER = "remote.copy.lag.max.ms has them archived sooner"


def test_what_the_source_has_not_archived_is_counted() -> None:
    marks = {("s", 0): Marks(start=5, end=100), ("c", 0): Marks(start=5, end=80)}
    facts = clone_facts(0, marks, source="s", name="c")
    assert facts == {"partition": 0, "start": 5, "end": 80, "left_out": 20}
    assert sentences("s", "c", [facts]) == [
        "c has the 75 records that s has archived",
        f"20 records of s are not in it: they are not archived yet. {SOONER}",
    ]


def test_a_whole_clone_lacks_nothing() -> None:
    marks = {("s", 0): Marks(start=0, end=80), ("c", 0): Marks(start=0, end=80)}
    facts = clone_facts(0, marks, source="s", name="c")
    assert sentences("s", "c", [facts]) == ["c has the 80 records that s has archived"]


def test_a_partition_that_is_not_made_yet_is_told() -> None:
    facts = clone_facts(0, {("s", 0): Marks(start=0, end=80)}, source="s", name="c")
    assert facts == {"partition": 0, "start": None, "end": None, "left_out": None}
    assert "1 partition cannot be read yet" in sentences("s", "c", [facts])[1]
