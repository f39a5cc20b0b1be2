"""Results survive being written down, and only full ones are shown."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.comparison import EVERLOG, KAFKA
from bench.errors import BenchError
from bench.results import Result, from_json, load, newest, save, to_json
from bench.sample import Sample, Samples


def result(
    started: str = "20260131T120000Z",
    *,
    suite: str = "produce",
    rounds: int = 5,
    peers: tuple[str, ...] = (KAFKA, EVERLOG),
) -> Result:
    return Result(
        suite=suite,
        started=started,
        machine={"cores": 2},
        versions={"kafka": "4.1.0"},
        options={"rounds": rounds, "quick": False},
        load_before=[0.5, 0.4, 0.3],
        load_after=[1.5, 0.9, 0.5],
        samples=Samples(
            tuple(
                Sample(round=turn, peer=peer, case="1MB/always", metrics={"mb_per_s": 12.5})
                for turn in range(rounds)
                for peer in peers
            )
        ),
    )


def test_a_result_is_read_as_it_was_written() -> None:
    failed = Sample(round=0, peer=KAFKA, case="*", error='it said "no"\nand ended')
    written = replace(result(), samples=Samples((*result().samples.all, failed)))
    assert from_json(to_json(written)) == written


def test_a_sample_is_one_line_of_the_file() -> None:
    lines = to_json(result(rounds=5)).splitlines()
    assert sum('"mb_per_s": 12.5' in line for line in lines) == 10


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', '{"format": 2}'])
def test_another_document_is_refused(text: str) -> None:
    with pytest.raises(BenchError):
        from_json(text)


def test_a_file_is_named_by_time_and_suite(tmp_path: Path) -> None:
    path = save(result(), tmp_path / "results")
    assert path.name == "20260131T120000Z-produce.json"
    assert load([path]) == [result()]


def test_the_newest_of_each_suite_is_shown() -> None:
    old, new = result("20260131T120000Z"), result("20260201T120000Z")
    other = result("20260115T120000Z", suite="start")
    assert newest([new, other, old]) == {"produce": new, "start": other}


@pytest.mark.parametrize(
    "lesser",
    [
        result("20260301T120000Z", rounds=4),
        result("20260301T120000Z", peers=(KAFKA,)),
        replace(result("20260301T120000Z"), options={"rounds": 5, "quick": True}),
    ],
    ids=["too few rounds", "one peer", "quick"],
)
def test_a_lesser_result_does_not_hide_a_full_one(lesser: Result) -> None:
    assert newest([result(), lesser]) == {"produce": result()}


def test_a_suite_says_who_takes_part_and_how_often() -> None:
    alone = result("20260301T120000Z", suite="tier-memory", rounds=1, peers=(EVERLOG,))
    options = {"rounds": 1, "rounds_min": 1, "peers": [EVERLOG]}
    assert replace(alone, options=options).publishable
    assert not alone.publishable


def test_a_peer_that_only_failed_took_no_part() -> None:
    failed = Sample(round=0, peer=EVERLOG, case="*", error="it ended")
    alone = result(peers=(KAFKA,))
    assert not replace(alone, samples=Samples((*alone.samples.all, failed))).publishable
