"""The segment object: record batches as they are, and behind them all that is needed to read them.

The object begins with the batches of the partition's offsets ``[base, end)``, byte for byte. What
follows is made here, from the batches passing by once: the checksums, a table of chunks, each of
which can be fetched, verified and served by itself, the indexes by offset and by time, and what a
restore or a new follower needs. `everlog.format.footer` says where everything lies,
`everlog.format.segment_sections` what it looks like.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from everlog.format.checksum import crc32c, joined
from everlog.format.column_table import ColumnTable
from everlog.format.entries import Entry
from everlog.format.errors import CorruptObjectError
from everlog.format.footer import Section, SectionKind, encode_footer
from everlog.format.object_keys import SegmentKey
from everlog.format.segment_sections import (
    ABORTED_LAYOUT,
    CHUNK_LAYOUT,
    LINEAGE_LAYOUT,
    NO_TIMESTAMP,
    AbortedTransaction,
    EpochStart,
    SegmentMeta,
    encode_column,
    encode_meta,
)
from everlog.model.buffer import Buffer
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch, OffsetRange

CHUNK_BYTES = 1 << 20
"""What one cold read fetches at least; larger only where one batch is."""

INDEX_INTERVAL_BYTES = 16 << 10
"""Bytes of batches per row of the indexes; Kafka's ``index.interval.bytes`` is 4 KiB.

