"""Pure: which small objects of a tier become one.

Objects that lie side by side go together until they make a full one. Where more can still come,
at the end of the tier, that is not worth a rewrite for each that comes: there, objects of about the
same size wait until they are many, so that a record is written a few times at most, however small
the objects are that it came in. Where nothing more can come, two are enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.format.entries import Entry, entry_of
from everlog.format.page_refs import INDEX_PAGE, ref_of
from everlog.format.root import Root
from everlog.format.span_table import SpanTable
from everlog.format.walk import Walk
from everlog.model.offsets import Offset, OffsetRange

MERGE_OBJECTS_MIN = 8
"""So many objects of about the same size are merged at the end of the tier."""

MERGE_OBJECTS_MAX = 256
"""What one merge reads at most; its trash makes the next root 15 KiB longer for an hour."""

SIZE_SHARE_MAX = 0.25
"""At the end of the tier, none of the objects has a greater share of what they make."""

ENTRIES_LOOKED_AT_MAX = 1024
"""Of one search, which takes some milliseconds of the loop; the next one goes on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeLimits:
    """What may be made.

    Attributes:
        object_bytes: Batches of a full object; those of up to half of it are small.
        span_ms_max: Between the first and the last record; None is without limit.
    """

    object_bytes: int
    span_ms_max: int | None = None

    @property
    def small_bytes(self) -> int:
        """Batches of an object that may be merged."""
        return self.object_bytes // 2


