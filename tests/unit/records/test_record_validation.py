"""What the records of a batch must satisfy where they are looked at."""

import struct
from dataclasses import replace

import pytest

from everlog.records.batch import BatchHeader, batch_crc, read_header
from everlog.records.builder import Record, build_batch
from everlog.records.compression import Codec, DecompressedTooLargeError
from everlog.records.record_validation import FAULTS_MAX, RecordLimits, validate_records
from everlog.records.validation import BatchLimits, InvalidRecordError, InvalidTimestampError

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
LIMITS = RecordLimits(
    batch=BatchLimits(
        batch_bytes_max=1 << 20,
        segment_bytes=1 << 20,
        timestamp_before_ms_max=HOUR_MS,
        timestamp_after_ms_max=HOUR_MS,
        log_append_time=False,
    ),
    unpacked_bytes_max=100_000,
    keys_required=False,
)


def check(batch: bytearray, limits: RecordLimits = LIMITS) -> BatchHeader:
    return validate_records(batch, read_header(batch), limits, now_ms=NOW_MS)


def records(*stamps: int, key: bytes | None = b"k") -> list[Record]:
    return [Record(key=key, value=b"v", timestamp_ms=stamp) for stamp in stamps]


@pytest.mark.parametrize("codec", Codec)
def test_good_records_pass_in_every_codec(codec: Codec) -> None:
    batch = build_batch(records(*range(NOW_MS, NOW_MS + 100)), codec=codec)
    untouched = bytes(batch)
    assert check(batch) == read_header(batch)
    assert batch == untouched


def test_records_without_a_time_pass() -> None:
    assert check(build_batch(records(-1, NOW_MS))).max_timestamp == NOW_MS
    assert check(build_batch(records(-1))).max_timestamp == -1


@pytest.mark.parametrize("stamp", [-2, NOW_MS - HOUR_MS - 1, NOW_MS + HOUR_MS + 1, 2**62])
def test_times_outside_of_the_limits_are_named(stamp: int) -> None:
    with pytest.raises(InvalidTimestampError) as error:
        check(build_batch(records(NOW_MS, stamp, NOW_MS)))
    assert [fault.index for fault in error.value.faults] == [1]


def test_times_mean_nothing_where_the_broker_gives_its_own() -> None:
    own = replace(LIMITS, batch=replace(LIMITS.batch, log_append_time=True))
    assert check(build_batch(records(5)), own).max_timestamp == 5


def test_a_wrong_greatest_time_is_put_right_with_its_checksum() -> None:
    batch = build_batch(records(NOW_MS, NOW_MS + 5))
    struct.pack_into(">q", batch, 35, NOW_MS + 99)
    header = check(batch)
    assert header.max_timestamp == NOW_MS + 5
    assert read_header(batch).max_timestamp == NOW_MS + 5
    assert read_header(batch).crc == batch_crc(batch, 0, len(batch))


def test_keys_are_asked_for_where_they_are_needed() -> None:
    batch = build_batch([*records(NOW_MS), *records(*[NOW_MS] * 300, key=None)])
    check(batch)
    with pytest.raises(InvalidRecordError) as error:
        check(batch, replace(LIMITS, keys_required=True))
    assert [fault.index for fault in error.value.faults] == list(range(1, FAULTS_MAX + 1))


def test_offsets_are_consecutive() -> None:
    gap = [
        replace(each, offset_delta=delta) for each, delta in zip(records(1, 1), (0, 2), strict=True)
    ]
    limits = replace(LIMITS, batch=replace(LIMITS.batch, timestamp_before_ms_max=None))
    with pytest.raises(InvalidRecordError) as error:
        check(build_batch(gap), limits)
    assert [fault.index for fault in error.value.faults] == [1]


@pytest.mark.parametrize("codec", [codec for codec in Codec if codec is not Codec.NONE])
def test_a_bomb_is_refused(codec: Codec) -> None:
    batch = build_batch([Record(key=None, value=bytes(200_000), timestamp_ms=NOW_MS)], codec=codec)
    with pytest.raises(DecompressedTooLargeError):
        check(batch)
