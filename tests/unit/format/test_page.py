import tracemalloc
import zlib
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import strategies as st

from everlog.format.entries import EntryFlag, entry_table, entry_totals
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.page import PAGE_ROWS_MAX, NewPage, decode_page, new_page
from everlog.format.page_refs import ENTRY_PAGE, INDEX_PAGE, PageId, ref_table, ref_totals
from everlog.format.sealing import sealed
from everlog.model.errors import EverlogError
from everlog.model.ids import TopicId
from tests.unit.format.samples import PATH, damaged, entries, entry, given, uid

ROWS = entry_table(40, entries(1, [3, 1, 900, 7], base=40))
PAGE = new_page(PATH, ROWS, level=ENTRY_PAGE, uid=uid(9))
HEADER_BYTES = 68


def resealed(page: NewPage, body: bytes) -> tuple[bytes, PageId]:
    """A page with another body and a checksum and a hash that match it."""
    data = sealed(body)
    return data, replace(page.ref.page, sha256=sha256(data).digest())


@given(st.integers(), st.lists(st.integers(1, 1 << 40), min_size=1, max_size=40))
def test_a_page_of_entries_comes_back_as_it_was_written(seed: int, lengths: list[int]) -> None:
    rows = entry_table(11, entries(seed, lengths, base=11))
    page = new_page(PATH, rows, level=ENTRY_PAGE, uid=uid(1))
    found = decode_page(page.body, page.ref.page, path=PATH)
    assert found.rows == rows
    assert list(found.rows.running_max) == list(rows.running_max)
    assert found.id == page.ref.page


def test_an_index_page_comes_back_as_it_was_written() -> None:
    later = new_page(PATH, entry_table(951, [entry(951, 960)]), level=ENTRY_PAGE, uid=uid(8))
    refs = ref_table(40, [PAGE.ref, later.ref])
    page = new_page(PATH, refs, level=INDEX_PAGE, uid=uid(7))
    assert decode_page(page.body, page.ref.page, path=PATH).rows == refs
    assert page.ref.totals == ref_totals(refs)


def test_a_reference_says_what_the_page_holds() -> None:
    ref = PAGE.ref
    assert ref.totals == entry_totals(ROWS)
    assert ref.max_timestamp == max(ROWS.rows.ints("max_timestamp"))
    assert (ref.page.offsets.start, ref.page.offsets.end) == (40, 951)
    assert ref.page.sha256 == sha256(PAGE.body).digest()
    untimed = entry_table(0, [entry(0, 1, aborted=True), entry(1, 2, max_timestamp=-1)])
    flags = new_page(PATH, untimed, level=ENTRY_PAGE, uid=uid(1)).ref.flags
    assert flags == EntryFlag.ABORTED | EntryFlag.UNTIMED


@given(damaged(PAGE.body))
def test_any_damage_is_corruption_by_the_hash_alone(data: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        decode_page(data, PAGE.ref.page, path=PATH)


@given(damaged(PAGE.body))
def test_any_damage_is_corruption_by_the_checksum_too(data: bytes) -> None:
    page = replace(PAGE.ref.page, sha256=sha256(data).digest())
    with pytest.raises(CorruptObjectError):
        decode_page(data, page, path=PATH)


@given(damaged(PAGE.body[:-4]))
def test_a_forged_page_is_refused_or_consistent_and_never_an_accident(body: bytes) -> None:
    data, page = resealed(PAGE, body)
    try:
        found = decode_page(data, page, path=PATH)
    except (CorruptObjectError, UnsupportedFormatError):
        return
    assert found.rows.base == page.offsets.start
    assert found.rows.end == page.offsets.end


@given(damaged(ROWS.rows.with_differences()))
def test_forged_rows_are_refused_or_consistent_and_never_an_accident(rows: bytes) -> None:
    data, page = resealed(PAGE, PAGE.body[:HEADER_BYTES] + zlib.compress(rows))
    try:
        found = decode_page(data, page, path=PATH)
    except CorruptObjectError:
        return
    assert found.rows.fault() is None
    assert found.rows.end == page.offsets.end


def test_a_page_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = zlib.compress(bytes(1 << 26))
    data, page = resealed(PAGE, PAGE.body[:HEADER_BYTES] + bomb)
    tracemalloc.start()
    with pytest.raises(CorruptObjectError, match="rows are not"):
        decode_page(data, page, path=PATH)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 22


def test_a_sound_page_with_other_rows_is_refused_by_the_hash() -> None:
    others = [entry(40, 43), entry(43, 951)]
    page = new_page(PATH, entry_table(40, others), level=ENTRY_PAGE, uid=uid(9))
    with pytest.raises(CorruptObjectError, match="SHA-256"):
        decode_page(page.body, PAGE.ref.page, path=PATH)


@pytest.mark.parametrize("rows", [0, PAGE_ROWS_MAX + 1, 2**32 - 1])
def test_a_page_that_claims_too_many_rows_is_refused(rows: int) -> None:
    body = PAGE.body[:48] + rows.to_bytes(4, "little") + PAGE.body[52:-4]
    data, page = resealed(PAGE, body)
    with pytest.raises(CorruptObjectError, match="claims"):
        decode_page(data, page, path=PATH)


@pytest.mark.parametrize(
    "other",
    [
        replace(PAGE.ref.page, uid=uid(10)),
        replace(PAGE.ref.page, level=INDEX_PAGE),
        replace(PAGE.ref.page, offsets=entry(41, 951).offsets),
    ],
)
def test_another_page_under_this_name_is_refused(other: PageId) -> None:
    with pytest.raises(CorruptObjectError, match="instead of"):
        decode_page(PAGE.body, other, path=PATH)


def test_the_page_of_another_partition_is_refused() -> None:
    for path in (replace(PATH, partition=8), replace(PATH, topic_id=TopicId(bytes(16)))):
        with pytest.raises(EverlogError, match="instead of"):
            decode_page(PAGE.body, PAGE.ref.page, path=path)


def test_a_later_format_asks_for_a_newer_version() -> None:
    data, page = resealed(PAGE, PAGE.body[:8] + b"\3\0" + PAGE.body[10:-4])
    with pytest.raises(UnsupportedFormatError):
        decode_page(data, page, path=PATH)
