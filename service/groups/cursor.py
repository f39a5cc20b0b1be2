"""Kafka's primitive types, as they stand in the records of ``__consumer_offsets``.

Nothing is believed: each read checks that its bytes are there before it takes them.
"""

import struct

from everlog.model.errors import CorruptionError

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_INT64 = struct.Struct(">q")
_UVARINT_BYTES_MAX = 5
_NULL = -1
_CONTINUES = 0x80


class Cursor:
    """Reads one key or value from the front to the back."""

    __slots__ = ("_end", "_position", "_source")

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._position = 0
        self._end = len(source)

    @property
    def remaining(self) -> int:
        """Bytes that have not been read."""
        return self._end - self._position

    def int16(self) -> int:
        return int.from_bytes(self.take(2), signed=True)

    def int32(self) -> int:
        return int.from_bytes(self.take(4), signed=True)

    def int64(self) -> int:
        return int.from_bytes(self.take(8), signed=True)

    def uvarint(self) -> int:
        """Read an unsigned varint of at most 32 bits."""
        value = 0
        for index in range(_UVARINT_BYTES_MAX):
            byte = self.take(1)[0]
            value |= (byte & ~_CONTINUES) << (7 * index)
            if byte < _CONTINUES:
                return value
        raise CorruptionError("a varint is longer than five bytes")

    def string(self) -> str:
        """Read a string that may not be null."""
        return _text(self.take(self._length(self.int16())))

    def nullable_string(self) -> str | None:
        length = self.int16()
        return None if length == _NULL else _text(self.take(self._length(length)))

    def sized_bytes(self) -> bytes:
        """Read bytes; what was stored as null comes back empty."""
        length = self.int32()
        return b"" if length == _NULL else self.take(self._length(length))

    def compact_string(self) -> str:
        return _text(self.compact_bytes())

    def compact_nullable_string(self) -> str | None:
        length = self.uvarint()
        return None if length == 0 else _text(self.take(length - 1))

    def compact_bytes(self) -> bytes:
        return self.take(self._length(self.uvarint() - 1))

    def count(self, *, compact: bool, element_bytes_min: int) -> int:
        """Read the length of an array, which its elements have to be able to fill."""
        length = self._length(self.uvarint() - 1 if compact else self.int32())
        if length * element_bytes_min > self.remaining:
            raise CorruptionError(f"an array of {length} does not fit into {self.remaining} bytes")
        return length

    def tagged_fields(self) -> dict[int, bytes]:
        """Read the tagged fields that end a flexible struct (KIP-482)."""
        return {self.uvarint(): self.take(self.uvarint()) for _ in range(self.uvarint())}

    def finish(self) -> None:
        """Check that everything was read.

        Raises:
            CorruptionError: Bytes are left over.
        """
        if self._position != self._end:
            raise CorruptionError(f"{self.remaining} bytes are left over")

    def take(self, length: int) -> bytes:
        """Read ``length`` bytes.

        Raises:
            CorruptionError: There are fewer.
        """
        end = self._position + length
        if end > self._end:
            raise CorruptionError(f"{length} bytes expected, {self.remaining} are left")
        taken = self._source[self._position : end]
        self._position = end
        return taken

    def _length(self, length: int) -> int:
        if length < 0:
            raise CorruptionError(f"{length} is no length")
        return length


def string(text: str) -> bytes:
    """Write a string."""
    utf8 = text.encode()
    return _INT16.pack(len(utf8)) + utf8


def nullable_string(text: str | None) -> bytes:
    """Write a string or null."""
    return _INT16.pack(_NULL) if text is None else string(text)


def sized_bytes(content: bytes) -> bytes:
    """Write bytes with their length."""
    return _INT32.pack(len(content)) + content


def compact_string(text: str) -> bytes:
    """Write a string of a flexible version."""
    utf8 = text.encode()
    return uvarint(len(utf8) + 1) + utf8


def uvarint(number: int) -> bytes:
    """Write an unsigned varint."""
    written = bytearray()
    while number >= _CONTINUES:
        written.append(number & ~_CONTINUES & 0xFF | _CONTINUES)
        number >>= 7
    written.append(number)
    return bytes(written)


def int16(number: int) -> bytes:
    """Write a signed integer of 16 bits."""
    return _INT16.pack(number)


def int32(number: int) -> bytes:
    """Write a signed integer of 32 bits."""
    return _INT32.pack(number)


def int64(number: int) -> bytes:
    """Write a signed integer of 64 bits."""
    return _INT64.pack(number)


def _text(utf8: bytes) -> str:
    try:
        return utf8.decode()
    except UnicodeDecodeError as error:
        raise CorruptionError("a string is not UTF-8") from error