Cold reads walk headers in a chunk that is in memory, so finer rows would only make the index,
which is fetched whole, larger.
"""

_VERSION = 1
_WHAT = "sealed segment"


class BatchRow(NamedTuple):
    """One record batch on its way into an object: its header's facts and its place.

    Attributes:
        position: From the first batch of the object.
        length: Of the whole batch, header included.
        next_offset: The offset after its last.
        base_timestamp: Of its first record, in ms, as the header has it.
        max_timestamp: Of all its records, in ms, as the header has it.
    """

    position: int
    length: int
    base_offset: int
    next_offset: int
    leader_epoch: int
    base_timestamp: int
    max_timestamp: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSegment:
    """What to upload behind the batches, and the facts to verify and commit the object by.

    Attributes:
        tail: Everything behind the batches.
        crc32c: Of the whole object.
        aborted: Whether an aborted transaction has offsets in it.
    """

    meta: SegmentMeta
    tail: bytes
    crc32c: int
    aborted: bool

    @property
    def object_bytes(self) -> int:
        """Length of the whole object."""
        return self.meta.data_bytes + len(self.tail)

    @property
    def entry(self) -> Entry:
        """The object as the manifest lists it."""
        return self.meta.entry(
            size_bytes=self.object_bytes, crc32c=self.crc32c, aborted=self.aborted
        )


class SegmentBuilder:
    """Makes the part of one object that follows its batches.

    Args:
        key: Name of the object; no batch may lie outside its offsets.
        created_ms: The time now.
        chunk_bytes: A chunk ends before the batch that would make it longer.
        index_interval_bytes: Batches of so many bytes share a row of the indexes.
    """

    def __init__(
        self,
        key: SegmentKey,
        *,
        created_ms: int,
        chunk_bytes: int = CHUNK_BYTES,
        index_interval_bytes: int = INDEX_INTERVAL_BYTES,
    ) -> None:
        self._key = key
        self._created_ms = created_ms
        self._chunk_bytes = chunk_bytes
        self._index_interval_bytes = index_interval_bytes
        self._position = 0
        self._summed = 0
        self._next_offset: int = key.offsets.start
        self._first_timestamp = NO_TIMESTAMP
        self._records = 0
        self._batches = 0
        self._terms: list[_Term] = []
        self._chunk = _Chunk(position=0)
        self._chunks: list[_Chunk] = []
        self._offsets: list[int] = []
        self._positions: list[int] = []
        self._times: list[int] = []

    def feed(self, rows: Iterable[BatchRow], data: Buffer) -> None:
        """Take the next batches of the object.

        Args:
            rows: The batches, in order.
            data: Their bytes and no others; read once, not kept.

        Raises:
            CorruptObjectError: The batches contradict each other or do not add up to ``data``.
        """
        view = memoryview(data)
        start = self._position
        for row in rows:
            self._check(row)
            held = row.position - self._chunk.position
            if held and held + row.length > self._chunk_bytes:
                self._sum(view, start)
                self._close_chunk()
            self._take(row)
        if self._position - start != len(view):
            reason = f"batches of {self._position - start} bytes in a buffer of {len(view)}"
            raise CorruptObjectError(_WHAT, reason)
        self._sum(view, start)

    def seal(
        self,
        *,
        lineage: Sequence[EpochStart],
        aborted: Iterable[AbortedTransaction] = (),
        producers: bytes = b"",
    ) -> SealedSegment:
        """Return the end of the object; no batch can follow.

        Args:
            lineage: All leader epochs of the log, oldest first, so that the newest object alone
                tells them (KIP-101); those that begin at the end of the object or later are left
                out.
            aborted: All aborted transactions with offsets in the object, and perhaps others, which
                are left out. Everything in the object lies below the last stable offset, so they
                are all known, also those whose markers come later (TIER-46).
            producers: The producer state at the end of the object, as the hot log writes it.

        Raises:
            CorruptObjectError: The batches carry other leader epochs than ``lineage`` says.
        """
        offsets = self._key.offsets
        lineage = [term for term in lineage if term.start < offsets.end]
        self._check_lineage(lineage)
        if self._position > self._chunk.position:
            self._close_chunk()
        meta = self._meta(lineage[-1].epoch)
        gone = _touching(offsets, aborted)
        first_time = self._times[0] if self._times else NO_TIMESTAMP
        # What every cold read needs comes last, so that a guess at the length of the end suffices.
        tail = _tail(
            (
                (SectionKind.PRODUCERS, producers),
                (SectionKind.LINEAGE, _lineage_rows(lineage)),
                (SectionKind.ABORTED, _aborted_rows(gone)),
                (SectionKind.TIME_INDEX, encode_column(self._times, origin=first_time)),
                (
                    SectionKind.OFFSET_INDEX,
                    encode_column(self._offsets, origin=offsets.start)
                    + encode_column(self._positions, origin=0),
                ),
                (SectionKind.CHUNKS, _chunk_rows(self._chunks)),
                (SectionKind.META, encode_meta(meta)),
            ),
            key=self._key,
            position=self._position,
        )
        checksum = joined(meta.data_crc32c, crc32c(tail), len(tail))
        return SealedSegment(meta=meta, tail=tail, crc32c=checksum, aborted=bool(gone))

    def _check(self, row: BatchRow) -> None:
        end = self._key.offsets.end
        if row.position != self._position or row.length <= 0:
            raise CorruptObjectError(_WHAT, f"{row} does not follow byte {self._position}")
        if not self._next_offset <= row.base_offset < row.next_offset <= end:
            reason = f"{row} is not within [{self._next_offset}, {end})"
            raise CorruptObjectError(_WHAT, reason)

    def _take(self, row: BatchRow) -> None:
        position, chunk = row.position, self._chunk
        if not chunk.batches or position - self._positions[-1] >= self._index_interval_bytes:
            self._offsets.append(row.base_offset)
            self._positions.append(position)
            self._times.append(self._times[-1] if self._times else NO_TIMESTAMP)
        self._times[-1] = max(self._times[-1], row.max_timestamp)
        if not self._batches:
            self._first_timestamp = row.base_timestamp
        chunk.take(row)
        self._take_term(row)
        self._position = position + row.length
        self._next_offset = row.next_offset
        self._records += row.records
        self._batches += 1

    def _take_term(self, row: BatchRow) -> None:
        last = self._terms[-1] if self._terms else None
        if last and last.epoch == row.leader_epoch:
            last.last_base = row.base_offset
        else:
            self._terms.append(_Term(row.leader_epoch, row.base_offset, row.base_offset))

    def _sum(self, view: memoryview, start: int) -> None:
        """Checksum the bytes up to the current position; ``view`` begins at ``start``."""
        passed = view[self._summed - start : self._position - start]
        self._chunk.crc32c = crc32c(passed, self._chunk.crc32c)
        self._summed = self._position

    def _close_chunk(self) -> None:
        self._chunk.length = self._position - self._chunk.position
        self._chunks.append(self._chunk)
        self._chunk = _Chunk(position=self._position)

    def _check_lineage(self, lineage: Sequence[EpochStart]) -> None:
        """Hold the epochs in the batches against the log's own account of them (TIER-12)."""
        assert lineage, "a log has a leader epoch"
        for before, after in pairwise(lineage):
            if before.epoch >= after.epoch or before.start >= after.start:
                raise CorruptObjectError(_WHAT, f"epoch {after} follows {before}")
        for term in self._terms:
            for offset in (term.first_base, term.last_base):
                epoch = _epoch_at(lineage, offset)
                if epoch != term.epoch:
                    reason = f"the batch at {offset} has epoch {term.epoch}, the log {epoch}"
                    raise CorruptObjectError(_WHAT, reason)

    def _meta(self, end_epoch: LeaderEpoch) -> SegmentMeta:
        checksum = 0
        for chunk in self._chunks:
            checksum = joined(checksum, chunk.crc32c, chunk.length)
        return SegmentMeta(
            key=self._key,
            end_epoch=end_epoch,
            first_timestamp=self._first_timestamp,
            max_timestamp=self._times[-1] if self._times else NO_TIMESTAMP,
            records=self._records,
            batches=self._batches,
            data_bytes=self._position,
            data_crc32c=checksum,
            created_ms=self._created_ms,
        )


