import pytest

from everlog.format.entries import EntryFlag, Totals
from everlog.format.page_refs import (
    ENTRY_PAGE,
    INDEX_PAGE,
    PageId,
    PageRef,
    all_flags,
    ref_of,
    ref_table,
    ref_totals,
    refs_fault,
)
from everlog.model.offsets import Offset, OffsetRange
from tests.unit.format.samples import PATH, uid

NONE = EntryFlag(0)
BOTH = frozenset({ENTRY_PAGE, INDEX_PAGE})


def ref(base: int, end: int, *, level: int = ENTRY_PAGE, flags: EntryFlag = NONE) -> PageRef:
    page = PageId(
        level=level,
        offsets=OffsetRange(Offset(base), Offset(end)),
        uid=uid(base),
        sha256=bytes(range(32)),
    )
    totals = Totals(entries=512, records=end - base, bytes=1 << 36, data_bytes=(1 << 36) - 9)
    return PageRef(page=page, max_timestamp=-1, totals=totals, flags=flags)


def test_references_come_back_as_they_were_stored() -> None:
    made = [
        ref(4, 9, level=INDEX_PAGE, flags=EntryFlag.ABORTED),
        ref(9, 10, flags=EntryFlag.UNTIMED),
        ref(10, 1 << 62),
    ]
    table = ref_table(4, made)
    assert [ref_of(table, index) for index in range(3)] == made
    assert ref_totals(table) == made[0].totals + made[1].totals + made[2].totals
    assert all_flags(table) == EntryFlag.ABORTED | EntryFlag.UNTIMED
    assert refs_fault(table, levels=BOTH) is None


def test_a_reference_is_96_bytes_and_names_its_page() -> None:
    table = ref_table(4, [ref(4, 9)])
    assert len(table.rows.data) == 96
    assert ref_of(table, 0).page.key(PATH).text.startswith(PATH.pages)


def test_pages_of_a_level_that_does_not_belong_are_a_fault() -> None:
    assert refs_fault(ref_table(0, [ref(0, 1, level=3)]), levels=BOTH)
    index = ref_table(0, [ref(0, 1, level=INDEX_PAGE)])
    assert refs_fault(index, levels=frozenset({ENTRY_PAGE}))


def test_an_index_page_after_a_page_of_entries_is_a_fault() -> None:
    table = ref_table(0, [ref(0, 1), ref(1, 2, level=INDEX_PAGE)])
    assert refs_fault(table, levels=BOTH)


def test_references_with_a_gap_are_not_stored() -> None:
    with pytest.raises(AssertionError):
        ref_table(0, [ref(0, 5), ref(6, 9)])
