from dataclasses import replace

import pytest
from hypothesis import strategies as st

from everlog.format.column_table import ColumnTable
from everlog.format.entries import (
    ENTRY_LAYOUT,
    EntryFlag,
    Totals,
    entries_fault,
    entry_of,
    entry_table,
    entry_totals,
    with_origins,
)
from everlog.format.page_refs import all_flags
from everlog.format.span_table import SpanTable
from everlog.model.storage_class import StorageClass
from tests.unit.format.samples import PATH, entries, entry, given, stamp, uid

LENGTHS = st.lists(st.integers(1, 1 << 40), max_size=30)


@given(st.integers(), LENGTHS, st.integers(0, 1 << 40))
def test_entries_come_back_as_they_were_stored(seed: int, lengths: list[int], base: int) -> None:
    made = entries(seed, lengths, base=base)
    table = entry_table(base, made)
    assert [entry_of(table, index) for index in range(len(table))] == made
    assert table.end == base + sum(lengths)
    assert entries_fault(table) is None
    assert entry_totals(table) == sum((one.totals for one in made), Totals())


def test_an_entry_rebuilds_the_name_of_its_object() -> None:
    key = entry(5, 9, ver=77).key(PATH)
    assert (key.offsets.start, key.offsets.end) == (5, 9)
    assert key.stamp == stamp(77)
    assert key.uid == uid(5)
    assert key.text.startswith(PATH.segments)


def test_flags_say_what_a_search_wants_to_know() -> None:
    assert entry(0, 1).flags == EntryFlag(0)
    assert entry(0, 1, aborted=True).flags == EntryFlag.ABORTED
    assert entry(0, 1, max_timestamp=-1).flags == EntryFlag.UNTIMED


@pytest.mark.rule("TIER-5")
def test_a_range_of_any_length_keeps_its_end() -> None:
    sparse = entry(3, 3 + (1 << 60))
    assert entry_of(entry_table(3, [sparse]), 0) == sparse


def test_entries_with_a_gap_are_not_stored() -> None:
    with pytest.raises(AssertionError):
        entry_table(0, [entry(0, 5), entry(6, 9)])


@pytest.mark.parametrize(
    ("column", "value"),
    [("size_bytes", 1000), ("ver", 10**12), ("epoch", 1 << 31), ("end", 0)],
)
def test_an_entry_that_cannot_be_is_a_fault(column: str, value: int) -> None:
    good = entry_table(0, [entry(0, 5)])
    row = list(good.rows.row(0))
    row[[one.name for one in ENTRY_LAYOUT.columns].index(column)] = value
    bad = SpanTable(base=0, rows=ColumnTable.of_rows(ENTRY_LAYOUT, [row]))
    assert entries_fault(good) is None
    assert entries_fault(bad)


def test_sums_below_zero_are_not_sound() -> None:
    assert (Totals(entries=2) - Totals(entries=2)).is_sound
    assert not (Totals(bytes=1) - Totals(bytes=2)).is_sound
    assert replace(Totals(), records=3) + Totals(records=4) == Totals(records=7)


@pytest.mark.parametrize("number", [0, int(StorageClass.GLACIER_IR), 200])
def test_a_storage_class_is_kept_beside_the_origin_also_one_that_is_not_known(number: int) -> None:
    made = replace(entry(0, 10), origin=7, class_number=number)
    table = entry_table(0, [made])
    found = entry_of(table, 0)
    assert (found.class_number, found.origin) == (number, 7)
    assert bool(found.flags & EntryFlag.CLASSED) == bool(number)
    moved = entry_of(with_origins(table, [0] * 8), 0)
    assert (moved.class_number, moved.origin) == (number, 0)


def test_a_page_knows_that_some_object_has_a_class_and_not_which() -> None:
    made = [entry(0, 10), replace(entry(10, 20), class_number=5)]
    assert all_flags(entry_table(0, made)) == EntryFlag.CLASSED
    assert all_flags(entry_table(0, made[:1])) == EntryFlag(0)
