"""Finds whole batches in a run of bytes that begins at a batch and may end inside one."""

from everlog.records.batch import HEADER_BYTES, LENGTH_FIELD_END, Buffer, read_header


def skip_to(buffer: Buffer, offset: int) -> int:
    """Return the position of the first batch that ends after ``offset``.

    The batch may be cut off, or begin where the buffer ends; gaps between batches are legal.
    """
    position = 0
    end = len(buffer)
    while end - position >= HEADER_BYTES:
        header = read_header(buffer, position)
        if header.next_offset > offset:
            break
        position += header.size
    return min(position, end)


def whole_until(buffer: Buffer, start: int, end_offset: int) -> int:
    """Return where the last whole batch from ``start`` on ends that begins below ``end_offset``."""
    position = start
    end = len(buffer)
    while end - position >= HEADER_BYTES:
        header = read_header(buffer, position)
        if header.base_offset >= end_offset or header.size > end - position:
            break
        position += header.size
    return position


def first_batch_bytes(buffer: Buffer, start: int) -> int | None:
    """Return the size of the batch at ``start``, which may be cut off; None if its length is."""
    if len(buffer) - start < LENGTH_FIELD_END:
        return None
    return int.from_bytes(buffer[start + 8 : start + LENGTH_FIELD_END], "big") + LENGTH_FIELD_END
