"""Putting objects in the place of others that cover the same offsets: what a rewrite commits.

Pages are copied on write: those that list what goes give way to new ones, and so do the index
pages above them. Objects go into the trash first, then pages, then index pages (TIER-10), all of
them behind whatever an earlier cut left there that can only be found by reading these pages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

from everlog.format.entries import Entry, Totals, entry_of, entry_table
from everlog.format.manifest import Draft, checked
from everlog.format.object_keys import Uid
from everlog.format.page import PAGE_ROWS_MAX, NewPage, Page, new_page
from everlog.format.page_refs import ENTRY_PAGE, INDEX_PAGE, PageId, ref_of, ref_table
from everlog.format.root import INLINE_ENTRIES_MAX, INLINE_FORMAT, Root, RootFullError
from everlog.format.span_table import SpanTable
from everlog.format.trash import Trashed, TrashedPage, trashed
from everlog.format.walk import Walk
from everlog.model.errors import RejectedError
from everlog.model.offsets import OffsetRange


class StaleRewriteError(RejectedError):
    """The tier lists other objects by now: some have expired, or were replaced. Plan anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """Objects, and what was made of them.

    Attributes:
        old: Adjacent entries, as the manifest lists them.
        new: Of uploaded and verified objects, in the order of their offsets.
        removed: Records of the old ones that the new ones are to lack.
    """

    old: Sequence[Entry]
    new: Sequence[Entry]
    removed: int = 0

    @property
    def offsets(self) -> OffsetRange:
        """What both cover."""
        return OffsetRange(self.old[0].offsets.start, self.old[-1].offsets.end)

    def fault(self) -> str | None:
        """Say what would be lost or invented (TIER-5, TIER-6); None when nothing would."""
        for entries in (self.old, self.new):
            if not entries or any(a.offsets.end != b.offsets.start for a, b in pairwise(entries)):
                return "they are not adjacent"
        start, end = self.new[0].offsets.start, self.new[-1].offsets.end
        if (start, end) != (self.offsets.start, self.offsets.end):
            return f"[{start}, {end}) is not [{self.offsets.start}, {self.offsets.end})"
        before, after = _sum(self.old).records, _sum(self.new).records
        if self.removed < 0 or after != before - self.removed:
            return f"{after} records are left of {before}, {self.removed} were to go"
        return None


