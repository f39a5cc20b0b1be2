import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import EverlogError
from everlog.records.batch import read_header
from everlog.records.builder import Record, build_batch
from everlog.records.compression import Codec
from everlog.records.places import locate, open_records
from everlog.records.reader import read_records

RECORDS = st.lists(
    st.builds(
        Record,
        key=st.none() | st.binary(max_size=200),
        value=st.none() | st.binary(max_size=200),
        timestamp_ms=st.integers(0, 2**40),
        headers=st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=9))),
    ),
    min_size=1,
    max_size=80,
)


@given(records=RECORDS, codec=st.sampled_from(Codec))
def test_places_say_where_keys_and_values_are(records: list[Record], codec: Codec) -> None:
    batch = build_batch(records, codec=codec, base_offset=7)
    header = read_header(batch)
    opened = open_records(batch, header)
    found = [
        (
            7 + delta,
            None if key_length < 0 else opened[key_at : key_at + key_length],
            None if value_length < 0 else opened[value_at : value_at + value_length],
        )
        for _, _, delta, key_at, key_length, value_at, value_length in locate(opened, len(records))
    ]
    assert found == [(each.offset, each.key, each.value) for each in read_records(batch)]
    places = locate(opened, len(records))
    assert b"".join(opened[place[0] : place[1]] for place in places) == opened


@given(records=RECORDS, data=st.data())
def test_damaged_records_are_told(records: list[Record], data: st.DataObject) -> None:
    batch = build_batch(records)
    opened = bytearray(open_records(batch, read_header(batch)))
    at = data.draw(st.integers(0, len(opened) - 1))
    opened[at] ^= data.draw(st.integers(1, 255))
    try:
        places = locate(bytes(opened), len(records))
    except EverlogError:
        return
    for begin, end, _, key_at, key_length, value_at, value_length in places:
        assert begin < key_at <= key_at + max(key_length, 0) < value_at
        assert value_at + max(value_length, 0) < end <= len(opened)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_count_that_does_not_fit_is_told(count: int) -> None:
    batch = build_batch([Record(key=b"k", value=b"v", timestamp_ms=1)] * 2)
    with pytest.raises(EverlogError):
        locate(open_records(batch, read_header(batch)), count)
