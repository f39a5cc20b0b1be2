from itertools import pairwise
from random import Random

import crc32c
import pytest
from hypothesis import strategies as st

from everlog.format.errors import CorruptObjectError
from everlog.format.segment_index import SegmentIndex, open_segment
from everlog.format.segment_object import BatchRow, SegmentBuilder
from everlog.format.segment_sections import NO_TIMESTAMP, AbortedTransaction, EpochStart
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from tests.unit.format.samples import NOW_MS, given
from tests.unit.format.segments import (
    LINEAGE,
    Batch,
    batch_bytes,
    key_of,
    made,
    rows_of,
    sparse_batches,
)


@pytest.mark.rule("BP-D14")
@given(st.integers(0, 1000), st.integers(0, 40), examples=30)
def test_the_checksum_of_the_object_is_known_without_reading_it_again(
    seed: int, count: int
) -> None:
    batches = sparse_batches(seed, count)
    end = batches[-1].next_offset if batches else 101
    segment = made(batches, base=100, end=end)
    sealed = segment.sealed
    assert sealed.crc32c == crc32c.crc32c(segment.whole)
    assert sealed.meta.data_crc32c == crc32c.crc32c(segment.data)
    assert sealed.object_bytes == len(segment.whole)
    assert sealed.meta.records == sum(len(batch.timestamps) for batch in batches)
    assert sealed.meta.batches == count
    assert sealed.meta.data_bytes == len(segment.data)


@given(st.integers(0, 1000), st.integers(1, 40), st.data(), examples=30)
def test_it_does_not_matter_in_how_many_buffers_the_batches_pass_by(
    seed: int, count: int, data: st.DataObject
) -> None:
    batches = sparse_batches(seed, count)
    whole = made(batches, base=100, end=batches[-1].next_offset)
    builder = SegmentBuilder(
        whole.key, created_ms=NOW_MS, chunk_bytes=1000, index_interval_bytes=300
    )
    rest = batches
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        body = b"".join(map(batch_bytes, rest[:size]))
        position = whole.rows[len(batches) - len(rest)].position
        builder.feed(rows_of(body, position=position), memoryview(bytearray(body)))
        rest = rest[size:]
    sealed = builder.seal(lineage=LINEAGE[:1], producers=b"producer state")
    assert sealed == whole.sealed


def test_chunks_end_between_batches_and_stay_below_their_size() -> None:
    batches = sparse_batches(5, 60)
    segment = made(batches, base=100, end=batches[-1].next_offset, chunk_bytes=1500)
    index = segment.index()
    chunks = [index.chunk(at) for at in range(index.chunk_count)]
    assert len(chunks) > 5
    starts = {row.position for row in segment.rows}
    assert {chunk.position for chunk in chunks} <= starts
    assert all(chunk.length <= 1500 for chunk in chunks)
    for at, chunk in enumerate(chunks):
        body = segment.data[chunk.position : chunk.position + chunk.length]
        assert chunk.crc32c == crc32c.crc32c(body)
        inside = rows_of(body)
        assert chunk.offsets.start == inside[0].base_offset
        assert chunk.offsets.end == inside[-1].next_offset
        assert chunk.max_timestamp == max(row.max_timestamp for row in inside)
        index.check_chunk(at, body)
    for before, after in pairwise(chunks):
        first = next(row for row in segment.rows if row.position == after.position)
        assert before.length + first.length > 1500, "a chunk ends only when it is full"


def test_a_batch_larger_than_a_chunk_is_a_chunk_of_its_own() -> None:
    batches = [
        Batch(base_offset=0, timestamps=[1]),
        Batch(base_offset=1, timestamps=[2], value_bytes=5000),
        Batch(base_offset=2, timestamps=[3]),
    ]
    index = made(batches, base=0, end=3).index()
    assert [index.chunk(at).offsets.start for at in range(index.chunk_count)] == [0, 1, 2]
    assert index.chunk(1).length > 5000


def test_an_object_without_batches_still_covers_its_offsets() -> None:
    segment = made([], base=10, end=50)
    index = segment.index()
    assert index.chunk_count == 0
    assert index.seek(Offset(10)) is None
    assert index.seek_time(0) is None
    assert index.meta.max_timestamp == NO_TIMESTAMP
    assert segment.sealed.entry.offsets == segment.key.offsets


def test_the_entry_of_an_object_says_what_the_object_says() -> None:
    aborted = AbortedTransaction(producer_id=4, first_offset=Offset(1), last_offset=Offset(900))
    segment = made([Batch(base_offset=0, timestamps=[7, 3])], base=0, end=9, aborted=[aborted])
    entry = segment.sealed.entry
    assert entry.key(segment.key.path) == segment.key
    assert entry.aborted
    assert (entry.max_timestamp, entry.records) == (7, 2)
    assert (entry.size_bytes, entry.crc32c) == (len(segment.whole), crc32c.crc32c(segment.whole))
    assert segment.index().entry() == entry


def row(position: int, base: int, end: int, *, length: int = 10, epoch: int = 1) -> BatchRow:
    return BatchRow(position, length, base, end, epoch, 5, 5, end - base)


