"""The parts of the wire format that take a loop or a decision: varints, tags, and every refusal.

Generated readers inline the common case (a varint of one byte, no tags) and call these for the
rest. Sources: Kafka protocol guide, "Protocol Primitive Types"; KIP-482 for varints and tagged
fields.
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NoReturn

from service.protocol.errors import EncodeError, ProtocolError

Buffer = bytes | bytearray | memoryview

ARRAY_ELEMENTS_MAX = 50_000
"""Elements and tags of one request, over all its arrays together.

The costliest element takes 1.2 microseconds to read, so that a request of nothing but empty
elements holds the event loop for some 60 ms and not for seconds. The largest honest request names
every partition of a broker, of which Kafka's own advice is to have no more than 4,000.
"""

LAYOUTS_MAX = 256
"""Lengths of number arrays whose layout is remembered; lists of replicas are short."""

_VARINT_BITS = 32
_SEVEN_BITS = 0x7F
_MORE = 0x80


def unsigned_varint(frame: memoryview, position: int, first: int) -> tuple[int, int]:
    """Read the rest of a varint that began with ``first``; return (value, position after it)."""
    value = first & _SEVEN_BITS
    shift = 7
    byte = first
    while byte & _MORE:
        if shift > _VARINT_BITS:
            raise ProtocolError("a varint of more than 5 bytes")
        byte = frame[position]
        position += 1
        value |= (byte & _SEVEN_BITS) << shift
        shift += 7
    if value >> _VARINT_BITS:
        raise ProtocolError(f"a varint of more than {_VARINT_BITS} bits")
    return value, position


def varint_bytes(value: int) -> bytes:
    """Write an unsigned varint."""
    out = bytearray()
    while value > _SEVEN_BITS:
        out.append(value & _SEVEN_BITS | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag_header(frame: memoryview, position: int, previous: int) -> tuple[int, int, int]:
    """Read the tag and size of a tagged field; return (tag, position of the value, position after).

    ``previous`` is the tag before it, or -1: tags ascend, so that none occurs twice.
    """
    tag, position = unsigned_varint(frame, position + 1, frame[position])
    if tag <= previous:
        raise ProtocolError(f"tag {tag} follows tag {previous}")
    size, position = unsigned_varint(frame, position + 1, frame[position])
    end = position + size
    if end > len(frame):
        refuse_length(f"tag {tag}", size, len(frame) - position)
    return tag, position, end


def skip_tags(frame: memoryview, position: int, count: int, left: int) -> tuple[int, int]:
    """Pass over tagged fields that nobody knows.

    Args:
        frame: What is being read.
        position: After the first byte of the count of fields.
        count: That byte.
        left: Elements that may still be read.

    Returns:
        The position after the fields, and the elements left.
    """
    if count & _MORE:
        count, position = unsigned_varint(frame, position, count)
    left -= count
    if left < 0:
        refuse_elements()
    tag = -1
    for _ in range(count):
        tag, _, position = tag_header(frame, position, tag)
    return position, left


def tag_section(tagged: list[tuple[int, bytearray]]) -> bytes:
    """Write tagged fields: (tag, encoded value) each, in ascending order of the tags."""
    out = bytearray(varint_bytes(len(tagged)))
    for tag, value in tagged:
        out += varint_bytes(tag)
        out += varint_bytes(len(value))
        out += value
    return bytes(out)


def number_list(frame: memoryview, position: int, letter: str, count: int) -> list[Any]:
    """Read ``count`` numbers of one format letter of `struct`."""
    return list(_layout(letter, count).unpack_from(frame, position))


def number_bytes(letter: str, values: Sequence[float]) -> bytes:
    """Write numbers of one format letter of `struct`."""
    return _layout(letter, len(values)).pack(*values)


@lru_cache(maxsize=LAYOUTS_MAX)
def _layout(letter: str, count: int) -> Struct:
    return Struct(f">{count}{letter}")


def refuse_length(field: str, length: int, left: int) -> NoReturn:
    """Refuse a length that is negative or runs past the end of the frame."""
    raise ProtocolError(f"{field}: a length of {length} where {left} bytes are left")


def refuse_null(field: str) -> NoReturn:
    """Refuse a null where this version allows none."""
    raise ProtocolError(f"{field}: null is not allowed")


def refuse_elements() -> NoReturn:
    """Refuse a message that would take too long to read."""
    raise ProtocolError(f"too many: a request may bring no more than {ARRAY_ELEMENTS_MAX} elements")


def refuse_tag(field: str, end: int, position: int) -> NoReturn:
    """Refuse a tagged field whose value does not fill its declared size."""
    raise ProtocolError(f"{field}: its tag ends at {end}, its value at {position}")


def refuse_field(field: str) -> NoReturn:
    """Refuse to write a message that would mean something else without a field that is set."""
    raise EncodeError(f"{field}: set, but this version cannot carry it")
