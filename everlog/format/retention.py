"""Dropping the head of the tier: by time, by bytes, or because records were deleted.

The work is in the number of pages that expire, not of entries that remain (TIER-40, TIER-50): a
page whose entries all go is dropped by its reference, and read only if something in it was locked,
for how long. Of a page that goes in part, only the entries that go are looked at, and the page
itself stays as it is: `Root.live_start` says where its living part begins. The dropped objects are
in the trash of the same root (TIER-10).
"""

from dataclasses import dataclass, replace

from everlog.format.entries import Entry, EntryFlag, Totals, entry_of
from everlog.format.lookup import entry_at
from everlog.format.manifest import checked
from everlog.format.page_refs import INDEX_PAGE, PageRef, ref_of, ref_table
from everlog.format.root import Root
from everlog.format.span_table import SpanTable
from everlog.format.trash import Trashed, TrashedRange, TrashLock, trashed
from everlog.format.walk import Walk
from everlog.model.offsets import Offset, OffsetRange

_NOTHING = Offset(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What has expired. An object goes when any of these says so and all before it are gone.

    Attributes:
        start: Objects that end at or below it: the log start offset.
        before_ms: Objects whose records are all older. One without timestamps counts from the
            time of its upload.
        data_bytes_max: Objects without which at least so many bytes of records remain.
    """

    start: Offset = _NOTHING
    before_ms: int | None = None
    data_bytes_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierHead:
    """The object that goes first, and all that is live: they tell whether a cut takes anything.

    Attributes:
        oldest: None when nothing is live.
    """

    oldest: Entry | None
    live: Totals

    def is_taken_by(self, cut: Cut) -> bool:
        """Whether a cut takes at least the oldest object."""
        oldest = self.oldest
        if oldest is None:
            return False
        return _Head(cut, live_start=oldest.offsets.start, live=self.live).takes(oldest)


def head_of(root: Root) -> Walk[TierHead]:
    """Find the oldest live object, which takes at most two pages."""
    oldest = yield from entry_at(root, root.tiered_start)
    return TierHead(oldest=oldest, live=root.totals)


def expired(root: Root, cut: Cut, *, not_before_ms: int) -> Walk[Root]:
    """Drop what has expired from the head of the tier and put it into the trash.

    Args:
        root: A root that was not stored yet.
        cut: What has expired; a start above the tier's end drops everything.
        not_before_ms: When the dropped objects may be deleted.
    """
    head = _Head(cut, live_start=root.live_start, live=root.totals)
    yield from _cut_refs(root.refs, head, dead=root.dead)
    if head.live_start >= root.entries.base:
        _cut_entries(root.entries, head)
    start = max(root.tiered_start, head.live_start, min(cut.start, root.tiered_end))
    entries = root.entries.dropped(root.entries.index_after(head.live_start))
    refs = root.refs.dropped(root.refs.index_after(head.live_start))
    dropped = yield from _dropped(root, head.live_start, not_before_ms)
    changed = replace(
        root,
        live_start=head.live_start,
        tiered_start=start,
        totals=head.live,
        refs=refs if len(refs) else ref_table(entries.base, ()),
        entries=entries,
        trash=root.trash.added(dropped, not_before_ms=not_before_ms),
    )
    return checked(changed)


class _Head:
    """How far a cut has come: where the living part begins, and what is left of it."""

    def __init__(self, cut: Cut, *, live_start: Offset, live: Totals) -> None:
        self._cut = cut
        self.live_start = live_start
        self.live = live

    def may_take(self) -> bool:
        """Whether the next entry may go, for all that is known without looking at it."""
        cut = self._cut
        too_many = cut.data_bytes_max is not None and self.live.data_bytes > cut.data_bytes_max
        return too_many or cut.before_ms is not None or cut.start > self.live_start

    def takes(self, entry: Entry) -> bool:
        """Whether an entry goes."""
        time = entry.created_ms if entry.max_timestamp < 0 else entry.max_timestamp
        return self._goes(entry.offsets, time, entry.data_bytes)

    def takes_all(self, ref: PageRef, live: Totals) -> bool:
        """Whether every entry of a page goes, and so the page; ``live`` is what lives in it."""
        # Entries without timestamps expire one by one, by the time of their upload.
        time = None if ref.flags & EntryFlag.UNTIMED else ref.max_timestamp
        return self._goes(ref.page.offsets, time, live.data_bytes)

    def drop(self, offsets: OffsetRange, live: Totals) -> None:
        """Go past something that goes."""
        self.live_start = offsets.end
        self.live -= live

    def _goes(self, offsets: OffsetRange, time: int | None, data_bytes: int) -> bool:
        cut = self._cut
        if offsets.end <= cut.start:
            return True
        if cut.before_ms is not None and time is not None and time < cut.before_ms:
            return True
        if cut.data_bytes_max is None:
            return False
        return self.live.data_bytes - data_bytes >= cut.data_bytes_max


def _cut_refs(refs: SpanTable, head: _Head, *, dead: Totals) -> Walk[None]:
    """Cut what ``refs`` lead to; ``dead`` are the sums over what went in earlier cuts."""
    for index in range(len(refs)):
        ref = ref_of(refs, index)
        if ref.page.offsets.end <= head.live_start:
            dead -= ref.totals
            continue
        live = ref.totals - dead
        if head.takes_all(ref, live):
            head.drop(ref.page.offsets, live)
        elif not head.may_take():
            return
        else:
            page = yield ref.page
            if ref.page.level == INDEX_PAGE:
                yield from _cut_refs(page.rows, head, dead=dead)
            else:
                _cut_entries(page.rows, head)
            if head.live_start < ref.page.offsets.end:
                return
        dead = Totals()


def _cut_entries(entries: SpanTable, head: _Head) -> None:
    for index in range(entries.index_after(head.live_start), len(entries)):
        entry = entry_of(entries, index)
        if not head.takes(entry):
            return
        head.drop(entry.offsets, entry.totals)


def _dropped(root: Root, live_start: Offset, not_before_ms: int) -> Walk[list[Trashed]]:
    """Return what lies between the old start and the new one."""
    gone = OffsetRange(root.live_start, live_start)
    found: list[Trashed] = []
    for index in range(len(root.refs)):
        ref = ref_of(root.refs, index)
        page = ref.page
        start, end = max(gone.start, page.offsets.start), min(gone.end, page.offsets.end)
        if start >= end:
            return found
        offsets = OffsetRange(start, end)
        lock = yield from _lock_of(ref, offsets, not_before_ms)
        found.append(TrashedRange(offsets=offsets, page=page, lock=lock))
    gone_rows = range(root.entries.index_after(live_start))
    return found + trashed(entry_of(root.entries, index) for index in gone_rows)


def _lock_of(ref: PageRef, offsets: OffsetRange, not_before_ms: int) -> Walk[TrashLock | None]:
    """Say what is locked for longer of what a page leads to within a range; None if nothing is."""
    if not ref.flags & EntryFlag.LOCKED:
        return None
    page = yield ref.page
    rows = page.rows
    until_ms, size = not_before_ms, 0
    for row in range(rows.index_after(offsets.start), len(rows)):
        if rows.start_of(row) >= offsets.end:
            break
        if page.id.level == INDEX_PAGE:
            below = yield from _lock_of(ref_of(rows, row), offsets, not_before_ms)
            locks = [below]
        else:
            locks = [each.lock for each in trashed((entry_of(rows, row),))]
        for lock in locks:
            if lock is not None and lock.until_ms > not_before_ms:
                until_ms, size = max(until_ms, lock.until_ms), size + lock.bytes
    return TrashLock(until_ms, size) if size else None
