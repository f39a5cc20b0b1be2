"""Cuts the batches that a reader asked for out of bytes that begin at some batch before them."""

from everlog.records.slicing import first_batch_bytes, skip_to, whole_until
from service.model.disk import Buffer
from service.model.log import EMPTY_SLICE, LogSlice, ReadBounds


def cut_batches(data: Buffer, offset: int, bounds: ReadBounds) -> LogSlice | int:
    """Return whole batches from the one that ends after ``offset`` on.

    When the first of them is not whole in ``data``, return how many bytes of data hold it.
    """
    first = skip_to(data, offset)
    size = first_batch_bytes(data, first)
    if size is None:
        return EMPTY_SLICE
    if first + size > len(data) or size > bounds.bytes_max:
        if not bounds.at_least_one:
            return EMPTY_SLICE
        if first + size > len(data):
            return first + size
        return LogSlice(memoryview(data)[first : first + size])
    window = memoryview(data)[: first + bounds.bytes_max]
    stop = whole_until(window, first, bounds.end)
    return LogSlice(memoryview(data)[first:stop]) if stop > first else EMPTY_SLICE
