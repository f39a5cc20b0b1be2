"""What the records of a batch must satisfy where a topic asks for it (``record.validation=full``).

As Kafka's `LogValidator`: each record is what its lengths say, offsets are consecutive, timestamps
lie within the limits, and on a compacted topic every record has a key. Blocks for as long as
unpacking takes, so it runs in a thread.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from everlog.records.batch import HEADER_BYTES, BatchHeader, stamp_max_timestamp
from everlog.records.columns import (
    MalformedRecordsError,
    RecordColumns,
    check_headers,
    iter_columns,
)
from everlog.records.compression import Codec, decompress
from everlog.records.validation import (
    BatchLimits,
    InvalidRecordError,
    InvalidTimestampError,
    RecordFault,
)

FAULTS_MAX = 100
"""Records that an error names; a batch may hold a million bad ones."""

_NO_TIMESTAMP = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLimits:
    """What the records of a topic have to satisfy.

    Attributes:
        batch: What their batch has to satisfy.
        unpacked_bytes_max: Size to which a batch may unpack.
        keys_required: Whether a record without a key is refused, as on a compacted topic.
    """

    batch: BatchLimits
    unpacked_bytes_max: int
    keys_required: bool


def validate_records(
    batch: bytearray | memoryview, header: BatchHeader, limits: RecordLimits, *, now_ms: int
) -> BatchHeader:
    """Check the records of a batch whose header is good; return the header.

    A maximum timestamp that is not the records' own is corrected, in place, as Kafka does: lookups
    by time and retention go by it.

    Raises:
        InvalidRecordError, InvalidTimestampError: As their names say, with the records to blame.
        DecompressionError: The records cannot be unpacked within the limit.
    """
    packed = memoryview(batch)[HEADER_BYTES : header.size]
    records = decompress(Codec(header.codec), packed, bytes_max=limits.unpacked_bytes_max)
    newest = _NO_TIMESTAMP
    try:
        for columns in iter_columns(records, header.record_count):
            check_headers(records, columns)
            _check_offsets(columns)
            if limits.keys_required:
                _check_keys(columns)
            if not limits.batch.log_append_time:
                times = header.base_timestamp + columns.timestamp_deltas
                _check_times(columns.first, times, limits.batch, now_ms)
                newest = max(newest, int(times.max()))
    except MalformedRecordsError as error:
        faults = () if error.index is None else (RecordFault(error.index, str(error)),)
        raise InvalidRecordError(f"the records are malformed: {error}", faults) from error
    if limits.batch.log_append_time or newest == header.max_timestamp:
        return header
    stamp_max_timestamp(batch, timestamp_ms=newest)
    return header._replace(max_timestamp=newest)


def _check_offsets(columns: RecordColumns) -> None:
    expected = np.arange(columns.first, columns.first + len(columns))
    faults = _faults(
        columns.first, columns.offset_deltas != expected, "is out of the order of offsets"
    )
    if faults:
        raise InvalidRecordError("the offsets of the records are not consecutive", faults)


def _check_keys(columns: RecordColumns) -> None:
    faults = _faults(
        columns.first, columns.key_lengths < 0, "has no key, which a compacted topic needs"
    )
    if faults:
        raise InvalidRecordError("a compacted topic takes no record without a key", faults)


def _check_times(first: int, times: Any, limits: BatchLimits, now_ms: int) -> None:
    bad = times < _NO_TIMESTAMP
    told = times != _NO_TIMESTAMP
    if limits.timestamp_before_ms_max is not None:
        bad |= told & (times < now_ms - limits.timestamp_before_ms_max)
    if limits.timestamp_after_ms_max is not None:
        bad |= told & (times > now_ms + limits.timestamp_after_ms_max)
    faults = _faults(first, bad, "has a timestamp that the topic does not accept")
    if faults:
        raise InvalidTimestampError(
            "timestamps of records lie outside of what the topic accepts", faults
        )


def _faults(first: int, bad: Any, message: str) -> list[RecordFault]:
    rows = np.flatnonzero(bad)[:FAULTS_MAX].tolist() if bad.any() else ()
    return [RecordFault(first + row, f"record {first + row} {message}") for row in rows]
