"""Finds a record by its timestamp in a stretch of a segment file. Blocks; runs in a thread."""

from everlog.model.errors import EverlogError
from everlog.records.batch import LOG_APPEND_TIME, BatchHeader
from everlog.records.reader import read_records
from service.hot.recovery import TornTail, scan
from service.model.disk import File


def find_record_at(file: File, start: int, stop: int, timestamp_ms: int) -> tuple[int, int] | None:
    """Return (timestamp, offset) of the first record at or after ``timestamp_ms``.

    Args:
        file: The segment file.
        start: Position of a batch.
        stop: Bytes of the file that may be read.
        timestamp_ms: Milliseconds since the Unix epoch.
    """
    for item in scan(file, stop, start=start):
        if isinstance(item, TornTail):
            return None
        position, header = item
        if header.max_timestamp >= timestamp_ms:
            return _first_in_batch(file, position, header, timestamp_ms)
    return None


def _first_in_batch(
    file: File, position: int, header: BatchHeader, timestamp_ms: int
) -> tuple[int, int]:
    if header.attributes & LOG_APPEND_TIME:
        return header.max_timestamp, header.base_offset
    try:
        for record in read_records(file.read_at(position, header.size)):
            if record.timestamp_ms >= timestamp_ms:
                return record.timestamp_ms, record.offset
    except EverlogError:
        # A producer may have sent records that nobody can open; its header still tells the time.
        return header.max_timestamp, header.base_offset
    return header.max_timestamp, header.base_offset
