import pytest

from service.hot.segment import Segment
from service.hot.segment_list import SegmentList


def segment(base: int, end: int) -> Segment:
    made = Segment("/log", base)
    made.next_offset = end
    return made


def three() -> SegmentList:
    return SegmentList([segment(0, 10), segment(10, 20), segment(30, 40)])


def test_an_offset_is_in_its_segment_or_before_the_next_one() -> None:
    found = three()
    bases = [found.at(offset) for offset in (0, 9, 10, 20, 29, 30, 39)]
    assert [each and each.base_offset for each in bases] == [0, 0, 10, 30, 30, 30, 30]
    assert found.at(40) is None


def test_the_active_segment_is_never_removed() -> None:
    found = three()
    assert [each.base_offset for each in found.remove_first(100)] == [0, 10]
    assert [each.base_offset for each in found.all] == [30]
    assert found.at(35) is found.all[0]


def test_one_segment_takes_the_place_of_adjacent_ones() -> None:
    found = three()
    merged = segment(0, 20)
    found.replace(found.all[:2], merged)
    assert found.at(15) is merged
    assert [each.base_offset for each in found.all] == [0, 30]


@pytest.mark.rule("TIER-5")
@pytest.mark.parametrize(
    ("rows", "base", "end"), [([0, 1], 0, 19), ([0, 1], 1, 20), ([0, 2], 0, 40), ([1, 2], 10, 40)]
)
def test_only_what_covers_the_same_offsets_may_take_the_place(
    rows: list[int], base: int, end: int
) -> None:
    found = three()
    with pytest.raises(AssertionError):
        found.replace([found.all[row] for row in rows], segment(base, end))
