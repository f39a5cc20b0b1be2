"""Finds a record by its time in whole batches, not below a given offset."""

from everlog.records.batch import walk
from everlog.records.reader import first_record_at
from service.model.disk import Buffer


def scan_for_time(records: Buffer, timestamp_ms: int, start: int) -> tuple[int, int] | None:
    """Return (timestamp, offset) of the first record from ``start`` on at or after a time."""
    for position, header in walk(records):
        if header.max_timestamp >= timestamp_ms and header.next_offset > start:
            batch = memoryview(records)[position : position + header.size]
            found = first_record_at(batch, header, timestamp_ms, start=start)
            if found is not None:
                return found
    return None
