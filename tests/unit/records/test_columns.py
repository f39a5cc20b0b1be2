"""Columns of records: the same as record by record, and safe whatever the bytes are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everlog.records.batch import HEADER_BYTES, read_header
from everlog.records.builder import Record, build_batch
from everlog.records.columns import (
    MalformedRecordsError,
    RecordColumns,
    check_headers,
    iter_columns,
    read_columns,
)
from everlog.records.reader import read_records
from tests.examples import TIMES

_blobs = st.none() | st.binary(max_size=200)
RECORDS = st.builds(
    Record,
    key=_blobs,
    value=_blobs,
    timestamp_ms=st.integers(-1, 2**50),
    headers=st.lists(st.tuples(st.text(max_size=5), _blobs), max_size=3),
)


def body_of(records: list[Record]) -> bytes:
    return bytes(build_batch(records)[HEADER_BYTES:])


def slices(body: bytes, positions: list[int], lengths: list[int]) -> list[bytes | None]:
    return [
        None if length < 0 else body[position : position + length]
        for position, length in zip(positions, lengths, strict=True)
    ]


@given(st.lists(RECORDS, min_size=1, max_size=40))
@settings(max_examples=60 * TIMES)
def test_columns_hold_what_the_records_hold(records: list[Record]) -> None:
    batch = build_batch(records)
    body = bytes(batch[HEADER_BYTES:])
    found = read_columns(body, len(records))
    check_headers(body, found)
    expected = list(read_records(batch))
    base = read_header(batch).base_timestamp
    assert [base + each for each in found.timestamp_deltas.tolist()] == [
        each.timestamp_ms for each in expected
    ]
    assert found.offset_deltas.tolist() == [each.offset for each in expected]
    keys = slices(body, found.key_positions.tolist(), found.key_lengths.tolist())
    values = slices(body, found.value_positions.tolist(), found.value_lengths.tolist())
    assert keys == [each.key for each in expected]
    assert values == [each.value for each in expected]
    assert found.header_counts.tolist() == [len(each.headers) for each in expected]


@given(st.lists(RECORDS, min_size=1, max_size=30), st.integers(1, 7))
@settings(max_examples=30 * TIMES)
def test_pieces_make_up_the_whole(records: list[Record], rows_max: int) -> None:
    body = body_of(records)
    pieces = list(iter_columns(body, len(records), rows_max=rows_max))
    assert [piece.first for piece in pieces] == list(range(0, len(records), rows_max))
    whole = read_columns(body, len(records))
    assert [row for piece in pieces for row in piece.starts.tolist()] == whole.starts.tolist()
    assert sum(map(len, pieces)) == len(whole)


def opened(body: bytes, count: int) -> RecordColumns | None:
    try:
        found = read_columns(body, count)
        check_headers(body, found)
    except MalformedRecordsError:
        return None
    return found


@given(st.binary(max_size=300), st.integers(-(2**31), 2**31 - 1) | st.integers(0, 10))
@settings(max_examples=100 * TIMES)
def test_any_bytes_are_read_or_refused(body: bytes, count: int) -> None:
    found = opened(body, count)
    if found is not None and count:
        assert found.ends[-1] == len(body)


@given(st.lists(RECORDS, min_size=1, max_size=8), st.data())
@settings(max_examples=80 * TIMES)
def test_a_changed_byte_is_never_read_beyond_its_record(
    records: list[Record], data: st.DataObject
) -> None:
    body = bytearray(body_of(records))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    found = opened(bytes(body), len(records))
    if found is not None:
        for positions, lengths in (
            (found.key_positions, found.key_lengths),
            (found.value_positions, found.value_lengths),
        ):
            assert (positions + lengths.clip(0) <= found.ends).all()


def test_the_first_bad_record_is_named() -> None:
    records = [Record(key=b"k", value=b"v", timestamp_ms=0) for _ in range(5)]
    body = bytearray(body_of(records))
    size = len(body) // 5
    body[3 * size + 4] = 0x7E  # the key's length
    with pytest.raises(MalformedRecordsError) as error:
        next(iter_columns(bytes(body), 5, rows_max=5))
    assert error.value.index == 3
    with pytest.raises(MalformedRecordsError) as error:
        list(iter_columns(bytes(body), 5, rows_max=2))
    assert error.value.index == 3


def test_a_count_is_compared_with_the_bytes_before_anything_is_made() -> None:
    with pytest.raises(MalformedRecordsError, match="cannot hold"):
        read_columns(b"x" * 100, 2**31 - 1)


def test_no_records_are_no_rows() -> None:
    assert len(read_columns(b"", 0)) == 0
    with pytest.raises(MalformedRecordsError):
        read_columns(b"x", 0)
