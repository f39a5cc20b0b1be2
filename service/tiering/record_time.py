"""Finds a record by its timestamp in whole batches that are in memory."""

from everlog.records.batch import walk
from everlog.records.reader import first_record_at
from service.model.disk import Buffer


def find_record(data: Buffer, timestamp_ms: int) -> tuple[int, int, int] | None:
    """Return (timestamp, offset, leader epoch) of the first record at or after a time."""
    for position, header in walk(data):
        if header.max_timestamp >= timestamp_ms:
            batch = memoryview(data)[position : position + header.size]
            found = first_record_at(batch, header, timestamp_ms)
            timestamp, offset = found or (header.max_timestamp, header.base_offset)
            return timestamp, offset, header.leader_epoch
    return None
