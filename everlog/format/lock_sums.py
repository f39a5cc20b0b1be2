"""How many bytes of a tier are locked, and until when at most."""

from dataclasses import dataclass

from everlog.format.entries import EntryFlag
from everlog.format.page_refs import INDEX_PAGE, ref_of
from everlog.format.root import Root
from everlog.format.walk import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSums:
    """Sums over locks that have not ended.

    Attributes:
        bytes: Of live objects.
        trash_bytes: Of objects that are retired and wait for the end of their locks.
        until_ms: When the last of all ends; None if there is none.
    """

    bytes: int = 0
    trash_bytes: int = 0
    until_ms: int | None = None


def lock_sums(root: Root, *, now_ms: int) -> Walk[LockSums]:
    """Add up what is locked. Only pages are read that list an object that ever was."""
    live, last_ms = 0, now_ms
    tables = [(root.refs, True), (root.entries, False)]
    while tables:
        table, refers = tables.pop()
        table = table.dropped(table.index_after(root.live_start))
        if refers:
            for row in range(len(table)):
                ref = ref_of(table, row)
                if ref.flags & EntryFlag.LOCKED:
                    page = yield ref.page
                    tables.append((page.rows, page.id.level == INDEX_PAGE))
            continue
        ends, sizes = table.rows.ints("locked_until_ms"), table.rows.ints("size_bytes")
        live += sum(size for end, size in zip(ends, sizes, strict=True) if end > now_ms)
        last_ms = max(last_ms, max(ends, default=0))
    retired = [each for each in root.trash.locks() if each.until_ms > now_ms]
    last_ms = max(last_ms, max((each.until_ms for each in retired), default=0))
    return LockSums(
        bytes=live,
        trash_bytes=sum(each.bytes for each in retired),
        until_ms=last_ms if last_ms > now_ms else None,
    )
