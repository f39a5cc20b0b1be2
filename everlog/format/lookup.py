"""Finding objects by offset and by time, from a root and as few pages as it takes."""

from everlog.format.entries import Entry, entry_of
from everlog.format.page_refs import INDEX_PAGE, ref_of
from everlog.format.root import Root
from everlog.format.span_table import SpanTable
from everlog.format.walk import Walk
from everlog.model.offsets import Offset


def entry_at(root: Root, offset: Offset) -> Walk[Entry | None]:
    """Find the object that covers an offset; None outside ``[tiered_start, tiered_end)``."""
    if not root.tiered_start <= offset < root.tiered_end:
        return None
    entries = yield from entries_at(root, offset)
    return entry_of(entries, entries.index_after(offset))


def entries_at(root: Root, offset: Offset) -> Walk[SpanTable]:
    """Find the table of entries that covers an offset of the tier, for those who read on.

    Its rows from `SpanTable.index_after` on continue the tier; the next table is the one at its
    end.
    """
    assert root.tiered_start <= offset < root.tiered_end, f"{offset} is not in the tier"
    rows = root.refs
    while offset < rows.end:
        page = yield ref_of(rows, rows.index_after(offset)).page
        rows = page.rows
        if page.id.level != INDEX_PAGE:
            return rows
    return root.entries


def entry_at_time(root: Root, timestamp: int, *, start: Offset | None = None) -> Walk[Entry | None]:
    """Find the first object that holds a timestamp of at least ``timestamp``, in ms.

    The record itself may lie below `Root.tiered_start` when records were deleted up to the middle
    of the object; go on from its end then.

    Args:
        root: Where to search.
        timestamp: What to reach.
        start: Only objects that end after it count; None is the start of the tier.
    """
    start = max(root.tiered_start, start or Offset(0))
    found = yield from _first_of_refs(root.refs, timestamp, start)
    return found or _first_of_entries(root.entries, timestamp, start)


def _first_of_refs(refs: SpanTable, timestamp: int, start: Offset) -> Walk[Entry | None]:
    index = refs.index_at_time(timestamp, start=start)
    while index is not None:
        page = yield ref_of(refs, index).page
        if page.id.level == INDEX_PAGE:
            found = yield from _first_of_refs(page.rows, timestamp, start)
        else:
            found = _first_of_entries(page.rows, timestamp, start)
        if found:
            return found
        # The page owes its timestamp to entries below the start; that can happen but once.
        start = page.id.offsets.end
        index = refs.index_at_time(timestamp, start=start)
    return None


def _first_of_entries(entries: SpanTable, timestamp: int, start: Offset) -> Entry | None:
    index = entries.index_at_time(timestamp, start=start)
    return None if index is None else entry_of(entries, index)
