"""Bytes by storage class, of trees of pages of every shape."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from everlog.format.class_sums import class_sums
from everlog.format.folding import Folding, folded
from everlog.format.manifest import append, first_root
from everlog.format.page import Page
from everlog.format.page_refs import PageId
from everlog.format.retention import Cut, expired
from everlog.format.root import Root
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import PATH, Pages, entry, given, next_root, stamp, uid, uids

SMALL_PAGES = Folding(entries=4, small_pages=2, large_pages=2)


def grown(classes: Sequence[int], pages: Pages, folding: Folding) -> Root:
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=0)
    fresh = uids()
    for number, class_number in enumerate(classes):
        made = entry(number, number + 1, data_bytes=100 + number)
        made = replace(made, class_number=class_number)
        root = append(next_root(root, number), [made], end_epoch=LeaderEpoch(3))
        draft = drive(folded(root, uids=fresh, not_before_ms=0, folding=folding), pages.load)
        pages.put(draft.pages)
        root = draft.root
    return root


@given(
    st.lists(st.sampled_from([0, 0, 0, 1, 4, 200]), min_size=1, max_size=40),
    st.integers(0, 40),
    examples=40,
)
def test_every_live_byte_is_in_the_class_of_its_object(classes: list[int], start: int) -> None:
    pages = Pages()
    root = next_root(grown(classes, pages, SMALL_PAGES), 99)
    root = drive(expired(root, Cut(start=Offset(start)), not_before_ms=0), pages.load)
    expected: Counter[int] = Counter()
    for number, class_number in enumerate(classes[start:], start=start):
        expected[class_number] += 200 + number
    assert drive(class_sums(root), pages.load) == expected


def test_pages_without_a_class_are_not_read() -> None:
    root = grown([0] * 40, Pages(), SMALL_PAGES)
    assert len(root.refs)

    def load(page: PageId) -> Page:
        raise AssertionError(page)

    assert drive(class_sums(root), load) == {0: root.totals.bytes}


def test_what_has_expired_counts_no_more_although_a_page_still_lists_it() -> None:
    pages = Pages()
    root = next_root(grown([1] * 30, pages, SMALL_PAGES), 99)
    root = drive(expired(root, Cut(start=Offset(6)), not_before_ms=0), pages.load)
    assert root.refs.base < root.live_start == 6
    assert drive(class_sums(root), pages.load) == {1: root.totals.bytes}
