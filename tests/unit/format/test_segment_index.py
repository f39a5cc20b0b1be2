import struct

import crc32c
import pytest
from hypothesis import strategies as st

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.footer import TAIL_BYTES, NeedMore, SectionKind
from everlog.format.segment_index import (
    SegmentIndex,
    open_segment,
    producer_state,
    section_bytes,
)
from everlog.format.segment_sections import AbortedTransaction
from everlog.model.errors import EverlogError
from everlog.model.offsets import Offset, OffsetRange
from tests.unit.format.samples import damaged, given
from tests.unit.format.segments import LINEAGE, Batch, key_of, made, rows_of, sparse_batches

ABORTED = [
    AbortedTransaction(producer_id=1, first_offset=Offset(90), last_offset=Offset(105)),
    AbortedTransaction(producer_id=2, first_offset=Offset(110), last_offset=Offset(130)),
    AbortedTransaction(producer_id=1, first_offset=Offset(125), last_offset=Offset(700)),
]
SEGMENT = made(
    [
        Batch(base_offset=100, timestamps=[5, 9, 7], epoch=1),
        Batch(base_offset=103, timestamps=[8], value_bytes=700, epoch=1),
        Batch(base_offset=140, timestamps=[4, 12], value_bytes=300, epoch=2),
        Batch(base_offset=180, timestamps=[-1], epoch=5),
    ],
    base=100,
    end=200,
    lineage=LINEAGE,
    aborted=ABORTED[::-1],
    producers=b"state" * 100,
)
TAIL = SEGMENT.sealed.tail


def opened(suffix: bytes, *, object_bytes: int = len(SEGMENT.whole)) -> SegmentIndex | NeedMore:
    return open_segment(suffix, object_bytes=object_bytes, key=SEGMENT.key)


@pytest.mark.rule("TIER-20")
@given(st.integers(0, 1000), st.integers(1, 40), examples=30)
def test_a_scan_from_where_an_offset_is_sought_meets_the_right_batch_first(
    seed: int, count: int
) -> None:
    batches = sparse_batches(seed, count)
    segment = made(batches, base=100, end=batches[-1].next_offset + 5)
    index = segment.index()
    near = {offset for row in segment.rows for offset in (row.base_offset, row.next_offset)}
    longest = max(row.length for row in segment.rows)
    for offset in {0, *(edge + step for edge in near for step in (-1, 0, 1))}:
        wanted = next((row for row in segment.rows if row.next_offset > offset), None)
        found = index.seek(Offset(offset))
        assert (found is None) == (wanted is None)
        if found is None or wanted is None:
            continue
        chunk = index.chunk(found.chunk)
        assert chunk.position <= found.position <= wanted.position
        assert wanted.position < chunk.position + chunk.length
        scanned = (row for row in segment.rows if row.position >= found.position)
        assert next(row for row in scanned if row.next_offset > offset) == wanted
        assert wanted.position - found.position < 300 + longest, "no more than an interval"


@pytest.mark.rule("TIER-36")
@given(st.integers(0, 1000), st.integers(1, 40), examples=30)
def test_a_scan_from_where_a_time_is_sought_meets_the_first_batch_that_reaches_it(
    seed: int, count: int
) -> None:
    batches = sparse_batches(seed, count)
    segment = made(batches, base=100, end=batches[-1].next_offset)
    index = segment.index()
    for timestamp in {
        0,
        999,
        *(row.max_timestamp + less for row in segment.rows for less in (0, 1)),
    }:
        wanted = next((row for row in segment.rows if row.max_timestamp >= timestamp), None)
        found = index.seek_time(timestamp)
        assert (found is None) == (wanted is None)
        if found is None or wanted is None:
            continue
        chunk = index.chunk(found.chunk)
        assert chunk.position <= found.position <= wanted.position
        assert wanted.position < chunk.position + chunk.length
        assert wanted.position - found.position <= 300


@pytest.mark.rule("TIER-46")
@pytest.mark.rule("REL-D8")
@pytest.mark.parametrize("length", [1, 2, 20, 600])
def test_aborted_transactions_of_a_range_are_all_that_touch_it(length: int) -> None:
    index = SEGMENT.index()
    assert index.has_aborted
    for start in range(80, 720):
        offsets = OffsetRange(Offset(start), Offset(start + length))
        wanted = [
            one
            for one in ABORTED
            if one.first_offset < offsets.end and one.last_offset >= offsets.start
        ]
        assert index.aborted_in(offsets) == wanted


def test_an_object_tells_the_lineage_and_the_producers_of_its_log() -> None:
    index = SEGMENT.index()
    assert tuple(index.lineage()) == LINEAGE
    assert index.meta.end_epoch == 5
    assert producer_state(index.footer, TAIL) == b"state" * 100
    assert producer_state(index.footer, TAIL[100:]) == NeedMore(len(TAIL))


def test_timestamps_are_those_of_the_batches() -> None:
    meta = SEGMENT.index().meta
    assert (meta.first_timestamp, meta.max_timestamp) == (5, 12)


@pytest.mark.parametrize("size", range(0, len(TAIL), 7))
def test_too_few_bytes_say_how_many_are_enough(size: int) -> None:
    suffix = TAIL[len(TAIL) - size :]
    while isinstance(found := opened(suffix), NeedMore):
        assert found.suffix_bytes > len(suffix), "each answer is progress"
        suffix = SEGMENT.whole[-found.suffix_bytes :]
    assert found.meta == SEGMENT.sealed.meta


