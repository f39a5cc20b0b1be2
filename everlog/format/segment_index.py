"""Reading a segment object: what its last bytes tell, searched where it lies.

A manifest entry says how long the part behind the batches is, so that one ranged read brings all
of it. Its first section, the producer state, can be long and is not needed to read records;
`open_segment` does without it.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from everlog.format.checksum import crc32c
from everlog.format.column_table import ColumnTable, Layout
from everlog.format.entries import Entry
from everlog.format.errors import CorruptObjectError
from everlog.format.footer import Footer, NeedMore, Section, SectionKind, read_footer
from everlog.format.object_keys import SegmentKey
from everlog.format.segment_sections import (
    ABORTED_LAYOUT,
    CHUNK_LAYOUT,
    LINEAGE_LAYOUT,
    WHAT,
    AbortedTransaction,
    EpochStart,
    IndexColumn,
    SegmentMeta,
    decode_columns,
    decode_meta,
)
from everlog.model.buffer import Buffer
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange

_NEEDED = (
    SectionKind.LINEAGE,
    SectionKind.ABORTED,
    SectionKind.TIME_INDEX,
    SectionKind.OFFSET_INDEX,
    SectionKind.CHUNKS,
    SectionKind.META,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Whole batches that are fetched and verified together.

    Attributes:
        position: From the start of the object.
        offsets: From the first batch's base offset to the end of the last.
        max_timestamp: Greatest of its records, in ms; -1 without one.
    """

    position: int
    length: int
    offsets: OffsetRange
    max_timestamp: int
    crc32c: int


@dataclass(frozen=True, slots=True)
class Seek:
    """Where to begin to scan: a chunk, by index, and the position of a batch in the object."""

    chunk: int
    position: int


class SegmentIndex:
    """The indexes of one object. Holds the bytes of its sections and no object per row."""

    __slots__ = (
        "_aborted",
        "_chunks",
        "_lineage",
        "_offsets",
        "_positions",
        "_times",
        "footer",
        "meta",
    )

    def __init__(
        self,
        *,
        footer: Footer,
        meta: SegmentMeta,
        chunks: ColumnTable,
        offsets: IndexColumn,
        positions: IndexColumn,
        times: IndexColumn,
        aborted: ColumnTable,
        lineage: ColumnTable,
    ) -> None:
        self.footer = footer
        self.meta = meta
        self._chunks = chunks
        self._offsets = offsets
        self._positions = positions
        self._times = times
        self._aborted = aborted
        self._lineage = lineage

    @property
    def chunk_count(self) -> int:
        """Chunks of the object."""
        return len(self._chunks)

    def chunk(self, index: int) -> Chunk:
        """Return a chunk by its index."""
        position, base, end, max_timestamp, length, checksum = self._chunks.row(index)
        return Chunk(
            position=position,
            length=length,
            offsets=OffsetRange(Offset(base), Offset(end)),
            max_timestamp=max_timestamp,
            crc32c=checksum,
        )

    def chunk_of(self, offset: Offset) -> int | None:
        """Return the chunk with the first batch that ends after ``offset`` (TIER-20)."""
        index = bisect_right(self._chunks.ints("end"), offset)
        return index if index < len(self._chunks) else None

    def seek(self, offset: Offset) -> Seek | None:
        """Return where to scan for the first batch that ends after ``offset``.

        None when the rest of the object's range holds no records: go on in the next object.
        """
        chunk = self.chunk_of(offset)
        if chunk is None:
            return None
        row = bisect_right(self._offsets.values, offset - self._offsets.origin) - 1
        indexed = self._positions.values[row] if row >= 0 else 0
        # The offset may lie in a gap before the chunk, whose first batch is then the answer.
        return Seek(chunk, max(indexed, self._chunks.ints("position")[chunk]))

    def seek_time(self, timestamp: int) -> Seek | None:
        """Return where to scan for the first batch that reaches ``timestamp``, in ms.

        The batch lies in the same chunk. None when no record of the object is as late.
        """
        row = bisect_left(self._times.values, timestamp - self._times.origin)
        if row == len(self._times):
            return None
        position = self._positions.values[row]
        return Seek(bisect_right(self._chunks.ints("position"), position) - 1, position)

    def aborted_in(self, offsets: OffsetRange) -> list[AbortedTransaction]:
        """Return the aborted transactions with offsets in a range, by their first offsets."""
        rows = self._aborted
        below = bisect_left(rows.ints("first_offset"), offsets.end)
        last = rows.ints("last_offset")
        return [_aborted(rows, i) for i in range(below) if last[i] >= offsets.start]

    @property
    def has_aborted(self) -> bool:
        """Whether an aborted transaction has offsets in the object."""
        return bool(len(self._aborted))

    def lineage(self) -> list[EpochStart]:
        """Return the leader epochs of the log up to the end of the object, oldest first."""
        rows = zip(self._lineage.ints("epoch"), self._lineage.ints("start"), strict=True)
        return [EpochStart(LeaderEpoch(epoch), Offset(start)) for epoch, start in rows]

    def entry(self) -> Entry:
        """Return the manifest entry of the object, for a manifest that has to be rebuilt."""
        return self.meta.entry(
            size_bytes=self.footer.object_bytes,
            crc32c=self.footer.object_crc32c(self.meta.data_crc32c),
            aborted=self.has_aborted,
        )

    def check_chunk(self, index: int, data: Buffer) -> None:
        """Make sure that ``data`` is a chunk as it was written.

        Raises:
            CorruptObjectError: It is not.
        """
        chunk = self.chunk(index)
        if len(data) != chunk.length or crc32c(data) != chunk.crc32c:
            raise CorruptObjectError(WHAT, f"chunk {index} of {self.meta.key.text} is damaged")

    def fault(self) -> str | None:
        """Return what the sections say against each other, if they do."""
        meta = self.meta
        if self.footer.data_bytes != meta.data_bytes:
            return f"{meta.data_bytes} bytes of batches end at {self.footer.data_bytes}"
        if self.footer.partition != PartitionId(meta.key.path.topic_id, meta.key.path.partition):
            return "its tail names another partition"
        return self._chunk_fault() or self._index_fault() or self._row_fault()

    def _chunk_fault(self) -> str | None:
        position: int = 0
        offset: int = self.meta.key.offsets.start
        for index in range(len(self._chunks)):
            chunk_position, base, end, _, length, _ = self._chunks.row(index)
            if chunk_position != position or not offset <= base < end or not length:
                return f"chunk {index} does not follow byte {position}, offset {offset}"
            position, offset = position + length, end
        if position != self.meta.data_bytes or offset > self.meta.key.offsets.end:
            return f"its chunks end at byte {position}, offset {offset}"
        return None

    def _index_fault(self) -> str | None:
        if len(self._times) != len(self._offsets):
            return "its indexes differ in length"
        ascending = (
            self._offsets.is_ascending(strictly=True)
            and self._positions.is_ascending(strictly=True)
            and self._times.is_ascending(strictly=False)
        )
        if not ascending or not set(self._chunks.ints("position")) <= set(self._positions.values):
            return "an index is out of order"
        last = self._times.values[-1] if len(self._times) else 0
        if len(self._times) and self._times.origin + last != self.meta.max_timestamp:
            return "its times do not lead to its greatest"
        if self._positions.origin or self._offsets.origin != self.meta.key.offsets.start:
            return "an index counts from elsewhere"
        return None

    def _row_fault(self) -> str | None:
        starts, epochs = self._lineage.ints("start"), self._lineage.ints("epoch")
        if not len(starts) or epochs[-1] != self.meta.end_epoch:
            return "its lineage does not lead to its end"
        first = self._aborted.ints("first_offset")
        rising = (IndexColumn(0, column) for column in (starts, epochs))
        if not all(column.is_ascending(strictly=True) for column in rising):
            return "its lineage is out of order"
        if not IndexColumn(0, first).is_ascending(strictly=False):
            return "its aborted transactions are out of order"
        return None