def replaced(
    root: Root, change: Replacement, *, uids: Iterator[Uid], not_before_ms: int
) -> Walk[Draft]:
    """Put new objects in the place of old ones.

    Args:
        root: A root that was not stored yet.
        change: What takes the place of what.
        uids: Gives a fresh uid for each new page.
        not_before_ms: When the objects and pages that go may be deleted.

    Raises:
        StaleRewriteError: The old objects are not all listed any more.
        RootFullError: They are more than a root of format 1 holds.
    """
    if fault := change.fault():
        raise RejectedError(f"this is no replacement: {fault}")
    assert all(each.stamp <= root.stamp for each in change.new), "an object of a later commit"
    if change.new[0].offsets.end <= root.tiered_start:
        raise StaleRewriteError(f"everything below {root.tiered_start} was deleted meanwhile")
    place = yield from _place(root, change.offsets)
    before, after = _around(place.entries, change)
    rows = before.joined(entry_table(change.offsets.start, change.new)).joined(after)
    entries = root.entries
    if place.reaches_root:
        paged = len(before) if place.pages else 0
        rows, entries = rows.sliced(0, paged), rows.dropped(paged)
    if root.format == INLINE_FORMAT and len(entries) > INLINE_ENTRIES_MAX:
        raise RootFullError(root_format=root.format, entries=len(entries))
    pages = [
        new_page(root.path, piece, level=ENTRY_PAGE, uid=next(uids))
        for piece in _split(rows, -(-len(rows) // place.page_rows_max))
    ]
    refs = _refs(root, place, pages, uids)
    changed = replace(
        root,
        totals=root.totals - _sum(change.old) + _sum(change.new),
        refs=refs if len(refs) else ref_table(entries.base, ()),
        entries=entries,
        trash=root.trash.added(_gone(change, place), not_before_ms=not_before_ms),
    )
    return Draft(root=checked(changed), pages=tuple(pages))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the manifest lists a range of offsets.

    Attributes:
        rows: Of the root's references that lead to it.
        leaves: The pages of entries below these rows, but for dead ones.
        indexed: So many of the leaves, the first ones, are below index pages.
        touched: The leaves that list some of the range.
        pages: These leaves.
        index_pages: What the rows refer to that is not a leaf itself.
        entries: What the touched leaves list, but for dead rows, and then what the root lists if
            the range reaches there.
        reaches_root: Whether it does.
    """

    rows: range
    leaves: SpanTable
    indexed: int
    touched: range
    pages: tuple[Page, ...]
    index_pages: tuple[PageId, ...]
    entries: SpanTable
    reaches_root: bool

    @property
    def page_rows_max(self) -> int:
        """No new page is longer than the longest that it replaces."""
        return max((len(page.rows) for page in self.pages), default=PAGE_ROWS_MAX)


def _place(root: Root, offsets: OffsetRange) -> Walk[_Place]:
    if offsets.start < root.live_start or offsets.end > root.tiered_end:
        raise StaleRewriteError(
            f"[{offsets.start}, {offsets.end}) is not within what is live, "
            f"[{root.live_start}, {root.tiered_end})"
        )
    rows = _overlapping(root.refs, offsets)
    leaves = root.refs.sliced(rows.start, rows.start)
    index_pages: list[PageId] = []
    for row in rows:
        above = ref_of(root.refs, row).page
        below = root.refs.sliced(row, row + 1)
        if above.level == INDEX_PAGE:
            index_pages.append(above)
            below = (yield above).rows
        leaves = leaves.joined(below)
    plain = len(rows) - len(index_pages)
    leaves = leaves.dropped(leaves.index_after(root.live_start))
    touched = _overlapping(leaves, offsets)
    pages = []
    for row in touched:
        page = yield ref_of(leaves, row).page
        pages.append(page)
    living = [page.rows.dropped(page.rows.index_after(root.live_start)) for page in pages]
    reaches_root = offsets.end > root.refs.end
    if reaches_root:
        living.append(root.entries)
    return _Place(
        rows=rows,
        leaves=leaves,
        indexed=len(leaves) - plain,
        touched=touched,
        pages=tuple(pages),
        index_pages=tuple(index_pages),
        entries=reduce(SpanTable.joined, living),
        reaches_root=reaches_root,
    )


def _overlapping(table: SpanTable, offsets: OffsetRange) -> range:
    """Return the rows that have offsets of a range."""
    stop = min(table.index_after(offsets.end - 1) + 1, len(table))
    return range(min(table.index_after(offsets.start), stop), stop)


def _around(entries: SpanTable, change: Replacement) -> tuple[SpanTable, SpanTable]:
    """Return the entries before and behind what goes, all of which must be listed."""
    rows = _overlapping(entries, change.offsets)
    listed = [entry_of(entries, row) for row in rows]
    if listed != list(change.old):
        missing = [each for each in change.old if each not in listed]
        offsets = missing[0].offsets if missing else change.offsets
        raise StaleRewriteError(
            f"the object that covered [{offsets.start}, {offsets.end}) when it was read is not "
            "part of the tier any more"
        )
    return entries.sliced(0, rows.start), entries.sliced(rows.stop, len(entries))


def _split(rows: SpanTable, pieces: int) -> Iterator[SpanTable]:
    """Cut a table into pieces of about the same length."""
    for piece in range(pieces):
        yield rows.sliced(len(rows) * piece // pieces, len(rows) * (piece + 1) // pieces)


def _refs(root: Root, place: _Place, pages: list[NewPage], uids: Iterator[Uid]) -> SpanTable:
    """Return the root's references with new pages, and add the index pages above these to them."""
    leaves, touched = place.leaves, place.touched
    # Dead rows are not copied, so the first new page may begin later than the old one.
    start = pages[0].ref.page.offsets.start if pages else leaves.start_of(touched.start)
    refs = ref_table(start, (page.ref for page in pages))
    before = [root.refs.sliced(0, place.rows.start)]
    after = [leaves.sliced(touched.stop, len(leaves)), root.refs.dropped(place.rows.stop)]
    if place.index_pages:
        indexed = max(place.indexed, touched.stop)
        below = [leaves.sliced(0, touched.start), refs, leaves.sliced(touched.stop, indexed)]
        rows = _joined(below, base=leaves.base)
        made = [
            new_page(root.path, piece, level=INDEX_PAGE, uid=next(uids))
            for piece in _split(rows, min(len(place.index_pages), len(rows)))
        ]
        pages += made
        refs = ref_table(rows.base, (page.ref for page in made))
        after[0] = leaves.sliced(indexed, len(leaves))
    return _joined([*before, refs, *after], base=start)


def _joined(tables: Sequence[SpanTable], *, base: int) -> SpanTable:
    """Join tables that follow each other; one without rows has no place of its own."""
    return reduce(SpanTable.joined, [each for each in tables if len(each)] or [ref_table(base, ())])


def _gone(change: Replacement, place: _Place) -> Iterator[Trashed]:
    yield from trashed(change.old)
    for page in (*(each.id for each in place.pages), *place.index_pages):
        yield TrashedPage(offsets=page.offsets, uid=page.uid)


def _sum(entries: Sequence[Entry]) -> Totals:
    return sum((each.totals for each in entries), Totals())