@pytest.mark.rule("TIER-5")
@pytest.mark.parametrize(
    "rows",
    [
        [row(1, 0, 1)],
        [row(0, 0, 1), row(11, 1, 2)],
        [row(0, 0, 2), row(10, 1, 3)],
        [row(0, 3, 3)],
        [row(0, 4, 3)],
        [row(0, 0, 1, length=0)],
        [row(0, 0, 21)],
        [row(0, -1, 1)],
    ],
)
def test_batches_that_contradict_each_other_are_corruption(rows: list[BatchRow]) -> None:
    builder = SegmentBuilder(key_of(0, 20), created_ms=NOW_MS)
    with pytest.raises(CorruptObjectError):
        builder.feed(rows, bytes(sum(one.length for one in rows)))


@pytest.mark.rule("TIER-1")
@pytest.mark.parametrize("size", [0, 19, 21])
def test_a_buffer_of_another_length_than_its_batches_is_corruption(size: int) -> None:
    builder = SegmentBuilder(key_of(0, 20), created_ms=NOW_MS)
    with pytest.raises(CorruptObjectError):
        builder.feed([row(0, 0, 1), row(10, 1, 2)], bytes(size))


@pytest.mark.rule("TIER-12")
@pytest.mark.parametrize(
    ("base", "epoch"), [(100, 2), (129, 2), (130, 1), (169, 5), (170, 2), (10, 0)]
)
def test_a_batch_of_another_epoch_than_the_log_says_is_corruption(base: int, epoch: int) -> None:
    builder = SegmentBuilder(key_of(0, 200), created_ms=NOW_MS)
    builder.feed([row(0, base, base + 1, epoch=epoch)], bytes(10))
    with pytest.raises(CorruptObjectError, match="epoch"):
        builder.seal(lineage=LINEAGE)


def test_an_epoch_that_ends_late_is_found_behind_batches_that_agree() -> None:
    builder = SegmentBuilder(key_of(0, 200), created_ms=NOW_MS)
    builder.feed([row(0, 120, 121), row(10, 129, 130), row(20, 130, 131)], bytes(30))
    with pytest.raises(CorruptObjectError, match="at 130"):
        builder.seal(lineage=LINEAGE)


def test_a_lineage_out_of_order_is_corruption() -> None:
    for lineage in (LINEAGE[::-1], (LINEAGE[0], LINEAGE[0])):
        builder = SegmentBuilder(key_of(0, 200), created_ms=NOW_MS)
        with pytest.raises(CorruptObjectError):
            builder.seal(lineage=lineage)


def test_the_epoch_of_the_end_is_that_of_the_last_offset_even_without_batches() -> None:
    builder = SegmentBuilder(key_of(100, 200), created_ms=NOW_MS)
    builder.feed([row(0, 100, 101)], bytes(10))
    assert builder.seal(lineage=LINEAGE).meta.end_epoch == 5


def test_epochs_and_transactions_beyond_the_object_are_left_out() -> None:
    spans = [(1, 99), (90, 100), (150, 300), (199, 199), (200, 201)]
    aborted = [
        AbortedTransaction(producer_id=at, first_offset=Offset(first), last_offset=Offset(last))
        for at, (first, last) in enumerate(spans)
    ]
    later = EpochStart(LeaderEpoch(6), Offset(200))
    batch = Batch(base_offset=100, timestamps=[1])
    segment = made([batch], base=100, end=200, lineage=[*LINEAGE, later], aborted=aborted)
    index = segment.index()
    assert tuple(index.lineage()) == LINEAGE
    assert index.meta.end_epoch == 5
    assert index.aborted_in(OffsetRange(Offset(0), Offset(999))) == aborted[1:4]
    outside = made([batch], base=100, end=200, aborted=[aborted[0], aborted[4]])
    assert not outside.sealed.aborted


def test_the_same_batches_give_the_same_bytes() -> None:
    batches = sparse_batches(3, 20)
    end = batches[-1].next_offset
    assert made(batches, base=100, end=end).sealed == made(batches, base=100, end=end).sealed


@pytest.mark.parametrize(
    ("batch_size", "tail_bytes_max"), [(16 << 10, 64 << 10), (1 << 20, 4 << 10)]
)
def test_the_indexes_of_a_full_object_fit_into_one_small_read(
    batch_size: int, tail_bytes_max: int
) -> None:
    count, random = (64 << 20) // batch_size, Random(1)
    builder = SegmentBuilder(key_of(10**12, 2 * 10**12), created_ms=NOW_MS)
    rows = [
        BatchRow(
            position=at * batch_size,
            length=batch_size,
            base_offset=10**12 + at * 20,
            next_offset=10**12 + at * 20 + 20,
            leader_epoch=1,
            base_timestamp=NOW_MS,
            max_timestamp=NOW_MS + random.randrange(100_000),
            records=20,
        )
        for at in range(count)
    ]
    builder.feed(rows, bytes(64 << 20))
    sealed = builder.seal(lineage=[EpochStart(LeaderEpoch(1), Offset(0))])
    assert len(sealed.tail) <= tail_bytes_max
    index = open_segment(
        sealed.tail[-tail_bytes_max:],
        object_bytes=sealed.object_bytes,
        key=key_of(10**12, 2 * 10**12),
    )
    assert isinstance(index, SegmentIndex)
    assert index.chunk_count == 64
