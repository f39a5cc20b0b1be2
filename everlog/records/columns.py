"""The records of a batch as columns: where each begins, and every field of all of them at once.

One short loop walks the record lengths; numpy decodes all other fields for all records together, so
that looking inside costs a fraction of a microsecond a record and makes no object of any (D21).

A record (Kafka documentation, "Record"), after its own length: attributes i8, timestamp delta
varlong, offset delta varint, key length varint and key, value length varint and value, header count
varint and headers, each a key and a value in the same way. A length of -1 is null.

The bytes may come from anybody: whatever they hold, the outcome is columns or a
`MalformedRecordsError`, and no work or memory grows beyond what the buffer's own size justifies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from everlog.model.buffer import Buffer
from everlog.model.errors import CorruptionError
from everlog.records.varint import read_varint

Column = NDArray[np.int64]

RECORD_BYTES_MIN = 7
"""A record of nulls: its length, and one byte for each of its six fields."""

ROWS_MAX = 65_536
"""Records that are decoded at a time where all of a batch is not needed at once."""

_VARINT_BYTES_MAX = 5
_VARLONG_BYTES_MAX = 10
_MORE = 0x80
_PAYLOAD = 0x7F
_INT_MAX = 2**31 - 1
_NULL = -1


class MalformedRecordsError(CorruptionError):
    """A length, a count or a number inside the records contradicts the bytes that are there.

    Attributes:
        index: The first record of which that is known; None when it is about all of them.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message if index is None else f"record {index} {message}")
        self.index = index


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordColumns:
    """The fields of the records, one row for each record, in their order.

    Positions are into the uncompressed records; a length of -1 is null.

    Attributes:
        first: Number of the first of them within the batch.
        starts: Where each record begins, behind its own length.
        ends: Where it ends.
        timestamp_deltas: Milliseconds after the base timestamp of the batch.
        offset_deltas: Offset after the base offset of the batch.
        header_counts: How many headers it has.
        header_positions: Where its first header begins; its end if it has none.
    """

    first: int
    starts: Column
    ends: Column
    timestamp_deltas: Column
    offset_deltas: Column
    key_positions: Column
    key_lengths: Column
    value_positions: Column
    value_lengths: Column
    header_counts: Column
    header_positions: Column

    def __len__(self) -> int:
        return len(self.starts)


def read_columns(records: Buffer, count: int) -> RecordColumns:
    """Decode the ``count`` records that fill ``records``; headers are counted and stay closed.

    Args:
        records: Everything behind the header of the batch, uncompressed.
        count: As the header of the batch has it.

    Raises:
        MalformedRecordsError: The records are fewer, more, or not what their lengths say.
    """
    return next(iter_columns(records, count, rows_max=max(count, 1)))


def iter_columns(
    records: Buffer, count: int, *, rows_max: int = ROWS_MAX
) -> Iterator[RecordColumns]:
    """Decode like `read_columns`, in pieces of so many records, so that memory stays bounded.

    Raises:
        MalformedRecordsError: As above; what was yielded before is good.
    """
    if not 0 <= count <= len(records) // RECORD_BYTES_MIN:
        raise MalformedRecordsError(f"{len(records)} bytes cannot hold {count} records")
    position = 0
    for first in range(0, max(count, 1), rows_max):
        starts, ends, position = _walk(records, position, first, min(rows_max, count - first))
        if first + rows_max >= count and position != len(records):
            left = len(records) - position
            raise MalformedRecordsError(f"{left} bytes are left behind the last record")
        yield _decode(records, first, starts, ends)


def check_headers(records: Buffer, columns: RecordColumns) -> None:
    """Check the headers of the records that have some.

    Raises:
        MalformedRecordsError: A header does not fit its record, has no key, or something follows
            the last one.
    """
    for index in np.flatnonzero(columns.header_counts).tolist():
        row = columns.first + index
        position = int(columns.header_positions[index])
        end = int(columns.ends[index])
        for _ in range(int(columns.header_counts[index])):
            position = _after_binary(records, position, end, row, is_nullable=False)
            position = _after_binary(records, position, end, row, is_nullable=True)
        if position != end:
            raise MalformedRecordsError("has bytes behind its last header", row)


def _walk(records: Buffer, position: int, first: int, count: int) -> tuple[Column, Column, int]:
    """Find where each of the next ``count`` records begins and ends."""
    starts = [0] * count
    ends = [0] * count
    size = len(records)
    for index in range(count):
        # Zigzag: an odd byte is negative. Lengths of one byte are read without a call.
        byte = records[position] if position < size else 1
        if byte < _MORE and not byte & 1:
            start = position + 1
            position = start + (byte >> 1)
        else:
            length, start = _length(records, position, first + index)
            position = start + length
        if position > size:
            raise MalformedRecordsError("reaches beyond the batch", first + index)
        starts[index] = start
        ends[index] = position
    return np.array(starts, np.int64), np.array(ends, np.int64), position


