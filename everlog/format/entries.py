"""Manifest entries: one row per segment object, a value only for the one that was looked up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from operator import ge

from everlog.format.column_table import Column, ColumnTable, Layout
from everlog.format.object_keys import EPOCH_MAX, VER_MAX, PartitionPath, SegmentKey, Stamp, Uid
from everlog.format.span_table import SpanTable
from everlog.model.object_lock import LockMode, ObjectLock
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange

_COLUMNS = (
    Column("end", "q", differences=True),
    Column("max_timestamp", "q", differences=True),
    Column("size_bytes", "Q"),
    Column("data_bytes", "Q"),
    Column("records", "Q"),
    Column("ver", "Q", differences=True),
    Column("created_ms", "q", differences=True),
    Column("uid", "16s"),
    Column("epoch", "I"),
    Column("claim", "I"),
    Column("crc32c", "I"),
    Column("flags", "I"),
)

PLAIN_LAYOUT = Layout(*_COLUMNS)
"""How entries are stored of which none has ever been locked."""

ENTRY_LAYOUT = Layout(*_COLUMNS, Column("locked_until_ms", "q", differences=True))
"""How entries are in memory, and stored if one of them was locked."""


ORIGIN_SHIFT = 8
ORIGIN_MASK = 0xFF << ORIGIN_SHIFT
"""The bits of a row's flags that tell whose object it is; 0 for the partition's own."""


CLASS_SHIFT = 16
CLASS_MASK = 0xFF << CLASS_SHIFT
"""The bits of a row's flags that tell its `StorageClass`; no page has them."""

PAGE_FLAGS_MASK = 0xFFFF
"""What a page knows of the flags of its entries."""


class EntryFlag(IntFlag):
    """What a search may want to know before it opens an object; unknown bits mean nothing.

    Above these bits is the number of the origin. A page's flags are all those of its entries, so
    the number is then of use only as long as it is 0: nothing in the page lies elsewhere.
    """

    ABORTED = 1
    """An aborted transaction has offsets in the range."""

    UNTIMED = 2
    """No record has a timestamp."""

    CLASSED = 4
    """The object has another storage class than the default."""

    LOCKED = 8
    """The object was stored with a lock, which may have ended."""

    COMPLIANCE = 16
    """The lock is one that nobody can end."""


