"""Finds a record by its time in whole batches, not below a given offset."""

from everlog.model.errors import EverlogError
from everlog.records.batch import LOG_APPEND_TIME, BatchHeader, walk
from everlog.records.reader import read_records
from service.model.disk import Buffer


def first_record_at(records: Buffer, timestamp_ms: int, start: int) -> tuple[int, int] | None:
    """Return (timestamp, offset) of the first record from ``start`` on at or after a time."""
    view = memoryview(records)
    for position, header in walk(records):
        if header.max_timestamp >= timestamp_ms and header.next_offset > start:
            batch = view[position : position + header.size]
            found = _first_in_batch(batch, header, timestamp_ms, start)
            if found is not None:
                return found
    return None


def _first_in_batch(
    batch: memoryview, header: BatchHeader, timestamp_ms: int, start: int
) -> tuple[int, int] | None:
    somewhere = header.max_timestamp, max(header.base_offset, start)
    if header.attributes & LOG_APPEND_TIME:
        return somewhere
    try:
        for record in read_records(batch):
            if record.offset >= start and record.timestamp_ms >= timestamp_ms:
                return record.timestamp_ms, record.offset
    except EverlogError:
        # Nobody can open these records; their header still tells a time.
        return somewhere
    return None
