"""Finds a record by its timestamp in a stretch of a segment file. Blocks; runs in a thread."""

from everlog.records.reader import first_record_at
from service.hot.scan import TornTail, scan
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
            found = first_record_at(file.read_at(position, header.size), header, timestamp_ms)
            return found or (header.max_timestamp, header.base_offset)
    return None