def _length(records: Buffer, position: int, index: int) -> tuple[int, int]:
    try:
        length, start = read_varint(records, position)
    except CorruptionError as error:
        raise MalformedRecordsError(f"has no length: {error}", index) from error
    if not 0 <= length <= _INT_MAX or start - position > _VARINT_BYTES_MAX:
        raise MalformedRecordsError(f"claims {length} bytes", index)
    return length, start


def _decode(records: Buffer, first: int, starts: Column, ends: Column) -> RecordColumns:
    fields = _Fields(np.frombuffer(records, np.uint8), first, starts, ends)
    timestamp_deltas = fields.number(bytes_max=_VARLONG_BYTES_MAX)
    offset_deltas = fields.number()
    key_positions, key_lengths = fields.binary("key")
    value_positions, value_lengths = fields.binary("value")
    header_counts = fields.number()
    fields.end(header_counts)
    return RecordColumns(
        first=first,
        starts=starts,
        ends=ends,
        timestamp_deltas=timestamp_deltas,
        offset_deltas=offset_deltas,
        key_positions=key_positions,
        key_lengths=key_lengths,
        value_positions=value_positions,
        value_lengths=value_lengths,
        header_counts=header_counts,
        header_positions=fields.positions,
    )


class _Fields:
    """Reads one field after the other, of all records at a time.

    Attributes:
        positions: Where the next field of each record begins.
    """

    def __init__(self, data: NDArray[np.uint8], first: int, starts: Column, ends: Column) -> None:
        self._data = data
        self._first = first
        self._ends = ends
        # The attributes of a record are a byte that means nothing yet.
        self.positions: Column = starts + 1
        self._refuse(self.positions > ends, "ends before its first field")

    def number(self, *, bytes_max: int = _VARINT_BYTES_MAX) -> Column:
        """Read a variable-length integer of each record."""
        positions = self.positions
        self._refuse(positions >= self._ends, "ends inside its fields")
        head = self._data[positions]
        values = (head & _PAYLOAD).astype(np.uint64)
        positions = positions + 1
        live: Any = np.flatnonzero(head >= _MORE)
        for shift in range(7, 7 * bytes_max, 7):
            if not len(live):
                break
            where = positions[live]
            self._refuse(where >= self._ends[live], "ends inside a number", live)
            byte = self._data[where]
            values[live] |= (byte & _PAYLOAD).astype(np.uint64) << np.uint64(shift)
            positions[live] += 1
            live = live[byte >= _MORE]
        if len(live):
            raise MalformedRecordsError("has a number that is too long", self._first + int(live[0]))
        self.positions = positions
        return (values >> np.uint64(1)).astype(np.int64) ^ -(values & np.uint64(1)).astype(np.int64)

    def binary(self, name: str) -> tuple[Column, Column]:
        """Pass over a key or a value; return where each begins and its length."""
        lengths = self.number()
        starts = self.positions
        left = self._ends - starts
        self._refuse((lengths < _NULL) | (lengths > left), f"has a {name} that does not fit")
        self.positions = starts + np.maximum(lengths, 0)
        return starts, lengths

    def end(self, header_counts: Column) -> None:
        """Check that what is left can be the headers, and only they."""
        left = self._ends - self.positions
        # A header has at least two bytes: the lengths of an empty key and of a null value.
        bad = (header_counts < 0) | (header_counts > left // 2)
        self._refuse(bad, "has a header count that does not fit")
        self._refuse((header_counts == 0) & (left > 0), "has bytes behind its last field")

    def _refuse(self, bad: Any, message: str, rows: Any = None) -> None:
        """Raise for the first record that is marked, if one is."""
        if bad.any():
            row = int(bad.argmax())
            row = row if rows is None else int(rows[row])
            raise MalformedRecordsError(message, self._first + row)


def _after_binary(
    records: Buffer, position: int, end: int, index: int, *, is_nullable: bool
) -> int:
    """Pass over the key or the value of a header."""
    byte = records[position] if position < end else 1
    if byte < _MORE and not byte & 1:
        after = position + 1 + (byte >> 1)
    else:
        after = _after_long_binary(records, position, index, is_nullable=is_nullable)
    if after > end:
        _misfit(index)
    return after


def _after_long_binary(records: Buffer, position: int, index: int, *, is_nullable: bool) -> int:
    try:
        length, start = read_varint(records, position)
    except CorruptionError:
        _misfit(index)
    if length == _NULL and is_nullable:
        return start
    if not 0 <= length <= _INT_MAX or start - position > _VARINT_BYTES_MAX:
        _misfit(index)
    return start + length


def _misfit(index: int) -> NoReturn:
    raise MalformedRecordsError("has a header that does not fit", index)
