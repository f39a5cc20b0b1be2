"""References to manifest pages: rows that a root or an index page holds in place of entries."""

from collections.abc import Iterable
from dataclasses import dataclass

from everlog.format.column_table import Column, ColumnTable, Layout
from everlog.format.entries import ORIGIN_MASK, PAGE_FLAGS_MASK, EntryFlag, Totals
from everlog.format.object_keys import PageKey, PartitionPath, Uid
from everlog.format.span_table import SpanTable
from everlog.model.offsets import Offset, OffsetRange

ENTRY_PAGE = 1
"""Level of a page of entries."""

INDEX_PAGE = 2
"""Level of a page of references to pages of entries."""

REF_LAYOUT = Layout(
    Column("end", "q", differences=True),
    Column("max_timestamp", "q", differences=True),
    Column("records", "Q"),
    Column("bytes", "Q"),
    Column("data_bytes", "Q"),
    Column("uid", "16s"),
    Column("sha256", "32s"),
    Column("entries", "I"),
    Column("level", "H"),
    Column("flags", "H"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageId:
    """What it takes to fetch a page and to know it for the right one.

    Attributes:
        level: `ENTRY_PAGE` or `INDEX_PAGE`.
        offsets: What its rows cover.
        sha256: Of the stored bytes.
    """

    level: int
    offsets: OffsetRange
    uid: Uid
    sha256: bytes

    def key(self, path: PartitionPath) -> PageKey:
        """Return the name of the page."""
        return PageKey(path=path, offsets=self.offsets, uid=self.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRef:
    """A page, and what can be said without opening it.

    Attributes:
        max_timestamp: Greatest of all its entries.
        totals: Over all its entries, also those below the start of the log.
        flags: Those of any of its entries.
    """

    page: PageId
    max_timestamp: int
    totals: Totals
    flags: EntryFlag


def ref_table(base: int, refs: Iterable[PageRef]) -> SpanTable:
    """Store references to pages that follow each other from ``base`` on."""
    refs = list(refs)
    at = base
    for ref in refs:
        assert ref.page.offsets.start == at < ref.page.offsets.end, f"pages have a gap at {at}"
        at = ref.page.offsets.end
    rows = (
        (
            ref.page.offsets.end,
            ref.max_timestamp,
            ref.totals.records,
            ref.totals.bytes,
            ref.totals.data_bytes,
            ref.page.uid,
            ref.page.sha256,
            ref.totals.entries,
            ref.page.level,
            int(ref.flags),
        )
        for ref in refs
    )
    return SpanTable(base=base, rows=ColumnTable.of_rows(REF_LAYOUT, rows))


def ref_of(table: SpanTable, index: int) -> PageRef:
    """Return one row as a value."""
    (
        end,
        max_timestamp,
        records,
        stored_bytes,
        data_bytes,
        uid,
        sha256,
        entries,
        level,
        flags,
    ) = table.rows.row(index)
    return PageRef(
        page=PageId(
            level=level,
            offsets=OffsetRange(Offset(table.start_of(index)), Offset(end)),
            uid=Uid(uid),
            sha256=sha256,
        ),
        max_timestamp=max_timestamp,
        totals=Totals(entries=entries, records=records, bytes=stored_bytes, data_bytes=data_bytes),
        flags=EntryFlag(flags),
    )


def ref_totals(table: SpanTable) -> Totals:
    """Return the sums over everything that a table of references leads to."""
    rows = table.rows
    return Totals(
        entries=sum(rows.ints("entries")),
        records=sum(rows.ints("records")),
        bytes=sum(rows.ints("bytes")),
        data_bytes=sum(rows.ints("data_bytes")),
    )


def refs_fault(table: SpanTable, *, levels: frozenset[int]) -> str | None:
    """Return what is wrong with a table of references to pages of ``levels``, if anything is."""
    if fault := table.fault():
        return fault
    found = list(table.rows.ints("level"))
    if not levels.issuperset(found):
        return f"it refers to pages of levels {sorted(set(found))}"
    if found != sorted(found, reverse=True):
        return "an index page follows a page that it should hold"
    return None


def all_flags(table: SpanTable) -> EntryFlag:
    """Return the flags that any row has, as far as a page knows them."""
    flags = EntryFlag(0)
    for value in set(table.rows.ints("flags")):
        flags |= EntryFlag(value & PAGE_FLAGS_MASK)
    return flags


def ref_origins(table: SpanTable) -> bool:
    """Whether anything that a table of references leads to lies elsewhere."""
    return bool(all_flags(table) & ORIGIN_MASK)
