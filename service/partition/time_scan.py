"""Finds a record by its time in whole batches, not below a given offset."""

import asyncio

from everlog.model.offsets import Offset
from everlog.records.batch import walk
from everlog.records.reader import first_record_at
from service.model.disk import Buffer
from service.model.log import LogSlice, ReadBounds, TimestampOffset
from service.partition.readable import ReadablePartition

TIME_SCAN_BYTES = 256 * 1024
"""Read at a time where the index of times cannot help; other work goes on in between."""


def scan_for_time(records: Buffer, timestamp_ms: int, start: int) -> tuple[int, int] | None:
    """Return (timestamp, offset) of the first record from ``start`` on at or after a time."""
    for position, header in walk(records):
        if header.max_timestamp >= timestamp_ms and header.next_offset > start:
            batch = memoryview(records)[position : position + header.size]
            found = first_record_at(batch, header, timestamp_ms, start=start)
            if found is not None:
                return found
    return None


async def find_by_scan(
    partition: ReadablePartition, timestamp_ms: int, end: Offset
) -> TimestampOffset | None:
    """Find the first record of a partition below ``end`` at or after a time, by reading it all."""
    start = offset = partition.log_start
    while offset < end:
        bounds = ReadBounds(end=end, bytes_max=TIME_SCAN_BYTES, at_least_one=True)
        piece = partition.read(offset, bounds)
        records = (piece if isinstance(piece, LogSlice) else await piece).records
        found = scan_for_time(records, timestamp_ms, start)
        if found is not None:
            timestamp, hit = found
            return TimestampOffset(timestamp, Offset(hit), partition.epoch_of(hit))
        if not records:
            return None
        *_, (_, last) = walk(records)
        offset = Offset(last.next_offset)
        await asyncio.sleep(0)
    return None