@dataclass(frozen=True, slots=True)
class MergePlan:
    """Objects that lie side by side, and go into one."""

    entries: tuple[Entry, ...]

    @property
    def offsets(self) -> OffsetRange:
        """What they cover."""
        return OffsetRange(self.entries[0].offsets.start, self.entries[-1].offsets.end)

    @property
    def data_bytes(self) -> int:
        """Batches of all of them."""
        return sum(each.data_bytes for each in self.entries)

    @property
    def created_ms(self) -> int:
        """When the oldest was written; without timestamps the newest, as they expire by it."""
        is_timed = any(each.max_timestamp >= 0 for each in self.entries)
        return (min if is_timed else max)(each.created_ms for each in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeSearch:
    """What a search has found.

    Attributes:
        plan: What to merge; None when nothing is due among what was looked at.
        resume: Nothing before it will be worth a look again while the limits stay.
        is_over: Whether it came to the end of the tier.
    """

    plan: MergePlan | None
    resume: Offset
    is_over: bool


def find_merge(root: Root, start: Offset, limits: MergeLimits) -> Walk[MergeSearch]:
    """Search a tier for objects to merge, from ``start`` on.

    Pages whose objects are large on average are passed over unread.
    """
    at = min(max(start, root.tiered_start), root.tiered_end)
    scan = _Scan(limits)
    left = ENTRIES_LOOKED_AT_MAX
    while at < root.tiered_end and left > 0:
        run = yield from _run_at(root, at, limits, left)
        if scan.has_due(run):
            return _found(scan.group, scan.group.due, is_over=False)
        at = run.end
        left -= max(1, len(run.entries))
    if not scan.group.entries:
        return MergeSearch(plan=None, resume=at, is_over=at == root.tiered_end)
    if at < root.tiered_end:
        return _found(scan.group, (), is_over=False)
    due = _worthwhile(scan.group.entries)
    return _found(scan.group, due, is_over=not due)


class _Scan:
    """Groups what it is shown.

    Attributes:
        group: The newest.
    """

    def __init__(self, limits: MergeLimits) -> None:
        self._limits = limits
        self._before: Entry | None = None
        self.group = _Group(limits, None)

    def has_due(self, run: "_Run") -> bool:
        """Look at what comes next, until a group is to be merged; return whether one is."""
        self._before = run.before or self._before
        for entry in run.entries:
            if not (self.group.entries and self.group.takes(entry)):
                if self.group.is_due:
                    return True
                self.group = _Group(self._limits, self._before)
                self.group.takes(entry)
            self._before = entry
        return not run.entries and self._passed_over()

    def _passed_over(self) -> bool:
        if self.group.is_due:
            return True
        self._before, self.group = None, _Group(self._limits, None)
        return False


class _Group:
    """Small objects, one after the other, that fit into one.

    The manifest knows the greatest timestamp of an object, not the least: that is about the
    greatest of the object before, and of an object that was merged before also its upload's time.
    """

    def __init__(self, limits: MergeLimits, before: Entry | None) -> None:
        self.entries: list[Entry] = []
        self._limits = limits
        self._data_bytes = 0
        self._times = [] if before is None else [_time(before)]
        self._uploads: list[int] = []

    def takes(self, entry: Entry) -> bool:
        """Take the next object in, if it fits."""
        data_bytes = self._data_bytes + entry.data_bytes
        if entry.data_bytes > self._limits.small_bytes or data_bytes > self._limits.object_bytes:
            return False
        if len(self.entries) >= MERGE_OBJECTS_MAX:
            return False
        times = _spread(self._times, _time(entry))
        uploads = _spread(self._uploads, entry.created_ms)
        span_ms, span_ms_max = max(_width(times), _width(uploads)), self._limits.span_ms_max
        if self.entries and span_ms_max is not None and span_ms > span_ms_max:
            return False
        self.entries.append(entry)
        self._data_bytes, self._times, self._uploads = data_bytes, times, uploads
        return True

    @property
    def is_due(self) -> bool:
        """Whether it is to be merged now that nothing fits in any more."""
        return len(self.entries) > 1

    @property
    def due(self) -> Sequence[Entry]:
        """What of it to merge then: not what was merged before, if it is full in number only."""
        is_full = len(self.entries) >= MERGE_OBJECTS_MAX
        return (_worthwhile(self.entries) if is_full else ()) or self.entries


def _time(entry: Entry) -> int:
    """Return how new an object is: one without timestamps is as old as its upload."""
    return entry.max_timestamp if entry.max_timestamp >= 0 else entry.created_ms


def _spread(known: list[int], value: int) -> list[int]:
    """Return the least and the greatest of some numbers and one more."""
    return [min(*known, value), max(*known, value)] if known else [value, value]


def _width(spread: list[int]) -> int:
    return spread[1] - spread[0]


def _found(group: _Group, due: Sequence[Entry], *, is_over: bool) -> MergeSearch:
    plan = MergePlan(tuple(due)) if due else None
    return MergeSearch(plan=plan, resume=group.entries[0].offsets.start, is_over=is_over)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Entries that follow each other.

    Attributes:
        before: The entry before them, where that is at hand.
        entries: None, if they are passed over.
        end: Where they end.
    """

    before: Entry | None
    entries: list[Entry]
    end: Offset


def _run_at(root: Root, offset: Offset, limits: MergeLimits, count: int) -> Walk[_Run]:
    """Return up to ``count`` entries from an offset on, or pass over a page of large objects."""
    rows = root.refs
    while offset < rows.end:
        ref = ref_of(rows, rows.index_after(offset))
        if ref.totals.data_bytes > limits.small_bytes * ref.totals.entries:
            return _Run(before=None, entries=[], end=ref.page.offsets.end)
        page = yield ref.page
        rows = page.rows
        if ref.page.level != INDEX_PAGE:
            return _run(rows, offset, count)
    return _run(root.entries, offset, count)


def _run(table: SpanTable, start: Offset, count: int) -> _Run:
    first = table.index_after(start)
    stop = min(len(table), first + count)
    return _Run(
        before=entry_of(table, first - 1) if first else None,
        entries=[entry_of(table, row) for row in range(first, stop)],
        end=Offset(table.start_of(stop)),
    )


def _worthwhile(group: Sequence[Entry]) -> Sequence[Entry]:
    """Return the newest objects that are worth a merge although more can come; none otherwise."""
    for first in range(len(group) - MERGE_OBJECTS_MIN + 1):
        rest = group[first:]
        sizes = [each.data_bytes for each in rest]
        if max(sizes) <= SIZE_SHARE_MAX * sum(sizes):
            return rest
    return ()
