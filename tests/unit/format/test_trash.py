from dataclasses import replace

import pytest
from hypothesis import strategies as st

from everlog.format.entries import entry_table
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import PageKey, RootKey, SegmentKey
from everlog.format.page import Page, new_page
from everlog.format.page_refs import ENTRY_PAGE, INDEX_PAGE, PageId, ref_table
from everlog.format.trash import (
    Trash,
    Trashed,
    TrashedPage,
    TrashedRange,
    TrashedRoot,
    TrashedSegment,
    TrashItem,
    contents,
)
from everlog.model.offsets import Offset, OffsetRange
from tests.unit.format.samples import NOW_MS, PATH, damaged, entry, given, stamp, uid


def span(start: int, end: int) -> OffsetRange:
    return OffsetRange(Offset(start), Offset(end))


def page_id(start: int, end: int, *, level: int = ENTRY_PAGE) -> PageId:
    return PageId(level=level, offsets=span(start, end), uid=uid(start), sha256=b"s" * 32)


THINGS: list[Trashed] = [
    TrashedSegment(offsets=span(0, 9), stamp=stamp(4), uid=uid(1)),
    TrashedRoot(stamp=stamp(5), uid=uid(2)),
    TrashedPage(offsets=span(9, 1 << 50), uid=uid(3)),
    TrashedRange(offsets=span(10, 20), page=page_id(5, 30)),
    TrashedRange(offsets=span(5, 30), page=page_id(5, 30, level=INDEX_PAGE)),
]
ADDITIONS = st.lists(
    st.tuples(st.lists(st.sampled_from(THINGS), max_size=3), st.integers(0, 1 << 50)), max_size=6
)
TRASH = Trash().added(THINGS, not_before_ms=NOW_MS)


def filled(additions: list[tuple[list[Trashed], int]]) -> Trash:
    trash = Trash()
    for things, not_before_ms in additions:
        trash = trash.added(things, not_before_ms=not_before_ms)
    return trash


@given(ADDITIONS)
def test_the_names_in_the_trash_are_those_of_its_items(
    additions: list[tuple[list[Trashed], int]],
) -> None:
    named = set()
    for thing in (item.thing for item in filled(additions).items()):
        if not isinstance(thing, TrashedRange):
            named.add(thing.uid)
        elif thing.offsets.end == thing.page.offsets.end:
            named.add(thing.page.uid)
    assert filled(additions).uids() == named


@given(ADDITIONS)
def test_items_come_back_in_order_and_from_bytes(
    additions: list[tuple[list[Trashed], int]],
) -> None:
    trash = filled(additions)
    items = list(trash.items())
    assert [item.thing for item in items] == [one for things, _ in additions for one in things]
    assert Trash.of_bytes(trash.data, len(trash)) == trash
    assert Trash.of_bytes(trash.data, len(trash)).latest_ms == trash.latest_ms


@given(ADDITIONS, st.integers(0, 1 << 50))
def test_what_is_due_is_a_prefix_even_when_the_clock_went_back(
    additions: list[tuple[list[Trashed], int]], now_ms: int
) -> None:
    trash = filled(additions)
    due = trash.due(now_ms)
    items = list(trash.items())
    assert list(due) == items[: len(due)]
    assert all(item.not_before_ms > now_ms for item in items[len(due) :])
    asked = [at for things, at in additions for _ in things]
    kept = zip(items, asked, strict=True)
    assert all(item.not_before_ms >= asked_ms for item, asked_ms in kept)


@given(ADDITIONS, st.data())
def test_dropping_the_oldest_leaves_the_others(
    additions: list[tuple[list[Trashed], int]], data: st.DataObject
) -> None:
    trash = filled(additions)
    count = data.draw(st.integers(0, len(trash)))
    rest = trash.dropped(range(count))
    assert list(rest.items()) == list(trash.items())[count:]
    assert len(rest) == len(trash) - count


@given(damaged(TRASH.data))
def test_damaged_items_are_refused_or_whole(data: bytes) -> None:
    try:
        found = Trash.of_bytes(data, len(TRASH))
    except CorruptObjectError:
        return
    assert len(list(found.items())) == len(TRASH)