def open_segment(suffix: Buffer, *, object_bytes: int, key: SegmentKey) -> SegmentIndex | NeedMore:
    """Read the indexes of the object ``key`` from its last bytes; they are not kept.

    Args:
        suffix: The last bytes of the object; what lies behind the batches is always enough.
        object_bytes: Size of the whole object.
        key: Its name.

    Raises:
        CorruptObjectError: The bytes are damaged, contradict each other, or are another object.
        UnsupportedFormatError: A newer Everlog wrote the object.
    """
    footer = read_footer(suffix, object_bytes=object_bytes)
    if isinstance(footer, NeedMore):
        return footer
    sections = {kind: footer.section(kind) for kind in _NEEDED}
    first = min(section.position for section in sections.values())
    start = object_bytes - len(suffix)
    if first < start:
        return NeedMore(object_bytes - first)
    found = {
        kind: section_bytes(section, suffix, position=start) for kind, section in sections.items()
    }
    offsets, positions = decode_columns(found[SectionKind.OFFSET_INDEX], 2)
    (times,) = decode_columns(found[SectionKind.TIME_INDEX], 1)
    index = SegmentIndex(
        footer=footer,
        meta=decode_meta(found[SectionKind.META]),
        chunks=_table(CHUNK_LAYOUT, found[SectionKind.CHUNKS]),
        offsets=offsets,
        positions=positions,
        times=times,
        aborted=_table(ABORTED_LAYOUT, found[SectionKind.ABORTED]),
        lineage=_table(LINEAGE_LAYOUT, found[SectionKind.LINEAGE]),
    )
    if index.meta.key != key:
        raise CorruptObjectError(WHAT, f"it is {index.meta.key.text} instead of {key.text}")
    if fault := index.fault():
        raise CorruptObjectError(WHAT, fault)
    return index


def producer_state(footer: Footer, suffix: Buffer) -> bytes | NeedMore:
    """Return the producer state at the end of the object, as the hot log wrote it.

    Raises:
        CorruptObjectError: It is damaged.
        UnsupportedFormatError: A newer Everlog wrote it.
    """
    section = footer.section(SectionKind.PRODUCERS)
    start = footer.object_bytes - len(suffix)
    if section.position < start:
        return NeedMore(footer.object_bytes - section.position)
    return section_bytes(section, suffix, position=start)


def section_bytes(section: Section, data: Buffer, *, position: int) -> bytes:
    """Copy a section out of ``data``, which begins at ``position`` of the object.

    Raises:
        CorruptObjectError: It is damaged.
    """
    start = section.position - position
    content = bytes(memoryview(data)[start : start + section.length])
    if len(content) != section.length or crc32c(content) != section.crc32c:
        raise CorruptObjectError(WHAT, f"section {section.kind} does not match its checksum")
    return content


def _table(layout: Layout, data: bytes) -> ColumnTable:
    return ColumnTable.of_bytes(layout, data, WHAT)


def _aborted(rows: ColumnTable, index: int) -> AbortedTransaction:
    producer_id, first_offset, last_offset = rows.row(index)
    return AbortedTransaction(
        producer_id=producer_id, first_offset=first_offset, last_offset=last_offset
    )
