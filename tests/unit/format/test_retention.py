import pytest

from everlog.format.folding import Folding, folded
from everlog.format.manifest import append, first_root
from everlog.format.page_refs import PageId
from everlog.format.retention import Cut, expired
from everlog.format.root import Root
from everlog.format.trash import TrashedRange, TrashedSegment
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, stamp, uid, uids

DUE_MS = NOW_MS + 1


def root_of(
    times: list[int], *, folding: Folding | None = None, pages: Pages | None = None
) -> Root:
    """Ten offsets and a thousand bytes for each entry."""
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    made = [
        entry(index * 10, index * 10 + 10, max_timestamp=time, created_ms=50)
        for index, time in enumerate(times)
    ]
    root = append(root, made, end_epoch=LeaderEpoch(3))
    if folding is None or pages is None:
        return root
    fold = drive(folded(root, uids=uids(), not_before_ms=0, folding=folding), pages.load)
    pages.put(fold.pages)
    return fold.root


def cut(root: Root, what: Cut, pages: Pages | None = None) -> Root:
    return drive(expired(root, what, not_before_ms=DUE_MS), (pages or Pages()).load)


def test_time_drops_the_head_up_to_the_first_entry_that_is_young_enough() -> None:
    root = cut(root_of([5, 9, 3, 12, 4]), Cut(before_ms=10))
    assert (root.live_start, root.tiered_start, root.tiered_end) == (30, 30, 50)
    assert root.totals.entries == 2, "an old entry behind a young one stays"


def test_an_entry_without_timestamps_expires_by_the_time_of_its_upload() -> None:
    assert cut(root_of([-1, 5]), Cut(before_ms=50)).live_start == 0
    assert cut(root_of([-1, 5]), Cut(before_ms=51)).live_start == 20


def test_entries_without_timestamps_do_not_go_with_their_page() -> None:
    pages = Pages()
    root = root_of([5, -1, 5, 5], folding=Folding(entries=4), pages=pages)
    assert cut(root, Cut(before_ms=50), pages).live_start == 10


def test_bytes_keep_at_least_what_was_asked_for() -> None:
    assert cut(root_of([1] * 5), Cut(data_bytes_max=3000)).totals.data_bytes == 3000
    assert cut(root_of([1] * 5), Cut(data_bytes_max=2999)).totals.data_bytes == 3000
    assert cut(root_of([1] * 5), Cut(data_bytes_max=3001)).totals.data_bytes == 4000
    assert cut(root_of([1] * 5), Cut(data_bytes_max=0)).totals.entries == 0


def test_deleting_records_up_to_the_middle_of_an_object_keeps_the_object() -> None:
    root = cut(root_of([1] * 5), Cut(start=Offset(25)))
    assert (root.live_start, root.tiered_start) == (20, 25)
    assert root.totals.entries == 3
    assert cut(root, Cut(start=Offset(7))).tiered_start == 25, "the start never goes back"


def test_a_start_above_the_tier_drops_everything_and_no_more() -> None:
    root = cut(root_of([1] * 5), Cut(start=Offset(1000)))
    assert root.live_start == root.tiered_start == root.tiered_end == 50
    assert root.max_timestamp is None


@pytest.mark.rule("TIER-10")
def test_what_is_dropped_is_in_the_trash_of_the_same_root() -> None:
    root = root_of([1] * 5)
    after = cut(root, Cut(start=Offset(20)))
    items = list(after.trash.items())
    assert [item.thing for item in items] == [
        TrashedSegment(offsets=one.offsets, stamp=one.stamp, uid=one.uid)
        for one in (entry(0, 10), entry(10, 20))
    ]
    assert {item.not_before_ms for item in items} == {DUE_MS}


def test_nothing_to_drop_changes_nothing() -> None:
    root = root_of([5, 9])
    assert cut(root, Cut(before_ms=5, data_bytes_max=5000)) == root


@pytest.mark.rule("TIER-40")
@pytest.mark.rule("TIER-50")
def test_whole_pages_go_by_reference_and_unread() -> None:
    pages = Pages()
    root = root_of([1] * 40, folding=Folding(entries=4), pages=pages)
    pages.loads = 0
    after = cut(root, Cut(start=Offset(360)), pages)
    assert after.live_start == 360
    assert pages.loads == 0
    assert len(after.trash) == 9
    assert all(isinstance(item.thing, TrashedRange) for item in after.trash.items())


def test_of_pages_only_the_one_that_goes_in_part_is_read() -> None:
    pages = Pages()
    root = root_of([1] * 40, folding=Folding(entries=4), pages=pages)
    pages.loads = 0
    after = cut(root, Cut(start=Offset(370)), pages)
    assert (after.live_start, after.totals.entries) == (370, 3)
    assert pages.loads == 1
    last = list(after.trash.items())[-1].thing
    assert isinstance(last, TrashedRange)
    assert (last.offsets.start, last.offsets.end) == (360, 370)


def test_a_cut_by_bytes_that_takes_nothing_reads_nothing() -> None:
    pages = Pages()
    root = root_of([1] * 40, folding=Folding(entries=4), pages=pages)

    def no_page(page: PageId) -> None:
        raise AssertionError(page)

    walk = expired(root, Cut(data_bytes_max=40_000), not_before_ms=0)
    assert drive(walk, no_page) == root  # type: ignore[arg-type]