def test_items_out_of_order_are_refused() -> None:
    late = Trash().added(THINGS[:1], not_before_ms=9)
    early = Trash().added(THINGS[1:2], not_before_ms=8)
    with pytest.raises(CorruptObjectError, match="due before"):
        Trash.of_bytes(late.data + early.data, 2)


def test_things_name_their_objects() -> None:
    segment, root, page, *_ = (item.thing for item in TRASH.items())
    assert isinstance(segment, TrashedSegment)
    assert isinstance(segment.key(PATH), SegmentKey)
    assert isinstance(root, TrashedRoot)
    assert isinstance(root.key(PATH), RootKey)
    assert isinstance(page, TrashedPage)
    assert isinstance(page.key(PATH), PageKey)


def test_a_page_is_trash_by_a_range_only_when_the_range_goes_to_its_end() -> None:
    assert TRASH.uids() == {uid(1), uid(2), uid(3), uid(5)}
    part = Trash().added([THINGS[3]], not_before_ms=0)
    assert part.uids() == set()


ENTRIES = [entry(base, base + 10) for base in range(0, 50, 10)]
LEAF = new_page(PATH, entry_table(0, ENTRIES), level=ENTRY_PAGE, uid=uid(77))
LEAF_PAGE = Page(id=LEAF.ref.page, rows=entry_table(0, ENTRIES))


@pytest.mark.parametrize(("start", "end"), [(0, 50), (0, 20), (20, 40), (20, 50)])
def test_a_range_stands_for_the_segments_in_it_and_last_for_its_page(start: int, end: int) -> None:
    found = contents(TrashedRange(offsets=span(start, end), page=LEAF.ref.page), LEAF_PAGE)
    segments = [one for one in found if isinstance(one, TrashedSegment)]
    assert [one.offsets for one in segments] == [
        one.offsets for one in ENTRIES if start <= one.offsets.start and one.offsets.end <= end
    ]
    pages = found[len(segments) :]
    whole = (TrashedPage(offsets=LEAF.ref.page.offsets, uid=uid(77)),) if end == 50 else ()
    assert pages == whole


def test_a_segment_that_a_range_only_touches_is_kept() -> None:
    found = contents(TrashedRange(offsets=span(5, 15), page=LEAF.ref.page), LEAF_PAGE)
    assert found == ()


def test_a_range_of_an_index_page_stands_for_ranges_of_its_pages() -> None:
    refs = [replace(LEAF.ref, page=page_id(base, base + 50)) for base in (0, 50, 100)]
    page = page_id(0, 150, level=INDEX_PAGE)
    rows = Page(id=page, rows=ref_table(0, refs))
    found = contents(TrashedRange(offsets=span(70, 150), page=page), rows)
    assert found == (
        TrashedRange(offsets=span(70, 100), page=page_id(50, 100)),
        TrashedRange(offsets=span(100, 150), page=page_id(100, 150)),
        TrashedPage(offsets=span(0, 150), uid=page.uid),
    )
    assert contents(TrashedRange(offsets=span(0, 30), page=page), rows) == (
        TrashedRange(offsets=span(0, 30), page=page_id(0, 50)),
    )


def test_an_item_is_a_thing_and_a_time() -> None:
    trash = Trash().added(THINGS[:1], not_before_ms=NOW_MS)
    assert list(trash.items()) == [TrashItem(NOW_MS, THINGS[0])]
    assert trash.added((), not_before_ms=NOW_MS + 1) is trash


def test_old_roots_alone_are_not_worth_a_commit() -> None:
    roots = [each for each in THINGS if isinstance(each, TrashedRoot)]
    others = [each for each in THINGS if not isinstance(each, TrashedRoot)]
    trash = Trash().added(roots, not_before_ms=NOW_MS)
    assert (len(trash) > 0, trash.worth_from_ms) == (True, None)
    assert trash.added(others[:1], not_before_ms=NOW_MS + 5).worth_from_ms == NOW_MS + 5
