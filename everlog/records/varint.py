"""Zig-zag variable-length integers, as records use them (Protocol Buffers encoding)."""

from everlog.model.buffer import Buffer
from everlog.model.errors import CorruptionError

_SHIFT_MAX = 63
_MORE = 0x80
_PAYLOAD = 0x7F


def write_varint(out: bytearray, value: int) -> None:
    """Append ``value``, a signed 64-bit integer."""
    rest = (value << 1) ^ (value >> 63)
    while rest > _PAYLOAD:
        out.append((rest & _PAYLOAD) | _MORE)
        rest >>= 7
    out.append(rest)


def read_varint(buffer: Buffer, position: int) -> tuple[int, int]:
    """Return (value, position after it).

    Raises:
        CorruptionError: The buffer ends inside the number, or the number has more than 64 bits.
    """
    rest = 0
    shift = 0
    try:
        while True:
            byte = buffer[position]
            position += 1
            rest |= (byte & _PAYLOAD) << shift
            if byte < _MORE:
                break
            shift += 7
            if shift > _SHIFT_MAX:
                raise CorruptionError("a variable-length integer has more than 64 bits")
    except IndexError as error:
        raise CorruptionError("the records end inside a variable-length integer") from error
    return (rest >> 1) ^ -(rest & 1), position
