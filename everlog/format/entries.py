"""Manifest entries: one row per segment object, a value only for the one that was looked up."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from operator import ge

from everlog.format.column_table import Column, ColumnTable, Layout
from everlog.format.object_keys import EPOCH_MAX, VER_MAX, PartitionPath, SegmentKey, Stamp, Uid
from everlog.format.span_table import SpanTable
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange

ENTRY_LAYOUT = Layout(
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


class EntryFlag(IntFlag):
    """What a search may want to know before it opens an object; unknown bits mean nothing."""

    ABORTED = 1
    """An aborted transaction has offsets in the range."""

    UNTIMED = 2
    """No record has a timestamp."""


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

    def key(self, path: PartitionPath) -> SegmentKey:
        """Return the name of the object."""
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
        return aborted | (EntryFlag.UNTIMED if self.max_timestamp < 0 else EntryFlag(0))


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
    )


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
    return None
