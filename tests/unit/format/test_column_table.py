import struct

import pytest
from hypothesis import strategies as st

from everlog.format.column_table import Column, ColumnTable, Layout
from everlog.format.errors import CorruptObjectError
from tests.unit.format.samples import given

LAYOUT = Layout(
    Column("time", "q", differences=True),
    Column("size", "Q"),
    Column("name", "3s"),
    Column("kind", "H"),
    Column("sum", "I"),
)
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2**64 - 1),
        st.binary(min_size=3, max_size=3),
        st.integers(0, 2**16 - 1),
        st.integers(0, 2**32 - 1),
    ),
    max_size=20,
)


@given(ROWS)
def test_rows_come_back_as_they_were_stored(rows: list[tuple[int, int, bytes, int, int]]) -> None:
    table = ColumnTable.of_rows(LAYOUT, rows)
    assert len(table) == len(rows)
    assert [table.row(index) for index in range(len(table))] == rows
    assert list(table.ints("time")) == [row[0] for row in rows]
    assert list(table.ints("size")) == [row[1] for row in rows]
    assert table.blobs("name") == [row[2] for row in rows]
    assert list(table.ints("kind")) == [row[3] for row in rows]
    assert ColumnTable.of_bytes(LAYOUT, table.data, "test") == table


@given(ROWS)
def test_differences_lose_nothing_even_at_the_ends_of_the_numbers(
    rows: list[tuple[int, int, bytes, int, int]],
) -> None:
    table = ColumnTable.of_rows(LAYOUT, rows)
    assert ColumnTable.of_differences(LAYOUT, table.with_differences(), "test") == table


@given(ROWS, st.data())
def test_slices_join_to_the_whole(
    rows: list[tuple[int, int, bytes, int, int]], data: st.DataObject
) -> None:
    table = ColumnTable.of_rows(LAYOUT, rows)
    cut = data.draw(st.integers(0, len(rows)))
    head, rest = table.sliced(0, cut), table.sliced(cut, len(rows))
    assert len(head) == cut
    assert head.joined(rest) == table


def test_columns_lie_one_after_the_other_little_endian() -> None:
    table = ColumnTable.of_rows(LAYOUT, [(-1, 2, b"abc", 3, 4), (5, 6, b"def", 7, 8)])
    assert table.data == struct.pack("<qqQQ3s3sHHII", -1, 5, 2, 6, b"abc", b"def", 3, 7, 4, 8)
    assert table.with_differences()[:16] == struct.pack("<qq", -1, 6)


def test_part_of_a_row_is_corrupt() -> None:
    table = ColumnTable.of_rows(LAYOUT, [(1, 2, b"abc", 3, 4)])
    with pytest.raises(CorruptObjectError):
        ColumnTable.of_bytes(LAYOUT, table.data[:-1], "test")
    with pytest.raises(CorruptObjectError):
        ColumnTable.of_differences(LAYOUT, table.data + b"x", "test")
