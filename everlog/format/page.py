"""Manifest pages: rows that have left the root, packed once and never changed.

Layout, little-endian::

    0  magic      8s  EVERLOGP         48 rows          u32, 1 to 4,096
    8  format     u16 1 or 2           52 first offset  i64
    10 level      u16 1 entries,       60 end offset    i64
                      2 references     68 columns of the rows, zlib (RFC 1950); some
    12 partition  u32                     columns hold differences (`Column`)
    16 topic id   16s                  -4 CRC-32C of everything before, u32
    32 uid        16s

Format 2 is that of a page of entries of which one was ever locked: they have a column more.
"""

import zlib
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct

from everlog.format.column_table import ColumnTable, Layout
from everlog.format.entries import (
    ENTRY_LAYOUT,
    PLAIN_LAYOUT,
    Totals,
    entries_fault,
    entry_totals,
    has_locks,
    not_plain,
    plain,
)
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import PartitionPath, Uid
from everlog.format.page_refs import (
    ENTRY_PAGE,
    INDEX_PAGE,
    REF_LAYOUT,
    PageId,
    PageRef,
    all_flags,
    ref_totals,
    refs_fault,
)
from everlog.format.sealing import sealed, unsealed
from everlog.format.span_table import SpanTable
from everlog.model.offsets import Offset, OffsetRange

PAGE_ROWS_MAX = 4096

_MAGIC = b"EVERLOGP"
_FORMAT = 1
_LOCK_FORMAT = 2
_HEADER = Struct("<8sHHI16s16sIqq")
_WHAT = "manifest page"
_LAYOUTS = {ENTRY_PAGE: ENTRY_LAYOUT, INDEX_PAGE: REF_LAYOUT}
_STORED = {
    (ENTRY_PAGE, _FORMAT): PLAIN_LAYOUT,
    (ENTRY_PAGE, _LOCK_FORMAT): ENTRY_LAYOUT,
    (INDEX_PAGE, _FORMAT): REF_LAYOUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was fetched: a table of entries, or of references to pages of entries."""

    id: PageId
    rows: SpanTable


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPage:
    """A page to store before any root that refers to it."""

    ref: PageRef
    body: bytes


def new_page(path: PartitionPath, rows: SpanTable, *, level: int, uid: Uid) -> NewPage:
    """Pack at least one row and at most `PAGE_ROWS_MAX` into a page of ``level``."""
    assert 0 < len(rows) <= PAGE_ROWS_MAX, f"a page of {len(rows)} rows"
    assert rows.rows.layout is _LAYOUTS[level], f"these rows are not of level {level}"
    greatest = rows.max_timestamp
    assert greatest is not None
    is_plain = level == ENTRY_PAGE and not has_locks(rows)
    stored = plain(rows.rows) if is_plain else rows.rows
    header = _HEADER.pack(
        _MAGIC,
        _LOCK_FORMAT if stored.layout is ENTRY_LAYOUT else _FORMAT,
        level,
        path.partition,
        path.topic_id,
        uid,
        len(rows),
        rows.base,
        rows.end,
    )
    body = sealed(header + zlib.compress(stored.with_differences()))
    page = PageId(
        level=level,
        offsets=OffsetRange(Offset(rows.base), Offset(rows.end)),
        uid=uid,
        sha256=sha256(body).digest(),
    )
    totals = totals_of(rows, level)
    ref = PageRef(page=page, max_timestamp=greatest, totals=totals, flags=all_flags(rows))
    return NewPage(ref=ref, body=body)


def decode_page(body: bytes, page: PageId, *, path: PartitionPath) -> Page:
    """Read the page that ``page`` names.

    Raises:
        CorruptObjectError: The bytes are damaged, or are those of another page.
        UnsupportedFormatError: A newer Everlog wrote the page.
    """
    if sha256(body).digest() != page.sha256:
        raise CorruptObjectError(_WHAT, "its SHA-256 is not the one that is referred to")
    view = unsealed(
        body, magic=_MAGIC, header_bytes=_HEADER.size, format_max=_LOCK_FORMAT, what=_WHAT
    )
    _, page_format, level, partition, topic_id, uid, count, first, end = _HEADER.unpack_from(view)
    found = (level, partition, topic_id, uid, first, end)
    offsets = page.offsets
    wanted = (page.level, path.partition, path.topic_id, page.uid, offsets.start, offsets.end)
    if found != wanted:
        raise CorruptObjectError(_WHAT, f"it is {found} instead of {wanted}")
    layout = _STORED.get((level, page_format))
    if layout is None:
        raise CorruptObjectError(_WHAT, f"a page of level {level} has no format {page_format}")
    rows = _unpacked(view[_HEADER.size :], count, first, layout)
    fault = _fault(rows, level) or (None if rows.end == end else f"its rows end at {rows.end}")
    if fault:
        raise CorruptObjectError(_WHAT, fault)
    return Page(id=page, rows=rows)


def totals_of(rows: SpanTable, level: int) -> Totals:
    """Return the sums over the rows of a page of ``level``."""
    return entry_totals(rows) if level == ENTRY_PAGE else ref_totals(rows)


def _unpacked(packed: memoryview, count: int, first: int, layout: Layout) -> SpanTable:
    if not 0 < count <= PAGE_ROWS_MAX:
        raise CorruptObjectError(_WHAT, f"it claims {count} rows")
    size = count * layout.row_bytes
    stream = zlib.decompressobj()
    try:
        # One byte more than there should be: enough to notice, never enough to exhaust memory.
        data = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise CorruptObjectError(_WHAT, str(error)) from error
    if len(data) != size or not stream.eof or stream.unused_data:
        raise CorruptObjectError(_WHAT, f"its rows are not {size} bytes")
    rows = ColumnTable.of_differences(layout, data, _WHAT)
    return SpanTable(base=first, rows=not_plain(rows) if layout is PLAIN_LAYOUT else rows)


def _fault(rows: SpanTable, level: int) -> str | None:
    if level == ENTRY_PAGE:
        return entries_fault(rows)
    return refs_fault(rows, levels=frozenset({ENTRY_PAGE}))
