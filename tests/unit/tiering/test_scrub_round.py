"""Each object is due once in a round, whenever somebody asks, and all are read in the end."""

from functools import cache
from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import strategies as st

from everlog.format.folding import folded
from everlog.format.manifest import append, first_root
from everlog.format.retention import Cut, expired
from everlog.format.root import Root
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from service.tiering.scrub_round import (
    Stretch,
    entries_within,
    is_read_in,
    stretches,
    within,
)
from tests.unit.format.samples import (
    NOW_MS,
    PATH,
    Pages,
    entries,
    given,
    next_root,
    stamp,
    uid,
    uids,
)

ROUND_MS = 1000


@given(st.integers(0, 10**9), st.lists(st.integers(0, 700), max_size=30), st.integers(0, 10**6))
def test_stretches_cover_every_round_without_gap_or_overlap(
    begin_ms: int, steps: list[int], total: int
) -> None:
    times = list(accumulate([begin_ms, *steps]))
    found: list[Stretch] = []
    for since, now in pairwise(times):
        found += stretches(since, now, round_ms=ROUND_MS, total_bytes=total)
    for before, after in pairwise(found):
        if before.round_number == after.round_number:
            assert after.start == before.end
        else:
            assert (before.end, after.start) == (total, 0)
            assert after.round_number == before.round_number + 1


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 600), st.integers(0, 600))
def test_a_stretch_is_shared_out_among_those_that_it_touches(
    sizes: list[int], start: int, length: int
) -> None:
    stretch = Stretch(0, start, min(start + length, sum(sizes)))
    bases = [end - size for end, size in zip(accumulate(sizes), sizes, strict=True)]
    told = {
        byte
        for number, first, last in within(stretch, sizes)
        for byte in range(bases[number] + first, bases[number] + last)
    }
    assert told == set(range(stretch.start, stretch.end))


@given(st.integers(0, 2**32), st.floats(0.01, 1.0), st.integers(0, 10**6), examples=40)
def test_all_objects_are_read_within_as_many_rounds_as_their_share_asks(
    seed: int, share: float, first_round: int
) -> None:
    rounds = range(first_round, first_round + int(1 / share) + 2)
    for number in range(20):
        assert any(is_read_in(each, uid(seed + number), share=share) for each in rounds)


def test_a_share_of_all_objects_is_read_in_a_round() -> None:
    read = sum(is_read_in(3, uid(number), share=0.1) for number in range(5000))
    assert 400 < read < 600
    assert not any(is_read_in(3, uid(number), share=0.0) for number in range(100))


OBJECTS = 2100


@cache
def a_root() -> tuple[Root, Pages]:
    """A root of four pages and some entries of its own, with one offset for each object."""
    pages, names = Pages(), uids()
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    for base in range(0, OBJECTS, 500):
        made = entries(base, [1] * min(500, OBJECTS - base), base=base)
        root = append(next_root(root, base), made, end_epoch=LeaderEpoch(3))
        making = drive(folded(root, uids=names, not_before_ms=NOW_MS), pages.load)
        pages.put(making.pages)
        root = making.root
    assert len(root.refs) == 4
    return root, pages


@pytest.mark.parametrize("seed", range(8))
def test_every_live_object_begins_in_exactly_one_part_of_a_tier(seed: int) -> None:
    root, pages = a_root()
    random = Random(seed)
    cut = random.choice([0, 511, 512, random.randrange(OBJECTS)])
    root = drive(expired(root, Cut(start=Offset(cut)), not_before_ms=NOW_MS), pages.load)
    size = root.totals.bytes
    edges = sorted({0, size, *(random.randrange(size) for _ in range(6))})
    seen = [
        entry
        for start, end in pairwise(edges)
        for entry in drive(entries_within(root, start, end), pages.load)
    ]
    assert [entry.offsets.start for entry in seen] == list(range(cut, OBJECTS))
    pages.loads = 0
    drive(entries_within(root, size // 2, size // 2 + 1), pages.load)
    assert pages.loads <= 1, "only the page that is needed is read"
