"""Segment objects made of real record batches, with all that a test may want to compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from everlog.format.object_keys import SegmentKey
from everlog.format.segment_index import SegmentIndex, open_segment
from everlog.format.segment_object import BatchRow, SealedSegment, SegmentBuilder
from everlog.format.segment_sections import AbortedTransaction, EpochStart
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.records.batch import stamp as stamp_batch
from everlog.records.batch import walk
from everlog.records.builder import Record, build_batch
from tests.unit.format.samples import NOW_MS, PATH, stamp, uid

LINEAGE = (
    EpochStart(LeaderEpoch(1), Offset(0)),
    EpochStart(LeaderEpoch(2), Offset(130)),
    EpochStart(LeaderEpoch(5), Offset(170)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a test says of a batch; the rest follows."""

    base_offset: int
    timestamps: Sequence[int]
    value_bytes: int = 50
    epoch: int = 1

    @property
    def next_offset(self) -> int:
        return self.base_offset + len(self.timestamps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An object: its batches, its rows, and how it was sealed."""

    key: SegmentKey
    data: bytes
    rows: list[BatchRow]
    sealed: SealedSegment

    @property
    def whole(self) -> bytes:
        return self.data + self.sealed.tail

    def index(self) -> SegmentIndex:
        found = open_segment(self.sealed.tail, object_bytes=len(self.whole), key=self.key)
        assert isinstance(found, SegmentIndex)
        return found


def key_of(base: int, end: int) -> SegmentKey:
    return SegmentKey(
        path=PATH, offsets=OffsetRange(Offset(base), Offset(end)), stamp=stamp(12), uid=uid(1)
    )


def batch_bytes(batch: Batch) -> bytes:
    records = [
        Record(key=b"k", value=b"v" * batch.value_bytes, timestamp_ms=timestamp)
        for timestamp in batch.timestamps
    ]
    made = build_batch(records)
    stamp_batch(made, base_offset=batch.base_offset, leader_epoch=batch.epoch)
    return bytes(made)


def rows_of(data: bytes, *, position: int = 0) -> list[BatchRow]:
    """What an uploader feeds: facts of the headers, found by a walk."""
    return [
        BatchRow(
            position=position + at,
            length=header.size,
            base_offset=header.base_offset,
            next_offset=header.next_offset,
            leader_epoch=header.leader_epoch,
            base_timestamp=header.base_timestamp,
            max_timestamp=header.max_timestamp,
            records=header.record_count,
        )
        for at, header in walk(data)
    ]


def made(
    batches: Sequence[Batch],
    *,
    base: int,
    end: int,
    chunk_bytes: int = 1000,
    index_interval_bytes: int = 300,
    lineage: Sequence[EpochStart] = LINEAGE[:1],
    aborted: Sequence[AbortedTransaction] = (),
    producers: bytes = b"producer state",
) -> Made:
    key = key_of(base, end)
    builder = SegmentBuilder(
        key,
        created_ms=NOW_MS,
        chunk_bytes=chunk_bytes,
        index_interval_bytes=index_interval_bytes,
    )
    data = b"".join(map(batch_bytes, batches))
    rows = rows_of(data)
    builder.feed(rows, data)
    sealed = builder.seal(lineage=lineage, aborted=aborted, producers=producers)
    return Made(key=key, data=data, rows=rows, sealed=sealed)


def sparse_batches(seed: int, count: int) -> list[Batch]:
    """Batches with gaps between them and times that go back and forth."""
    random, offset, found = Random(seed), 100, []
    for _ in range(count):
        offset += random.choice([0, 0, 0, 1, 30, 1 << 33])
        batch = Batch(
            base_offset=offset,
            timestamps=[random.randrange(1000) for _ in range(random.randrange(1, 4))],
            value_bytes=random.randrange(400),
        )
        found.append(batch)
        offset = batch.next_offset
    return found
