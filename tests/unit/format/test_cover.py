"""The log that segment objects make up, by nothing but their names."""

from itertools import pairwise
from random import Random

import pytest

from everlog.format.cover import SegmentFile, cover
from everlog.format.object_keys import SegmentKey, Stamp
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from tests.unit.format.samples import PATH, uid


def file(base: int, end: int, *, owner: int = 1, ver: int = 1, size: int = 100) -> SegmentFile:
    stamp = Stamp(LeaderEpoch(owner), owner, ver)
    number = (base << 40) + (end << 20) + owner * 1000 + ver
    key = SegmentKey(
        path=PATH, offsets=OffsetRange(Offset(base), Offset(end)), stamp=stamp, uid=uid(number)
    )
    return SegmentFile(key=key, size=size)


def log(*ends: int, owner: int = 1, ver: int = 1) -> list[SegmentFile]:
    starts = (0, *ends)
    return [
        file(start, end, owner=owner, ver=ver + number)
        for number, (start, end) in enumerate(zip(starts, ends, strict=False))
    ]


def test_objects_that_follow_each_other_are_a_log() -> None:
    files = log(10, 20, 35)
    found = cover(reversed(files))
    assert found.chosen == files
    assert not found.left_out


def test_nothing_makes_up_nothing() -> None:
    assert not cover([]).chosen


def test_of_two_that_cover_the_same_the_newer_is_taken() -> None:
    older, newer = log(10, 20), file(10, 20, owner=2, ver=3)
    found = cover([*older, newer])
    assert found.chosen == [older[0], newer]
    assert found.left_out == [older[1]]
    assert not found.beyond


@pytest.mark.rule("TIER-15")
def test_there_is_no_gap_and_no_overlap_inside() -> None:
    random = Random(7)
    for _ in range(300):
        files: dict[bytes, SegmentFile] = {}
        for _ in range(random.randrange(12)):
            base = random.randrange(20)
            made = file(
                base,
                base + random.randrange(1, 6),
                owner=random.randrange(1, 4),
                ver=random.randrange(1, 9),
            )
            files[made.key.uid] = made
        found = cover(files.values())
        chosen = [each.key.offsets for each in found.chosen]
        assert all(before.end == after.start for before, after in pairwise(chosen))
        assert {each.key.uid for each in (*found.chosen, *found.left_out)} == files.keys()
        assert bool(found.chosen) == bool(files)


def test_an_upload_behind_one_that_came_to_nothing_does_not_count() -> None:
    # Four go up side by side; the broker was lost before the first had arrived.
    files = log(10, 20, 30)
    stray = [file(40, 50, ver=4), file(50, 60, ver=4)]
    found = cover([*files, *stray])
    assert found.chosen == files
    assert found.beyond == stray


def test_expired_objects_that_are_half_deleted_do_not_count() -> None:
    rest, files = log(10), [file(20, 30, ver=3), file(30, 40, ver=4), file(40, 50, ver=5)]
    assert cover([*rest, *files]).chosen == files


def test_what_an_earlier_owner_never_committed_does_not_win_by_being_longer() -> None:
    # It was made for the third commit, and the next owner has made another third commit.
    committed = log(10, 20)
    lost = file(20, 99, ver=3)
    after = [file(20, 25, owner=2, ver=3), file(25, 30, owner=2, ver=4)]
    assert cover([*committed, lost, *after]).chosen == [*committed, *after]


def test_a_rewrite_that_was_broken_off_does_not_end_the_log() -> None:
    files = log(10, 20, 30)
    half = file(0, 15, owner=2, ver=7)
    found = cover([*files, half])
    assert found.chosen == files
    assert found.left_out == [half]


def test_a_rewrite_takes_the_place_of_what_it_replaces() -> None:
    files, whole = log(10, 20, 30), file(0, 20, owner=2, ver=7)
    assert cover([*files, whole]).chosen == [whole, files[2]]
