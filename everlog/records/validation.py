"""What a produced batch must satisfy before it may enter a log.

Header checks only, as Kafka makes them in `ProduceRequest.validateRecords` and `LogValidator`;
looking at the records themselves is `record.validation=full`, in
`everlog.records.record_validation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.model.buffer import Buffer
from everlog.model.errors import RejectedError
from everlog.records.batch import (
    CONTROL,
    HEADER_BYTES,
    LENGTH_FIELD_END,
    LOG_APPEND_TIME,
    MAGIC,
    BatchHeader,
    batch_crc,
    read_header,
)
from everlog.records.compression import Codec

_CODEC_LAST = max(Codec)
_MAGIC_FIRST_READABLE = 0
_MAGIC_AT = 16


@dataclass(frozen=True, slots=True)
class RecordFault:
    """What is wrong with one record, by its number within the batch."""

    index: int
    message: str


class _FaultyRecordsError(RejectedError):
    """Single records may be to blame.

    Attributes:
        faults: The records that are to blame, where that is known; the first few of them.
    """

    def __init__(self, message: str, faults: Sequence[RecordFault] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class InvalidRecordError(_FaultyRecordsError):
    """The batch contradicts itself or the protocol; sending it again will not help."""


class CorruptMessageError(RejectedError):
    """The bytes were damaged on their way; sending them again may help."""


class UnsupportedCodecError(RejectedError):
    """The codec is unknown, or newer than the version of the request allows."""


class InvalidTimestampError(_FaultyRecordsError):
    """A timestamp lies outside of what the topic accepts."""


class MessageTooLargeError(RejectedError):
    """The batch is larger than the topic's ``max.message.bytes``; a client splits it."""


class SegmentTooSmallError(RejectedError):
    """The batch is larger than a whole segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What a topic accepts, resolved once per change of its configuration.

    Attributes:
        batch_bytes_max: ``max.message.bytes``, compared with the batch as sent.
        segment_bytes: ``segment.bytes``.
        timestamp_before_ms_max: How far before now a timestamp may lie; None for any distance.
        timestamp_after_ms_max: The same for the future.
        log_append_time: Whether the broker's time replaces the producer's (then no timestamp is
            refused).
    """

    batch_bytes_max: int
    segment_bytes: int
    timestamp_before_ms_max: int | None
    timestamp_after_ms_max: int | None
    log_append_time: bool


def validate_batch(
    records: Buffer | None, limits: BatchLimits, *, now_ms: int, zstd_allowed: bool
) -> BatchHeader:
    """Check the one batch that a produce request carries for a partition, and return its header.

    Raises:
        InvalidRecordError, CorruptMessageError, UnsupportedCodecError, InvalidTimestampError,
        MessageTooLargeError, SegmentTooSmallError: As their names say.
    """
    size = 0 if records is None else len(records)
    if records is None or size == 0:
        raise InvalidRecordError("the request holds no record batch for the partition")
    if size >= HEADER_BYTES and records[_MAGIC_AT] == MAGIC:
        header = read_header(records)
        if _is_plainly_good(header, size, limits, now_ms) and (
            batch_crc(records, 0, size) == header.crc
        ):
            return header
    return _examine(records, size, limits, now_ms=now_ms, zstd_allowed=zstd_allowed)


def _is_plainly_good(header: BatchHeader, size: int, limits: BatchLimits, now_ms: int) -> bool:
    """Whether everything but the checksum is beyond doubt, in one condition for the hot path.

    What it does not let pass may still be good; `_examine` decides, and says what is wrong.
    """
    base_offset, length, _, _, _, attributes, delta, base_ms, max_ms, *producer, count = header
    producer_id, epoch, sequence = producer
    before, after = limits.timestamp_before_ms_max, limits.timestamp_after_ms_max
    return (
        base_offset == 0
        and (producer_id == -1 or min(producer_id, epoch, sequence) >= 0)
        and 0 <= attributes < Codec.ZSTD
        and count == delta + 1 > 0
        and length + LENGTH_FIELD_END == size <= limits.batch_bytes_max
        and size <= limits.segment_bytes
        and base_ms >= 0
        and (before is None or now_ms - base_ms <= before)
        and max_ms >= 0
        and (after is None or max_ms - now_ms <= after)
    )


def _examine(
    records: Buffer, size: int, limits: BatchLimits, *, now_ms: int, zstd_allowed: bool
) -> BatchHeader:
    header = _framed(records, size)
    if header.size > limits.batch_bytes_max:
        raise MessageTooLargeError(
            f"the batch has {size} bytes; max.message.bytes is {limits.batch_bytes_max}"
        )
    if batch_crc(records, 0, size) != header.crc:
        raise CorruptMessageError("the checksum of the batch does not match its bytes")
    _check_fields(header)
    if header.codec == Codec.ZSTD and not zstd_allowed:
        raise UnsupportedCodecError("zstd needs Produce version 7 or newer")
    if size > limits.segment_bytes:
        raise SegmentTooSmallError(f"the batch has {size} bytes; segment.bytes is smaller")
    if not limits.log_append_time:
        _check_timestamp(header, limits, now_ms)
    return header


def _framed(records: Buffer, size: int) -> BatchHeader:
    """Read the header of the single batch; its length must be the length of the records."""
    if size <= _MAGIC_AT:
        raise CorruptMessageError(f"{size} bytes are no record batch")
    magic = records[_MAGIC_AT]
    if _MAGIC_FIRST_READABLE <= magic < MAGIC:
        raise InvalidRecordError(f"message format {magic} is not accepted; use a newer client")
    if size < HEADER_BYTES or magic != MAGIC:
        raise CorruptMessageError(f"{size} bytes with magic {magic} are no record batch")
    header = read_header(records)
    if header.length < HEADER_BYTES - LENGTH_FIELD_END or header.size > size:
        raise CorruptMessageError(f"the batch claims {header.size} bytes; {size} were sent")
    if header.size < size:
        raise InvalidRecordError("more than one record batch was sent for a partition")
    return header


def _check_fields(header: BatchHeader) -> None:
    if header.base_offset != 0:
        raise InvalidRecordError(f"the base offset is {header.base_offset} instead of 0")
    if header.record_count <= 0 or header.last_offset_delta + 1 != header.record_count:
        raise InvalidRecordError(
            f"{header.record_count} records end at offset delta {header.last_offset_delta}"
        )
    if header.attributes & CONTROL:
        raise InvalidRecordError("a client may not write control batches")
    if header.attributes & LOG_APPEND_TIME:
        raise InvalidTimestampError("a producer may not claim LogAppendTime")
    if header.producer_id >= 0 and (header.base_sequence < 0 or header.producer_epoch < 0):
        raise InvalidRecordError("a batch with a producer id needs an epoch and a base sequence")
    if header.codec > _CODEC_LAST:
        raise UnsupportedCodecError(f"compression id {header.codec} does not exist")


def _check_timestamp(header: BatchHeader, limits: BatchLimits, now_ms: int) -> None:
    if header.base_timestamp < -1 or header.max_timestamp < -1:
        raise InvalidTimestampError(f"{header.base_timestamp} is no timestamp")
    before, after = limits.timestamp_before_ms_max, limits.timestamp_after_ms_max
    if (
        before is not None
        and header.base_timestamp >= 0
        and now_ms - header.base_timestamp > before
    ):
        raise InvalidTimestampError(
            f"timestamp {header.base_timestamp} is more than {before} ms in the past"
        )
    if after is not None and header.max_timestamp - now_ms > after:
        raise InvalidTimestampError(
            f"timestamp {header.max_timestamp} is more than {after} ms in the future"
        )
