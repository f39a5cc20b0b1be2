"""Builds the end of a segment object from the files that its batches lie in. Blocks."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import SegmentKey
from everlog.format.segment_object import BatchRow, SealedSegment, SegmentBuilder
from everlog.format.segment_sections import AbortedTransaction, EpochStart
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.records.batch import (
    HEADER_BYTES,
    MAGIC,
    BatchHeader,
    batch_crc,
    read_header,
    walk,
)
from everlog.stores.body import FilePart

READ_BYTES = 4 << 20
"""Read at a time; a larger batch is read whole."""

_WHAT = "sealed segment"

Batches = list[tuple[int, BatchHeader]]
"""Positions in a window, and headers, of whole batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealOrder:
    """What an object is to be made of.

    Attributes:
        parts: Whole batches, in order.
        lineage: All leader epochs up to its end.
        producers_path: A snapshot of producer states; a missing file is an empty one.
        aborted: All aborted transactions with offsets in it, and perhaps others.
    """

    key: SegmentKey
    parts: Sequence[FilePart]
    lineage: Sequence[EpochStart]
    producers_path: str
    created_ms: int
    storage_class: StorageClass = StorageClass.STANDARD
    lock: ObjectLock | None = None
    aborted: Sequence[AbortedTransaction] = ()


def seal_object(order: SealOrder) -> SealedSegment:
    """Read the batches once, check each, and make everything that follows them.

    Raises:
        CorruptObjectError: A batch is damaged, cut off or not of this object.
    """
    builder = SegmentBuilder(order.key, created_ms=order.created_ms)
    position = 0
    try:
        for part in order.parts:
            for window, batches in _windows(part):
                builder.feed(_rows(window, batches, position), window)
                position += len(window)
        producers = _read_small(order.producers_path)
    except OSError as error:
        raise CorruptObjectError(_WHAT, f"it cannot be read: {error}") from error
    return builder.seal(lineage=order.lineage, aborted=order.aborted, producers=producers)


def _windows(part: FilePart) -> Iterator[tuple[memoryview, Batches]]:
    """Yield stretches of whole batches, each with where its batches begin."""
    assert isinstance(part.file, str), "an order names files by their paths"
    descriptor = os.open(part.file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        position, end = part.position, part.position + part.length
        while position < end:
            view = _read(descriptor, position, min(READ_BYTES, end - position))
            batches = list(walk(view))
            if not batches:
                size = read_header(view).size if len(view) >= HEADER_BYTES else 0
                if not len(view) < size <= end - position:
                    raise CorruptObjectError(_WHAT, f"no whole batch at {position} of {part.file}")
                view = _read(descriptor, position, size)
                batches = list(walk(view))
                if not batches:
                    raise CorruptObjectError(_WHAT, f"{part.file} ends within a batch")
            last_at, last = batches[-1]
            used = last_at + last.size
            yield view[:used], batches
            position += used
    finally:
        os.close(descriptor)


def _read(descriptor: int, position: int, length: int) -> memoryview:
    found = os.pread(descriptor, length, position)
    return memoryview(found)


def _rows(window: memoryview, batches: Batches, start: int) -> list[BatchRow]:
    """Check the batches of a window that begins at ``start`` of the object; return their rows."""
    rows: list[BatchRow] = []
    for at, header in batches:
        if header.magic != MAGIC or batch_crc(window, at, header.size) != header.crc:
            raise CorruptObjectError(_WHAT, f"the batch at {header.base_offset} is damaged")
        rows.append(
            BatchRow(
                position=start + at,
                length=header.size,
                base_offset=header.base_offset,
                next_offset=header.next_offset,
                leader_epoch=header.leader_epoch,
                base_timestamp=header.base_timestamp,
                max_timestamp=header.max_timestamp,
                records=header.record_count,
            )
        )
    return rows


def _read_small(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