def test_more_bytes_than_needed_do_no_harm() -> None:
    whole = opened(SEGMENT.whole)
    assert isinstance(whole, SegmentIndex)
    assert whole.entry() == SEGMENT.sealed.entry
    assert whole.entry() == SEGMENT.index().entry()


@pytest.mark.rule("TIER-45")
def test_an_index_does_not_hold_the_buffer_that_it_came_in() -> None:
    buffer = bytearray(SEGMENT.whole)
    found = open_segment(buffer, object_bytes=len(buffer), key=SEGMENT.key)
    buffer.clear()  # raises BufferError while a view of it lives
    assert isinstance(found, SegmentIndex)
    assert found.seek(Offset(141)) == SEGMENT.index().seek(Offset(141))


def test_a_chunk_that_is_not_what_was_written_is_corruption() -> None:
    index = SEGMENT.index()
    chunk = index.chunk(0)
    body = SEGMENT.data[: chunk.length]
    index.check_chunk(0, memoryview(body))
    for bad in (body[:-1], body[:-1] + b"\xff", SEGMENT.data[: chunk.length + 1]):
        with pytest.raises(CorruptObjectError):
            index.check_chunk(0, bad)


@given(damaged(TAIL))
def test_any_damage_is_corruption_when_the_size_is_known(suffix: bytes) -> None:
    try:
        found = opened(suffix)
    except CorruptObjectError:
        return
    if isinstance(found, NeedMore):
        assert len(suffix) < TAIL_BYTES
        return
    # Opening does not look at the producer state; whoever wants it finds the damage.
    with pytest.raises(CorruptObjectError):
        producer_state(found.footer, suffix)
    assert found.entry() == SEGMENT.sealed.entry


def resealed(kind: SectionKind, content: bytes) -> bytes:
    """The end of the object with another content of one section, and checksums that match it."""
    footer = SEGMENT.index().footer
    position, rows, pieces = len(SEGMENT.data), b"", b""
    for section in footer.sections:
        old = section_bytes(section, TAIL, position=len(SEGMENT.data))
        new = content if section.kind == kind else old
        rows += struct.pack(
            "<HHQQI", section.kind, section.version, position, len(new), crc32c.crc32c(new)
        )
        pieces += new
        position += len(new)
    tail = bytearray(TAIL[-64:])
    tail[32:40] = struct.pack("<Q", position)
    tail[44:48] = struct.pack("<I", crc32c.crc32c(rows))
    tail[48:56] = struct.pack("<Q", position + len(rows) + 64)
    tail[60:] = struct.pack("<I", crc32c.crc32c(bytes(tail[:60])))
    return pieces + rows + bytes(tail)


def content_of(kind: SectionKind) -> bytes:
    section = SEGMENT.index().footer.section(kind)
    return section_bytes(section, TAIL, position=len(SEGMENT.data))


@given(
    st.sampled_from(SectionKind).flatmap(
        lambda kind: st.tuples(st.just(kind), damaged(content_of(kind)))
    )
)
def test_a_forged_section_is_refused_or_consistent_and_never_an_accident(
    forged: tuple[SectionKind, bytes],
) -> None:
    suffix = resealed(*forged)
    size = len(SEGMENT.data) + len(suffix)
    try:
        index = opened(suffix, object_bytes=size)
    except CorruptObjectError:
        return
    assert isinstance(index, SegmentIndex)
    assert index.fault() is None
    for offset in (0, 100, 150, 199, 10**15):
        found = index.seek(Offset(offset))
        assert found is None or found.position < len(SEGMENT.data)
    for timestamp in (-5, 0, 9, 10**15):
        found = index.seek_time(timestamp)
        assert found is None or found.position < len(SEGMENT.data)
    index.aborted_in(OffsetRange(Offset(0), Offset(10**15)))
    index.lineage()
    index.entry()


def test_a_resealed_end_without_changes_is_the_same_end() -> None:
    for kind in SectionKind:
        assert resealed(kind, content_of(kind)) == TAIL


def test_another_object_under_this_name_is_refused() -> None:
    with pytest.raises(EverlogError, match="instead of"):
        open_segment(TAIL, object_bytes=len(SEGMENT.whole), key=key_of(100, 201))


def test_a_needed_section_of_a_later_version_asks_for_a_newer_everlog() -> None:
    footer = SEGMENT.index().footer
    rows = bytearray(TAIL[-64 - len(footer.sections) * 24 : -64])
    at = next(i for i, row in enumerate(footer.sections) if row.kind == SectionKind.CHUNKS)
    rows[at * 24 + 2] = 2
    tail = bytearray(TAIL[-64:])
    tail[44:48] = struct.pack("<I", crc32c.crc32c(bytes(rows)))
    tail[60:] = struct.pack("<I", crc32c.crc32c(bytes(tail[:60])))
    suffix = TAIL[: -64 - len(rows)] + bytes(rows) + bytes(tail)
    with pytest.raises(UnsupportedFormatError, match="chunks"):
        opened(suffix)


def test_rows_found_by_a_walk_are_those_of_the_object() -> None:
    assert rows_of(SEGMENT.data) == SEGMENT.rows
