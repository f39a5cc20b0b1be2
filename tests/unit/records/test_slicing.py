import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError
from everlog.records.batch import HEADER_BYTES, read_header, walk
from everlog.records.builder import Record, build_batch
from everlog.records.slicing import Missing, cut_batches

EVERYTHING = 1 << 40
SPANS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 300)), min_size=1)
"""Gap before a batch, records of it, bytes of each."""


def batches_of(spans: list[tuple[int, int, int]]) -> list[bytearray]:
    made, offset = [], 0
    for gap, count, size in spans:
        records = [Record(key=None, value=b"v" * size, timestamp_ms=1)] * count
        made.append(build_batch(records, base_offset=offset + gap))
        offset += gap + count
    return made


@given(
    spans=SPANS,
    offset=st.integers(0, 50),
    end=st.integers(0, 50),
    bytes_max=st.integers(0, 2000),
    at_least_one=st.booleans(),
)
def test_whole_batches_are_cut_from_the_offset_to_the_bounds(
    spans: list[tuple[int, int, int]],
    offset: int,
    end: int,
    bytes_max: int,
    *,
    at_least_one: bool,
) -> None:
    batches = batches_of(spans)
    wanted = bytearray()
    after = [each for each in batches if read_header(each).next_offset > offset]
    for batch in after:
        fits = len(wanted) + len(batch) <= bytes_max or (at_least_one and not wanted)
        if read_header(batch).base_offset >= end or not fits:
            break
        wanted += batch
    found = cut_batches(
        b"".join(batches), offset, end=end, bytes_max=bytes_max, at_least_one=at_least_one
    )
    whole = sum(map(len, batches))
    assert found == (wanted if after else Missing(whole, None))


@given(spans=SPANS, offset=st.integers(0, 50), data=st.data())
def test_reading_what_is_missing_leads_to_the_same_batch(
    spans: list[tuple[int, int, int]], offset: int, data: st.DataObject
) -> None:
    whole = b"".join(batches_of(spans))
    begin, length = 0, data.draw(st.integers(0, len(whole)))
    reads = 0
    while isinstance(found := cut(whole[begin : begin + length], offset), Missing):
        begin += found.position
        length = found.size or HEADER_BYTES
        reads += 1
        if begin == len(whole):
            assert all(header.next_offset <= offset for _, header in walk(whole))
            return
    assert reads <= len(spans) + 1
    first = next(position for position, h in walk(whole) if h.next_offset > offset)
    assert whole[first : first + len(found)] == found
    assert len(found) > 0


def test_a_batch_behind_a_large_one_and_a_gap_has_a_place() -> None:
    first, second = batches_of([(0, 1, 5000), (40, 1, 10)])
    assert cut(first[:1000], 20) == Missing(len(first), None)
    assert cut(first + second[:HEADER_BYTES], 20) == Missing(len(first), len(second))


def test_bytes_known_to_end_with_a_batch_are_taken_to_their_end() -> None:
    whole = b"".join(batches_of([(0, 1, 10)] * 3))
    found = cut_batches(
        whole, 1, end=EVERYTHING, bytes_max=len(whole), at_least_one=True, ends_at_end=True
    )
    assert found == whole[len(whole) // 3 :]


@pytest.mark.parametrize("length", [0, -12, -1000])
def test_a_damaged_length_is_told_and_does_not_hang(length: int) -> None:
    first, second = batches_of([(0, 1, 10), (0, 1, 10)])
    first[8:12] = length.to_bytes(4, "big", signed=True)
    for offset in (0, 1):
        with pytest.raises(CorruptionError):
            cut(first + second, offset)


def cut(data: bytes | bytearray, offset: int) -> object:
    return cut_batches(data, offset, end=EVERYTHING, bytes_max=1, at_least_one=True)
