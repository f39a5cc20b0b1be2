from dataclasses import replace

import pytest
from hypothesis import strategies as st

from everlog.format.errors import CorruptObjectError
from everlog.format.segment_sections import (
    SegmentMeta,
    decode_columns,
    decode_meta,
    encode_column,
    encode_meta,
)
from everlog.model.offsets import LeaderEpoch
from tests.unit.format.samples import NOW_MS, damaged, given
from tests.unit.format.segments import key_of

META = SegmentMeta(
    key=key_of(5, 1 << 62),
    end_epoch=LeaderEpoch(9),
    first_timestamp=-1,
    max_timestamp=(1 << 63) - 1,
    records=1 << 40,
    batches=77,
    data_bytes=1 << 33,
    data_crc32c=0xFFFFFFFF,
    created_ms=NOW_MS,
)
NUMBERS = st.lists(st.integers(0, 1 << 62), max_size=30)


def test_the_identity_comes_back_as_it_was_written() -> None:
    assert decode_meta(encode_meta(META)) == META


@given(damaged(encode_meta(META)))
def test_a_damaged_identity_is_refused_or_whole(data: bytes) -> None:
    try:
        found = decode_meta(data)
    except CorruptObjectError:
        return
    assert encode_meta(found) == data


@pytest.mark.rule("TIER-5")
@given(NUMBERS, NUMBERS, st.integers(-(1 << 62), 0))
def test_index_columns_hold_numbers_of_any_size(
    numbers: list[int], others: list[int], origin: int
) -> None:
    others = (others + [0] * len(numbers))[: len(numbers)]
    data = encode_column(numbers, origin=origin) + encode_column(others, origin=0)
    first, second = decode_columns(data, 2)
    assert [value + first.origin for value in first.values] == numbers
    assert [value + second.origin for value in second.values] == others
    assert first.is_ascending(strictly=False) == (numbers == sorted(numbers))
    assert first.is_ascending(strictly=True) == (sorted(set(numbers)) == numbers)


def test_a_column_is_narrow_until_a_value_needs_more() -> None:
    origin = 1 << 50
    narrow = encode_column([origin, origin + (1 << 32) - 1], origin=origin)
    wide = encode_column([origin, origin + (1 << 32)], origin=origin)
    assert (len(narrow), len(wide)) == (16 + 8, 16 + 16)


@given(damaged(encode_column([1, 5, 1 << 40], origin=1) + encode_column([0, 1, 2], origin=0)))
def test_damaged_columns_are_refused_or_whole(data: bytes) -> None:
    try:
        columns = decode_columns(data, 2)
    except CorruptObjectError:
        return
    assert len(columns[0]) == len(columns[1])


def test_an_entry_is_what_the_identity_says() -> None:
    entry = META.entry(size_bytes=META.data_bytes + 64, crc32c=4, aborted=True)
    assert entry.key(META.key.path) == META.key
    assert replace(entry, aborted=False).flags == 0
