"""Builds the end of a segment object from the files that its batches lie in. Blocks."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import SegmentKey
from everlog.format.segment_object import BatchRow, SealedSegment, SegmentBuilder
from everlog.format.segment_sections import EpochStart
from everlog.records.batch import HEADER_BYTES, MAGIC, batch_crc, read_header
from everlog.stores.body import FilePart

READ_BYTES = 4 << 20
"""Read at a time; a larger batch is read whole."""

_WHAT = "sealed segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealOrder:
    """What an object is to be made of.

    Attributes:
        parts: Whole batches, in order.
        lineage: All leader epochs up to its end.
        producers_path: A snapshot of producer states; a missing file is an empty one.
    """

    key: SegmentKey
    parts: Sequence[FilePart]
    lineage: Sequence[EpochStart]
    producers_path: str
    created_ms: int


def seal_object(order: SealOrder) -> SealedSegment:
    """Read the batches once, check each, and make everything that follows them.

    Raises:
        CorruptObjectError: A batch is damaged, cut off or not of this object.
    """
    builder = SegmentBuilder(order.key, created_ms=order.created_ms)
    position = 0
    try:
        for part in order.parts:
            for window in _windows(part):
                rows, used = _rows(window, position)
                builder.feed(rows, window[:used])
                position += used
        producers = _read_small(order.producers_path)
    except OSError as error:
        raise CorruptObjectError(_WHAT, f"it cannot be read: {error}") from error
    return builder.seal(lineage=order.lineage, producers=producers)


def _windows(part: FilePart) -> Iterator[memoryview]:
    """Yield stretches of whole batches."""
    assert isinstance(part.file, str), "an order names files by their paths"
    descriptor = os.open(part.file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        position, end = part.position, part.position + part.length
        while position < end:
            view = _read(descriptor, position, min(READ_BYTES, end - position))
            used = _whole_bytes(view)
            if not used:
                size = read_header(view).size if len(view) >= HEADER_BYTES else 0
                if not len(view) < size <= end - position:
                    raise CorruptObjectError(_WHAT, f"no whole batch at {position} of {part.file}")
                view = _read(descriptor, position, size)
                used = _whole_bytes(view)
                if not used:
                    raise CorruptObjectError(_WHAT, f"{part.file} ends within a batch")
            yield view[:used]
            position += used
    finally:
        os.close(descriptor)


def _read(descriptor: int, position: int, length: int) -> memoryview:
    found = os.pread(descriptor, length, position)
    return memoryview(found)


def _whole_bytes(view: memoryview) -> int:
    at, end = 0, len(view)
    while end - at >= HEADER_BYTES:
        size = int.from_bytes(view[at + 8 : at + 12], "big") + 12
        if size < HEADER_BYTES or size > end - at:
            break
        at += size
    return at


def _rows(window: memoryview, start: int) -> tuple[list[BatchRow], int]:
    """Return the batches of a window that begins at ``start`` of the object, and their bytes."""
    rows: list[BatchRow] = []
    at = 0
    while at < len(window):
        header = read_header(window, at)
        size = header.size
        if header.magic != MAGIC or batch_crc(window, at, size) != header.crc:
            raise CorruptObjectError(_WHAT, f"the batch at {header.base_offset} is damaged")
        rows.append(
            BatchRow(
                position=start + at,
                length=size,
                base_offset=header.base_offset,
                next_offset=header.next_offset,
                leader_epoch=header.leader_epoch,
                base_timestamp=header.base_timestamp,
                max_timestamp=header.max_timestamp,
                records=header.record_count,
            )
        )
        at += size
    return rows, at


def _read_small(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
