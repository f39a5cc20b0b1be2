import pytest
from hypothesis import strategies as st

from everlog.format.column_table import Column, ColumnTable, Layout
from everlog.format.span_table import SpanTable
from tests.unit.format.samples import given

LAYOUT = Layout(Column("end", "q"), Column("max_timestamp", "q"))
SPANS = st.lists(st.tuples(st.integers(1, 5), st.integers(-1, 20)), max_size=30)


def spans(lengths: list[tuple[int, int]], base: int) -> SpanTable:
    rows, end = [], base
    for length, timestamp in lengths:
        end += length
        rows.append((end, timestamp))
    return SpanTable(base=base, rows=ColumnTable.of_rows(LAYOUT, rows))


@given(SPANS, st.integers(0, 50))
def test_each_offset_is_found_in_the_row_that_covers_it(
    lengths: list[tuple[int, int]], base: int
) -> None:
    table = spans(lengths, base)
    for index in range(len(table)):
        for offset in range(table.start_of(index), table.end_of(index)):
            assert table.index_after(offset) == index
    assert table.index_after(table.end) == len(table)
    assert table.fault() is None


@given(SPANS, st.integers(-2, 21), st.integers(0, 60))
def test_the_first_row_that_reaches_a_time_is_found_whatever_the_order_of_times(
    lengths: list[tuple[int, int]], timestamp: int, start: int
) -> None:
    table = spans(lengths, 10)
    wanted = [
        index
        for index, (_, found) in enumerate(lengths)
        if found >= timestamp and table.end_of(index) > start
    ]
    assert table.index_at_time(timestamp, start=start) == (wanted[0] if wanted else None)


@given(SPANS, st.data())
def test_dropped_and_joined_rows_keep_their_places(
    lengths: list[tuple[int, int]], data: st.DataObject
) -> None:
    table = spans(lengths, 7)
    cut = data.draw(st.integers(0, len(table)))
    rest = table.dropped(cut)
    assert rest.base == table.start_of(cut)
    assert table.sliced(0, cut).joined(rest) == table
    assert rest.max_timestamp == max((found for _, found in lengths[cut:]), default=None)


@pytest.mark.parametrize(("base", "ends"), [(0, [3, 3]), (0, [3, 2]), (5, [5]), (-1, [3])])
def test_ranges_that_do_not_rise_are_a_fault(base: int, ends: list[int]) -> None:
    table = SpanTable(base=base, rows=ColumnTable.of_rows(LAYOUT, [(end, 0) for end in ends]))
    assert table.fault()


def test_rows_that_do_not_meet_cannot_be_joined() -> None:
    with pytest.raises(AssertionError):
        spans([(3, 0)], 0).joined(spans([(3, 0)], 4))
