import pytest
from hypothesis import strategies as st

from everlog.format.folding import Folding, folded
from everlog.format.lookup import entries_at, entry_at, entry_at_time
from everlog.format.manifest import append, first_root
from everlog.format.retention import Cut, expired
from everlog.format.root import Root
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, given, stamp, uid, uids

SMALL = Folding(entries=4, small_pages=2, large_pages=2)


def tiered(times: list[int], pages: Pages) -> Root:
    """Ten offsets for each entry, from 100 on, committed three at a time."""
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(100), created_ms=NOW_MS)
    fresh = uids()
    made = [
        entry(100 + index * 10, 110 + index * 10, max_timestamp=time)
        for index, time in enumerate(times)
    ]
    for at in range(0, len(made), 3):
        root = append(root, made[at : at + 3], end_epoch=LeaderEpoch(3))
        walk = folded(root, uids=fresh, not_before_ms=0, folding=SMALL)
        fold = drive(walk, pages.load)
        pages.put(fold.pages)
        root = fold.root
    return root


@given(
    st.lists(st.integers(-1, 12), max_size=45),
    st.integers(0, 44),
    st.integers(-1, 13),
)
def test_a_time_finds_the_first_object_that_reaches_it_whatever_the_order_of_times(
    times: list[int], dropped: int, wanted: int
) -> None:
    pages = Pages()
    root = tiered(times, pages)
    dropped = min(dropped, len(times))
    cut = Cut(start=Offset(100 + dropped * 10))
    root = drive(expired(root, cut, not_before_ms=0), pages.load)
    late = (index for index in range(dropped, len(times)) if times[index] >= wanted)
    first = next(late, None)
    found = drive(entry_at_time(root, wanted), pages.load)
    assert (found and found.offsets.start) == (None if first is None else 100 + first * 10)


def test_an_object_whose_late_records_were_deleted_can_be_passed_over() -> None:
    root = tiered([9, 1, 9], Pages())
    first = drive(entry_at_time(root, 5), Pages().load)
    assert first is not None
    assert first.offsets.start == 100
    after = drive(entry_at_time(root, 5, start=first.offsets.end), Pages().load)
    assert after is not None
    assert after.offsets.start == 120


@pytest.mark.parametrize(("offset", "base"), [(99, None), (100, 100), (109, 100), (500, None)])
def test_an_offset_finds_the_object_that_covers_it(offset: int, base: int | None) -> None:
    pages = Pages()
    root = tiered([1] * 40, pages)
    found = drive(entry_at(root, Offset(offset)), pages.load)
    assert (found and found.offsets.start) == base


@pytest.mark.rule("BP-D11")
def test_a_lookup_reads_at_most_an_index_page_and_a_page() -> None:
    pages = Pages()
    root = tiered([1] * 46, pages)
    assert set(root.refs.rows.ints("level")) == {1, 2}
    for offset in range(100, 560):
        pages.loads = 0
        found = drive(entry_at(root, Offset(offset)), pages.load)
        assert found is not None
        assert offset in found.offsets
        assert pages.loads <= 2
    assert pages.loads == 0, "the newest entries are in the root"


@pytest.mark.rule("TIER-20")
def test_a_scan_goes_from_table_to_table() -> None:
    pages = Pages()
    root = tiered([1] * 46, pages)
    offset, rows = root.tiered_start, 0
    while offset < root.tiered_end:
        table = drive(entries_at(root, offset), pages.load)
        assert table.base <= offset < table.end
        rows += len(table) - table.index_after(offset)
        offset = Offset(table.end)
    assert rows == 46
