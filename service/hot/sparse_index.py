"""Sparse index of one segment: from offsets and from times to positions.

Three columns, one row for about every ``index.interval.bytes``: the offset of a batch relative to
the segment's base, the position of that batch, and the greatest timestamp of all batches *before*
it. The last one never falls, which record timestamps may do, so all three columns can be searched
by bisection.
"""

from array import array
from bisect import bisect_left, bisect_right
from struct import Struct

from everlog.model.errors import CorruptionError
from service.hot.checked_file import with_checksum, without_checksum

_MAGIC = b"EVLX"
_VERSION = 1
_HEADER = Struct("<4sHHqqqqII")
_OFFSET_CODE = "I"
_TIME_CODE = "q"
NO_TIMESTAMP = -1


class SparseIndex:
    """Rows in the order of the batches; the first row is the first batch."""

    def __init__(self) -> None:
        self._offsets = array(_OFFSET_CODE)
        self._positions = array(_OFFSET_CODE)
        self._times_before = array(_TIME_CODE)

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, relative_offset: int, position: int, time_before: int) -> None:
        """Add the row of a batch that follows all batches with a row."""
        self._offsets.append(relative_offset)
        self._positions.append(position)
        self._times_before.append(time_before)

    def position_before(self, relative_offset: int) -> int:
        """Position of the last indexed batch that begins at or before the offset, or 0."""
        row = bisect_right(self._offsets, relative_offset) - 1
        return self._positions[row] if row >= 0 else 0

    def boundary_before(self, position: int) -> int:
        """Return the last indexed position at or before ``position``, or 0."""
        row = bisect_right(self._positions, position) - 1
        return self._positions[row] if row >= 0 else 0

    def position_before_time(self, timestamp_ms: int) -> int:
        """Position to scan from for the first batch at or after ``timestamp_ms``."""
        row = bisect_left(self._times_before, timestamp_ms) - 1
        return self._positions[row] if row >= 0 else 0


class SegmentSummary:
    """What is worth knowing of a sealed segment; the header of its index file."""

    __slots__ = ("first_append_ms", "max_timestamp", "next_offset", "size")

    def __init__(
        self, *, size: int, next_offset: int, max_timestamp: int, first_append_ms: int
    ) -> None:
        self.size = size
        self.next_offset = next_offset
        self.max_timestamp = max_timestamp
        self.first_append_ms = first_append_ms


def encode_index(index: SparseIndex, summary: SegmentSummary) -> bytes:
    """Write the index file of a sealed segment (layout: docs/formats.md, "Index file")."""
    columns = (
        index._offsets.tobytes()  # noqa: SLF001
        + index._positions.tobytes()  # noqa: SLF001
        + index._times_before.tobytes()  # noqa: SLF001
    )
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        0,
        summary.size,
        summary.next_offset,
        summary.max_timestamp,
        summary.first_append_ms,
        len(index),
        0,
    )
    return with_checksum(header + columns)


def decode_index(content: bytes) -> tuple[SparseIndex, SegmentSummary]:
    """Read what `encode_index` wrote.

    Raises:
        CorruptionError: The file is damaged; the index has to be rebuilt from the segment.
    """
    body = without_checksum(content, bytes_min=_HEADER.size, name="index file")
    fields = _HEADER.unpack_from(body)
    magic, version, _, size, next_offset, max_timestamp, first_append_ms, rows, _ = fields
    if magic != _MAGIC or version != _VERSION:
        raise CorruptionError(f"an index file of format {magic!r} {version} is not known")
    index = SparseIndex()
    position = _HEADER.size
    for column in (index._offsets, index._positions, index._times_before):  # noqa: SLF001
        width = rows * column.itemsize
        column.frombytes(body[position : position + width])
        position += width
    summary = SegmentSummary(
        size=size,
        next_offset=next_offset,
        max_timestamp=max_timestamp,
        first_append_ms=first_append_ms,
    )
    return index, summary
