from hypothesis import given
from hypothesis import strategies as st

from everlog.records.batch import DELETE_HORIZON, batch_crc, read_header
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.compression import Codec
from everlog.records.places import locate, open_records
from everlog.records.reader import read_records
from everlog.records.rewriting import empty_batch, keep_records

WHO = Producer(producer_id=4, epoch=2, base_sequence=9)
RECORDS = st.lists(
    st.builds(
        Record,
        key=st.none() | st.binary(max_size=150),
        value=st.none() | st.binary(max_size=150),
        timestamp_ms=st.integers(0, 2**40),
        headers=st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=9))),
    ),
    min_size=1,
    max_size=20,
)


@given(
    records=RECORDS,
    codec=st.sampled_from(Codec),
    horizon_ms=st.none() | st.integers(0, 2**41),
    chosen=st.sets(st.integers(0, 19), min_size=1),
)
def test_the_kept_records_are_as_they_were(
    records: list[Record], codec: Codec, horizon_ms: int | None, chosen: set[int]
) -> None:
    rows = sorted({row % len(records) for row in chosen})
    batch = build_batch(records, base_offset=70, codec=codec, producer=WHO)
    header = read_header(batch)
    opened = open_records(batch, header)
    places = locate(opened, len(records))
    made = keep_records(header, opened, [places[row] for row in rows], delete_horizon_ms=horizon_ms)
    before = list(read_records(batch))
    assert list(read_records(made)) == [before[row] for row in rows]
    after = read_header(made)
    assert after.crc == batch_crc(made, 0, len(made))
    assert after.size == len(made)
    assert after.max_timestamp == max(before[row].timestamp_ms for row in rows)
    assert bool(after.attributes & DELETE_HORIZON) == (horizon_ms is not None)
    if horizon_ms is not None:
        assert after.base_timestamp == horizon_ms
    assert after.codec == codec
    assert after[9:12] == header[9:12]
    assert (after.base_offset, after.next_offset) == (header.base_offset, header.next_offset)


def test_an_empty_batch_keeps_its_place_and_its_sequence() -> None:
    record = Record(key=b"k", value=None, timestamp_ms=5)
    batch = build_batch([record] * 3, base_offset=70, codec=Codec.GZIP, producer=WHO)
    made = empty_batch(read_header(batch))
    header = read_header(made)
    assert len(made) == header.size == 61
    assert header.crc == batch_crc(made, 0, 61)
    assert (header.base_offset, header.next_offset, header.record_count) == (70, 73, 0)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (4, 2, 9)
    assert list(read_records(made)) == []