_LOCK_FLAGS = {
    LockMode.GOVERNANCE: EntryFlag.LOCKED,
    LockMode.COMPLIANCE: EntryFlag.LOCKED | EntryFlag.COMPLIANCE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over entries.

    Attributes:
        bytes: Of whole objects, which is what the store bills.
        data_bytes: Of record batches, which is what retention counts.
    """

    entries: int = 0
    records: int = 0
    bytes: int = 0
    data_bytes: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            entries=self.entries + other.entries,
            records=self.records + other.records,
            bytes=self.bytes + other.bytes,
            data_bytes=self.data_bytes + other.data_bytes,
        )

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(
            entries=self.entries - other.entries,
            records=self.records - other.records,
            bytes=self.bytes - other.bytes,
            data_bytes=self.data_bytes - other.data_bytes,
        )

    @property
    def is_sound(self) -> bool:
        """Whether no sum is negative."""
        return min(self.entries, self.records, self.bytes, self.data_bytes) >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the manifest knows of one segment object.

    Attributes:
        offsets: What the object covers; the records in it may leave gaps.
        max_timestamp: Greatest of its records, in ms; negative when none has one.
        size_bytes: Of the whole object.
        data_bytes: Of its record batches; the indexes are everything behind them.
        crc32c: Of the whole object.
        aborted: Whether an aborted transaction has offsets in the range.
        origin: Whose object it is: 0, or a number in the table of origins of the root. It is no
            part of what the object is.
        class_number: The storage class that it was stored in, a `StorageClass` or one that a newer
            Everlog knows; no part of what the object is, either.
        lock: What it was stored with, or a later one; no part of what it is.
    """

    offsets: OffsetRange
    max_timestamp: int
    size_bytes: int
    data_bytes: int
    records: int
    stamp: Stamp
    uid: Uid
    crc32c: int
    aborted: bool
    created_ms: int
    origin: int = field(default=0, compare=False)
    class_number: int = field(default=0, compare=False)
    lock: ObjectLock | None = field(default=None, compare=False)

    def key(self, path: PartitionPath) -> SegmentKey:
        """Return the name of the object, which lies at ``path``: see `Root.home_of`."""
        return SegmentKey(path=path, offsets=self.offsets, stamp=self.stamp, uid=self.uid)

    @property
    def totals(self) -> Totals:
        """The entry as sums over one."""
        return Totals(
            entries=1, records=self.records, bytes=self.size_bytes, data_bytes=self.data_bytes
        )

    @property
    def flags(self) -> EntryFlag:
        """What the row's flags say."""
        aborted = EntryFlag.ABORTED if self.aborted else EntryFlag(0)
        untimed = EntryFlag.UNTIMED if self.max_timestamp < 0 else EntryFlag(0)
        classed = EntryFlag.CLASSED if self.class_number else EntryFlag(0)
        locked = EntryFlag(0) if self.lock is None else _LOCK_FLAGS[self.lock.mode]
        numbers = self.origin << ORIGIN_SHIFT | self.class_number << CLASS_SHIFT
        return aborted | untimed | classed | locked | EntryFlag(numbers)


def entry_table(base: int, entries: Iterable[Entry]) -> SpanTable:
    """Store entries that follow each other from ``base`` on."""
    entries = list(entries)
    at = base
    for entry in entries:
        assert entry.offsets.start == at < entry.offsets.end, f"entries have a gap at {at}"
        at = entry.offsets.end
    rows = (
        (
            entry.offsets.end,
            entry.max_timestamp,
            entry.size_bytes,
            entry.data_bytes,
            entry.records,
            entry.stamp.ver,
            entry.created_ms,
            entry.uid,
            entry.stamp.epoch,
            entry.stamp.claim,
            entry.crc32c,
            int(entry.flags),
            0 if entry.lock is None else entry.lock.until_ms,
        )
        for entry in entries
    )
    return SpanTable(base=base, rows=ColumnTable.of_rows(ENTRY_LAYOUT, rows))


def entry_of(table: SpanTable, index: int) -> Entry:
    """Return one row as a value."""
    (
        end,
        max_timestamp,
        size_bytes,
        data_bytes,
        records,
        ver,
        created_ms,
        uid,
        epoch,
        claim,
        crc,
        flags,
        locked_until_ms,
    ) = table.rows.row(index)
    return Entry(
        offsets=OffsetRange(Offset(table.start_of(index)), Offset(end)),
        max_timestamp=max_timestamp,
        size_bytes=size_bytes,
        data_bytes=data_bytes,
        records=records,
        stamp=Stamp(LeaderEpoch(epoch), claim, ver),
        uid=Uid(uid),
        crc32c=crc,
        aborted=bool(flags & EntryFlag.ABORTED),
        created_ms=created_ms,
        origin=(flags & ORIGIN_MASK) >> ORIGIN_SHIFT,
        class_number=(flags & CLASS_MASK) >> CLASS_SHIFT,
        lock=_lock(flags, locked_until_ms),
    )


def _lock(flags: int, until_ms: int) -> ObjectLock | None:
    if not flags & EntryFlag.LOCKED:
        return None
    is_strict = flags & EntryFlag.COMPLIANCE
    return ObjectLock(LockMode.COMPLIANCE if is_strict else LockMode.GOVERNANCE, until_ms)


def has_locks(table: SpanTable) -> bool:
    """Whether an object of a table was ever locked, so that it is stored in `ENTRY_LAYOUT`."""
    return any(table.rows.ints("locked_until_ms"))


def plain(rows: ColumnTable) -> ColumnTable:
    """Return rows without locks in the layout that knows none."""
    return ColumnTable(PLAIN_LAYOUT, rows.data[: PLAIN_LAYOUT.row_bytes * len(rows)])


def not_plain(rows: ColumnTable) -> ColumnTable:
    """Return rows that were stored in the layout that knows no locks, as all others are."""
    assert rows.layout is PLAIN_LAYOUT, "other rows have locks of their own"
    more = ENTRY_LAYOUT.row_bytes - PLAIN_LAYOUT.row_bytes
    return ColumnTable(ENTRY_LAYOUT, rows.data + bytes(more * len(rows)))


def origin_numbers(table: SpanTable) -> list[int]:
    """Return whose object each row of a table of entries is."""
    return [(flags & ORIGIN_MASK) >> ORIGIN_SHIFT for flags in table.rows.ints("flags")]


def with_origins(table: SpanTable, numbers: Sequence[int]) -> SpanTable:
    """Return entries with other origins: in place of number ``n`` it is ``numbers[n]``."""
    flags = [
        each & ~ORIGIN_MASK | numbers[(each & ORIGIN_MASK) >> ORIGIN_SHIFT] << ORIGIN_SHIFT
        for each in table.rows.ints("flags")
    ]
    return SpanTable(base=table.base, rows=table.rows.with_ints("flags", flags))


def entry_totals(table: SpanTable) -> Totals:
    """Return the sums over a table of entries."""
    rows = table.rows
    return Totals(
        entries=len(rows),
        records=sum(rows.ints("records")),
        bytes=sum(rows.ints("size_bytes")),
        data_bytes=sum(rows.ints("data_bytes")),
    )


def entries_fault(table: SpanTable) -> str | None:
    """Return what is wrong with a table of entries, if anything is."""
    rows = table.rows
    if fault := table.fault():
        return fault
    if any(map(ge, rows.ints("data_bytes"), rows.ints("size_bytes"))):
        return "an object is not larger than its records"
    if max(rows.ints("epoch"), default=0) > EPOCH_MAX or max(rows.ints("ver"), default=0) > VER_MAX:
        return "a stamp is out of range"
    if min(rows.ints("locked_until_ms"), default=0) < 0:
        return "a lock ended before there were any"
    return None
