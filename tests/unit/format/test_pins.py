"""What clones need stays in the trash of its source, with every page that leads to it."""

from dataclasses import replace

from hypothesis import strategies as st

from everlog.format.object_keys import SegmentKey
from everlog.format.page_refs import PageId
from everlog.format.pins import EVERYTHING, NOTHING, Pin, deletable, is_pinned
from everlog.format.trash import (
    Trash,
    Trashed,
    TrashedPage,
    TrashedRange,
    TrashedRoot,
    TrashedSegment,
    TrashItem,
    TrashLock,
)
from everlog.model.offsets import Offset, OffsetRange
from tests.unit.format.samples import NOW_MS, PATH, given, stamp, uid
from tests.unit.format.test_cloning import STEPS, CloneHistory, elsewhere, grown, run


def pin(start: int, end: int, *, ver: int = 9) -> Pin:
    return Pin(start=Offset(start), end=Offset(end), ver=ver)


def span(start: int, end: int) -> OffsetRange:
    return OffsetRange(Offset(start), Offset(end))


def segment(start: int, end: int, *, ver: int = 5) -> TrashedSegment:
    return TrashedSegment(offsets=span(start, end), stamp=stamp(ver), uid=uid(start))


def page(start: int, end: int) -> TrashedPage:
    return TrashedPage(offsets=span(start, end), uid=uid(10_000 + start))


def within(start: int, end: int, *, first: int, last: int) -> TrashedRange:
    whole = PageId(level=1, offsets=span(first, last), uid=uid(10_000 + first), sha256=bytes(32))
    return TrashedRange(offsets=span(start, end), page=whole)


def left(things: list[Trashed], *pins: Pin) -> list[Trashed]:
    """What stays."""
    items = [TrashItem(0, thing) for thing in things]
    gone = deletable(items, pins, stays=lambda item: item.is_locked(NOW_MS), items_max=1000)
    return [thing for place, thing in enumerate(things) if place not in gone]


def test_an_object_stays_while_a_clone_may_list_it() -> None:
    things: list[Trashed] = [segment(0, 10), segment(10, 20), segment(20, 30)]
    assert left(things, pin(10, 20)) == [things[1]]
    assert left(things, pin(9, 21)) == things
    assert left(things, pin(0, 10), pin(25, 26)) == [things[0], things[2]]
    assert left(things) == []


def test_what_is_locked_stays_until_then_and_nothing_waits_for_it() -> None:
    locked, over = (
        replace(segment(at, at + 10), lock=TrashLock(NOW_MS + after, 1))
        for at, after in ((0, 1), (10, 0))
    )
    things: list[Trashed] = [locked, over, segment(20, 30), page(0, 30)]
    assert left(things) == [locked]


def test_the_page_that_leads_to_what_is_locked_stays_with_it() -> None:
    locked = replace(within(0, 10, first=0, last=30), lock=TrashLock(NOW_MS + 1, 1))
    behind = within(10, 30, first=0, last=30)
    things: list[Trashed] = [locked, page(0, 30), behind, page(40, 50)]
    assert left(things) == [locked, page(0, 30), behind]


def test_an_object_that_was_made_after_the_clone_goes() -> None:
    assert left([segment(0, 10, ver=10)], pin(0, 10, ver=9)) == []
    assert left([segment(0, 10, ver=9)], pin(0, 10, ver=9)) != []


def test_old_roots_go_whatever_is_pinned() -> None:
    root = TrashedRoot(stamp=stamp(1), uid=uid(1))
    assert left([root, segment(0, 10), root], EVERYTHING) == [segment(0, 10)]


def test_a_clone_that_needs_nothing_holds_nothing() -> None:
    assert NOTHING.is_over
    assert pin(20, 20).is_over
    assert left([segment(0, 10), segment(10, 20)], NOTHING, pin(20, 20)) == []


def test_a_page_stays_with_the_range_that_is_told_by_it() -> None:
    kept = within(0, 50, first=0, last=100)
    things: list[Trashed] = [kept, page(0, 100), page(200, 300)]
    assert left(things, pin(0, 10)) == things[:2]
    assert left(things, pin(200, 300)) == []


def test_a_range_that_ends_a_page_stays_with_an_earlier_range_of_it() -> None:
    # Its last item deletes the page itself, and only the page tells what the first stands for.
    things: list[Trashed] = [
        within(0, 50, first=0, last=100),
        within(50, 100, first=0, last=100),
        within(100, 200, first=100, last=200),
    ]
    assert left(things, pin(0, 10)) == things[:2]


def test_no_more_than_asked_for_are_named_and_pinned_ones_are_in_nobody_s_way() -> None:
    items = [TrashItem(0, segment(at, at + 10)) for at in range(0, 100, 10)]
    assert deletable(
        items, [pin(0, 50)], stays=lambda item: item.is_locked(NOW_MS), items_max=3
    ) == [5, 6, 7]


def test_trash_without_some_of_its_items_has_the_others_in_their_order() -> None:
    trash = Trash().added([segment(0, 10)], not_before_ms=5)
    trash = trash.added([page(0, 100), segment(10, 20)], not_before_ms=7)
    some = trash.dropped([1])
    assert [item.thing for item in some.items()] == [segment(0, 10), segment(10, 20)]
    assert Trash.of_bytes(some.data, len(some)) == some


def test_a_name_is_pinned_as_an_item_of_trash_would_be() -> None:
    key = SegmentKey(path=PATH, offsets=span(10, 20), stamp=stamp(5), uid=uid(3))
    assert is_pinned(key, [pin(0, 11)])
    assert not is_pinned(key, [pin(0, 10), pin(20, 30), pin(0, 99, ver=4)])


@given(st.integers(0, 2**32), STEPS, STEPS, examples=25)
def test_whatever_becomes_of_a_source_no_object_that_its_clone_lists_is_deletable(
    seed: int, before: str, after: str
) -> None:
    source = grown(seed, before)
    clone = CloneHistory(seed, source, elsewhere(1))
    listed = {one.key(home).text for home, one in clone.homes()}
    pins = [
        Pin(start=clone.root.live_start, end=each.end, ver=each.ver) for each in clone.root.origins
    ]
    run(source, after.replace("s", ""))
    items = list(source.root.trash.items())
    gone = deletable(items, pins, stays=lambda _: False, items_max=len(items))
    deleted = {name for place in gone for name in source.opened(items[place].thing)}
    assert deleted.isdisjoint(listed)
    # And nothing that stays is told by a page that goes.
    for place, item in enumerate(items):
        if place not in gone and isinstance(item.thing, TrashedRange):
            assert item.thing.page.key(PATH).text not in deleted
            assert deleted.isdisjoint(source.opened(item.thing))
