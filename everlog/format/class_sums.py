"""How many bytes of a tier are in which storage class."""

from collections import Counter
from collections.abc import Mapping

from everlog.format.entries import CLASS_MASK, CLASS_SHIFT, EntryFlag
from everlog.format.page_refs import INDEX_PAGE, ref_of
from everlog.format.root import Root
from everlog.format.span_table import SpanTable
from everlog.format.walk import Walk


def class_sums(root: Root) -> Walk[Mapping[int, int]]:
    """Return the bytes of live objects by the number of their class.

    Only pages are read that list an object of another class than the default.
    """
    sums: Counter[int] = Counter()
    tables = [(root.refs, True), (root.entries, False)]
    while tables:
        table, refers = tables.pop()
        table = table.dropped(table.index_after(root.live_start))
        if not refers:
            _add(sums, table)
            continue
        for row in range(len(table)):
            ref = ref_of(table, row)
            if ref.flags & EntryFlag.CLASSED:
                page = yield ref.page
                tables.append((page.rows, page.id.level == INDEX_PAGE))
    default = root.totals.bytes - sum(sums.values())
    return {0: default, **sums} if default else dict(sums)


def _add(sums: Counter[int], entries: SpanTable) -> None:
    rows = entries.rows
    for flags, size_bytes in zip(rows.ints("flags"), rows.ints("size_bytes"), strict=True):
        if number := (flags & CLASS_MASK) >> CLASS_SHIFT:
            sums[number] += size_bytes
