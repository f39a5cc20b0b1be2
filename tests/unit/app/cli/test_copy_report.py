"""What is said of a round of `everlog tier copy` that did not go well."""

import pytest

from everlog.format.object_keys import PartitionPath, SegmentKey
from everlog.model.ids import TopicId
from service.app.cli.copy_report import RoundReport, print_round, round_facts
from service.app.cli.prices import read_prices
from service.tiering.archive_copying import CopyRound
from service.tiering.copy_outcome import CopyCounts, PartitionCopy
from service.tiering.object_verification import Fault, Problem
from service.tiering.verification import PartitionReport
from tests.unit.format.samples import PATH, entry

SHARED = entry(0, 10).key(PATH)
CLONE = PartitionPath(cluster_id=PATH.cluster_id, topic_id=TopicId(b"c" * 16), partition=0)


def report(
    *, copied: dict[PartitionPath, list[SegmentKey]], missing: list[SegmentKey]
) -> RoundReport:
    copies = [PartitionCopy(path=path) for path in copied]
    for each in copies:
        for key in copied[each.path]:
            each.add(key.text, "it is not there")
    read = PartitionReport(path=PATH, objects=3)
    for key in missing:
        read.add(Problem(key=key, fault=Fault.MISSING, reason="not there", offsets=None))
    return RoundReport(
        done=CopyRound(
            as_of_ms=0, ended_ms=1, partitions=copies, counts=CopyCounts(), meta_objects=0
        ),
        verified=[read],
        whole_as_of_ms=None,
        follow_seconds=None,
        is_trial=False,
    )


def test_an_object_that_a_clone_shares_with_its_source_is_one_problem(
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = report(copied={PATH: [SHARED], CLONE: [SHARED]}, missing=[])
    facts = round_facts(both, read_prices(None), now_ms=1)
    assert (facts["problems"], len(facts["problem_list"])) == (1, 1)
    print_round(both, read_prices(None), now_ms=1)
    assert capsys.readouterr().out.count(SHARED.text) == 1


def test_what_could_not_be_copied_is_not_told_again_by_reading_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lacking = report(copied={PATH: [SHARED]}, missing=[SHARED])
    print_round(lacking, read_prices(None), now_ms=1)
    shown = capsys.readouterr().out
    assert shown.count(SHARED.text) == 1
    assert "all read back and sound, but for those above\n1 problem: " in shown


def test_what_reading_back_alone_has_found_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_round(report(copied={}, missing=[SHARED]), read_prices(None), now_ms=1)
    shown = capsys.readouterr().out
    assert f"{SHARED.text} in the copy: not there" in shown
    assert "Verified 1 problem in 3 objects" in shown
