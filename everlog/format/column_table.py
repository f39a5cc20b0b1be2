"""Rows kept as columns in one run of bytes, searched where they lie.

A column holds its values one after the other, little-endian; the columns follow each other in
the order of the layout, without padding. A table of ten thousand rows is one ``bytes`` object.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from struct import Struct, pack
from typing import Any, Literal, TypeAlias, cast

from everlog.format.errors import CorruptObjectError

assert sys.byteorder == "little", "columns are searched in place, so they need this byte order"

Row = Sequence[int | bytes]

_IntCode: TypeAlias = Literal["q", "Q", "I", "H"]
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and its type.

    Attributes:
        code: As in `struct`: ``q Q I H`` for integers, ``16s`` for bytes of a fixed length.
        differences: Whether a packed table stores each value as its difference from the one
            before, modulo 2**64; for columns of eight bytes that grow steadily.
    """

    name: str
    code: str
    differences: bool = False
    packing: Struct = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packing", Struct(f"<{self.code}"))

    @property
    def width(self) -> int:
        """Bytes of one value."""
        return self.packing.size


class Layout:
    """The columns of a table, in the order in which they are stored."""

    __slots__ = ("_places", "columns", "row_bytes")

    def __init__(self, *columns: Column) -> None:
        self.columns = columns
        self._places: dict[str, tuple[int, Column]] = {}
        before = 0
        for column in columns:
            self._places[column.name] = (before, column)
            before += column.width
        self.row_bytes = before

    def place(self, name: str) -> tuple[int, Column]:
        """Return the bytes per row of the columns before the named one, and the column."""
        return self._places[name]


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """Rows of one layout. Whoever makes one has seen to it that the length is right."""

    layout: Layout
    data: bytes

    @classmethod
    def of_rows(cls, layout: Layout, rows: Iterable[Row]) -> "ColumnTable":
        """Store rows, each with the values in the order of the layout."""
        columns = list(zip(*rows, strict=True))
        if not columns:
            return cls(layout, b"")
        packed = (
            _packed(column, values) for column, values in zip(layout.columns, columns, strict=True)
        )
        return cls(layout, b"".join(packed))

    @classmethod
    def of_bytes(cls, layout: Layout, data: bytes, what: str) -> "ColumnTable":
        """Take stored columns; ``what`` names them in the error.

        Raises:
            CorruptObjectError: The bytes are no whole number of rows.
        """
        if len(data) % layout.row_bytes:
            raise CorruptObjectError(what, f"{len(data)} bytes are not rows of {layout.row_bytes}")
        return cls(layout, data)

    def __len__(self) -> int:
        return len(self.data) // self.layout.row_bytes

    def ints(self, name: str) -> Sequence[int]:
        """Return a column of integers as a view of the table's bytes; keep it no longer."""
        _, column = self.layout.place(name)
        return int_view(self.bytes_of(name), column.code)

    def blobs(self, name: str) -> list[bytes]:
        """Return the values of a column of bytes."""
        _, column = self.layout.place(name)
        return [value for (value,) in column.packing.iter_unpack(self.bytes_of(name))]

    def row(self, index: int) -> tuple[Any, ...]:
        """Return the values of one row in the order of the layout."""
        rows = len(self)
        assert 0 <= index < rows, f"row {index} of {rows}"
        values: list[Any] = []
        column_at = 0
        for column in self.layout.columns:
            packing = column.packing
            values += packing.unpack_from(self.data, column_at + packing.size * index)
            column_at += packing.size * rows
        return tuple(values)

    def sliced(self, start: int, stop: int) -> "ColumnTable":
        """Return rows ``[start, stop)`` as a table of their own."""
        pieces = []
        for column in self.layout.columns:
            values = self.bytes_of(column.name)
            pieces.append(values[column.width * start : column.width * stop])
        return ColumnTable(self.layout, b"".join(pieces))

    def joined(self, other: "ColumnTable") -> "ColumnTable":
        """Return these rows and then the other's, which has the same layout."""
        assert other.layout is self.layout, "tables of different layouts"
        pieces = []
        for column in self.layout.columns:
            pieces += [self.bytes_of(column.name), other.bytes_of(column.name)]
        return ColumnTable(self.layout, b"".join(pieces))

    def with_ints(self, name: str, values: Sequence[int]) -> "ColumnTable":
        """Return the rows with other values in one column of integers."""
        before, column = self.layout.place(name)
        assert len(values) == len(self), f"{len(values)} values for {len(self)} rows"
        start = before * len(self)
        end = start + column.width * len(self)
        data = b"".join((self.data[:start], _packed(column, values), self.data[end:]))
        return ColumnTable(self.layout, data)

    def with_differences(self) -> bytes:
        """Return the bytes to compress: some columns as differences (see `Column`)."""
        return b"".join(
            _differences(self.ints(column.name))
            if column.differences
            else self.bytes_of(column.name)
            for column in self.layout.columns
        )

    @classmethod
    def of_differences(cls, layout: Layout, data: bytes, what: str) -> "ColumnTable":
        """Read what `with_differences` wrote.

        Raises:
            CorruptObjectError: The bytes are no whole number of rows.
        """
        stored = cls.of_bytes(layout, data, what)
        pieces = (
            _sums(stored.bytes_of(column.name))
            if column.differences
            else stored.bytes_of(column.name)
            for column in layout.columns
        )
        return cls(layout, b"".join(pieces))

    def bytes_of(self, name: str) -> memoryview:
        """Return a column as it is stored."""
        before, column = self.layout.place(name)
        rows = len(self)
        start = before * rows
        return memoryview(self.data)[start : start + column.width * rows]


def int_view(column: memoryview, code: str) -> Sequence[int]:
    """Return stored integers of a type as a sequence, without a copy."""
    return column.cast(cast("_IntCode", code))


def _packed(column: Column, values: Sequence[int | bytes]) -> bytes:
    return pack("<" + column.code * len(values), *values)


def _differences(values: Sequence[int]) -> bytes:
    steps = [(value - before) & _U64 for before, value in zip((0, *values), values, strict=False)]
    return pack(f"<{len(steps)}Q", *steps)


def _sums(steps: memoryview) -> bytes:
    values = [value & _U64 for value in accumulate(steps.cast("Q"))]
    return pack(f"<{len(values)}Q", *values)
