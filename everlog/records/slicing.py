"""Cuts the batches that a reader asked for out of bytes that begin at some batch before them."""

from typing import NamedTuple

from everlog.model.buffer import Buffer
from everlog.model.errors import CorruptionError
from everlog.records.batch import HEADER_BYTES, BatchHeader, read_header


class Missing(NamedTuple):
    """The first wanted batch is not whole in the bytes at hand.

    Attributes:
        position: Where it begins, from the start of these bytes; perhaps behind their end.
        size: Of the whole batch; None when its header is missing too.
    """

    position: int
    size: int | None


def cut_batches(
    buffer: Buffer,
    offset: int,
    *,
    end: int,
    bytes_max: int,
    at_least_one: bool,
    ends_at_end: bool = False,
) -> Buffer | Missing:
    """Return whole batches from the one that ends after ``offset`` on, not copied.

    Args:
        buffer: Begins at a batch and may end inside one; gaps between batches are legal.
        offset: First wanted offset.
        end: Batches that begin here or later are left out.
        bytes_max: Limit on the bytes.
        at_least_one: Whether a first batch larger than ``bytes_max`` is returned all the same;
            without, it is not worth another read either.
        ends_at_end: Whether the buffer is known to end with a whole batch below ``end``.

    Raises:
        CorruptionError: A batch on the way is too short to be one.
    """
    first = _skip_to(buffer, offset)
    if len(buffer) - first < HEADER_BYTES:
        return Missing(first, None)
    header = read_header(buffer, first)
    size = _size(header)
    behind = first + size
    is_larger = size > bytes_max
    if header.base_offset >= end or (is_larger and not at_least_one):
        return b""
    if behind > len(buffer):
        return Missing(first, size) if at_least_one else b""
    if is_larger:
        return memoryview(buffer)[first:behind]
    if ends_at_end and len(buffer) - first <= bytes_max:
        return memoryview(buffer)[first:]
    window = memoryview(buffer)[: first + bytes_max]
    return window[first : _whole_until(window, behind, end)]


def _skip_to(buffer: Buffer, offset: int) -> int:
    """Return where the first batch begins that ends after ``offset`` or has no whole header."""
    position = 0
    last = len(buffer) - HEADER_BYTES
    while position <= last:
        header = read_header(buffer, position)
        if header.next_offset > offset:
            break
        position += _size(header)
    return position


def _whole_until(buffer: Buffer, start: int, end_offset: int) -> int:
    """Return where the last whole batch from ``start`` on ends that begins below ``end_offset``."""
    position = start
    end = len(buffer)
    while end - position >= HEADER_BYTES:
        header = read_header(buffer, position)
        size = _size(header)
        if header.base_offset >= end_offset or size > end - position:
            break
        position += size
    return position


def _size(header: BatchHeader) -> int:
    size = header.size
    if size < HEADER_BYTES:
        # Damage that nobody has noticed yet; going on would never end.
        raise CorruptionError(f"a batch of {size} bytes cannot be")
    return size
