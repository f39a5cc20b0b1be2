"""Opens a record batch and yields its records one by one, for places that need a few of them.

Whoever must look at many records uses `everlog.records.columns` instead.
"""

from collections.abc import Iterator
from typing import NamedTuple

from everlog.model.buffer import Buffer
from everlog.model.errors import CorruptionError, EverlogError
from everlog.records.batch import HEADER_BYTES, LOG_APPEND_TIME, BatchHeader, read_header
from everlog.records.compression import Codec, decompress
from everlog.records.varint import read_varint

RECORDS_BYTES_MAX = 256 * 1024 * 1024
"""Largest uncompressed batch that is opened; a batch is at most 100 MiB on the wire."""


class StoredRecord(NamedTuple):
    """One record as it lies in the log; keys and values are copies."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def read_records(batch: Buffer, *, bytes_max: int = RECORDS_BYTES_MAX) -> Iterator[StoredRecord]:
    """Yield the records of one whole batch, in order.

    Raises:
        CorruptionError: A length inside the records does not fit.
        DecompressionError: The compressed records are damaged or unpack to more than ``bytes_max``.
    """
    header = read_header(batch)
    view = memoryview(batch)[HEADER_BYTES : header.size]
    body = memoryview(decompress(Codec(header.codec), view, bytes_max=bytes_max))
    append_time = header.max_timestamp if header.attributes & LOG_APPEND_TIME else None
    position = 0
    for _ in range(header.record_count):
        size, start = read_varint(body, position)
        position = start + size
        if size < 0 or position > len(body):
            raise CorruptionError(f"a record of {size} bytes does not fit into its batch")
        yield _read_record(
            body[start:position], header.base_offset, header.base_timestamp, append_time
        )


def first_record_at(
    batch: Buffer, header: BatchHeader, timestamp_ms: int, *, start: int = 0
) -> tuple[int, int] | None:
    """Return (timestamp, offset) of the first record from ``start`` on at or after a time.

    The caller has seen in the header that there should be one. It alone tells the time of a batch
    with append time, and of one whose records nobody can open; a producer may have sent such.
    """
    by_header = header.max_timestamp, max(header.base_offset, start)
    if header.attributes & LOG_APPEND_TIME:
        return by_header
    try:
        for record in read_records(batch):
            if record.offset >= start and record.timestamp_ms >= timestamp_ms:
                return record.timestamp_ms, record.offset
    except EverlogError:
        return by_header
    return None


def _read_record(
    body: memoryview, base_offset: int, base_timestamp: int, append_time: int | None
) -> StoredRecord:
    timestamp_delta, position = read_varint(body, 1)
    offset_delta, position = read_varint(body, position)
    key, position = _read_bytes(body, position)
    value, position = _read_bytes(body, position)
    count, position = read_varint(body, position)
    headers = []
    for _ in range(count):
        name, position = _read_bytes(body, position)
        if name is None:
            raise CorruptionError("a record header has no name")
        content, position = _read_bytes(body, position)
        headers.append((name.decode("utf-8", "replace"), content))
    timestamp = base_timestamp + timestamp_delta if append_time is None else append_time
    return StoredRecord(base_offset + offset_delta, timestamp, key, value, tuple(headers))


def _read_bytes(body: memoryview, position: int) -> tuple[bytes | None, int]:
    size, position = read_varint(body, position)
    if size == -1:
        return None, position
    end = position + size
    if size < 0 or end > len(body):
        raise CorruptionError(f"a field of {size} bytes does not fit into its record")
    return bytes(body[position:end]), end
