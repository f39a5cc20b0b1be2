"""Finds a record by its timestamp in whole batches that are in memory."""

from everlog.model.errors import EverlogError
from everlog.records.batch import LOG_APPEND_TIME, BatchHeader, walk
from everlog.records.reader import read_records
from service.model.disk import Buffer


def find_record(data: Buffer, timestamp_ms: int) -> tuple[int, int, int] | None:
    """Return (timestamp, offset, leader epoch) of the first record at or after a time."""
    for position, header in walk(data):
        if header.max_timestamp >= timestamp_ms:
            batch = memoryview(data)[position : position + header.size]
            timestamp, offset = _first_in(batch, header, timestamp_ms)
            return timestamp, offset, header.leader_epoch
    return None


def _first_in(batch: Buffer, header: BatchHeader, timestamp_ms: int) -> tuple[int, int]:
    if not header.attributes & LOG_APPEND_TIME:
        try:
            for record in read_records(batch):
                if record.timestamp_ms >= timestamp_ms:
                    return record.timestamp_ms, record.offset
        except EverlogError:
            # A producer may have sent records that nobody can open; the header still tells.
            return header.max_timestamp, header.base_offset
    return header.max_timestamp, header.base_offset