@dataclass(slots=True)
class _Term:
    """A run of batches of one leader epoch, by the base offsets of its first and last."""

    epoch: int
    first_base: int
    last_base: int


@dataclass(slots=True, kw_only=True)
class _Chunk:
    """A chunk while batches are added to it."""

    position: int
    length: int = 0
    base: int = 0
    end: int = 0
    max_timestamp: int = NO_TIMESTAMP
    crc32c: int = 0
    batches: int = 0

    def take(self, row: BatchRow) -> None:
        if not self.batches:
            self.base = row.base_offset
        self.end = row.next_offset
        self.max_timestamp = max(self.max_timestamp, row.max_timestamp)
        self.batches += 1


def _touching(
    offsets: OffsetRange, aborted: Iterable[AbortedTransaction]
) -> list[AbortedTransaction]:
    """Return those with offsets in the range, by their first offsets."""
    touching = (
        gone
        for gone in aborted
        if gone.first_offset < offsets.end and gone.last_offset >= offsets.start
    )
    return sorted(touching, key=lambda gone: gone.first_offset)


def _epoch_at(lineage: Sequence[EpochStart], offset: int) -> int | None:
    index = bisect_right(lineage, offset, key=lambda term: term.start)
    return lineage[index - 1].epoch if index else None


def _chunk_rows(chunks: Iterable[_Chunk]) -> bytes:
    rows = ((c.position, c.base, c.end, c.max_timestamp, c.length, c.crc32c) for c in chunks)
    return ColumnTable.of_rows(CHUNK_LAYOUT, rows).data


def _aborted_rows(aborted: Iterable[AbortedTransaction]) -> bytes:
    rows = ((gone.producer_id, gone.first_offset, gone.last_offset) for gone in aborted)
    return ColumnTable.of_rows(ABORTED_LAYOUT, rows).data


def _lineage_rows(lineage: Iterable[EpochStart]) -> bytes:
    rows = ((term.start, term.epoch) for term in lineage)
    return ColumnTable.of_rows(LINEAGE_LAYOUT, rows).data


def _tail(
    contents: Iterable[tuple[SectionKind, bytes]], *, key: SegmentKey, position: int
) -> bytes:
    """Lay sections side by side from ``position`` on and put the footer behind them."""
    sections, pieces = [], []
    for kind, content in contents:
        sections.append(
            Section(
                kind=kind,
                version=_VERSION,
                position=position,
                length=len(content),
                crc32c=crc32c(content),
            )
        )
        pieces.append(content)
        position += len(content)
    partition = PartitionId(key.path.topic_id, key.path.partition)
    footer = encode_footer(sections, partition=partition, epoch=key.stamp.epoch)
    return b"".join((*pieces, footer))
