"""Every batch of an object is held against its index: bytes, offsets, times and counts."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from everlog.format.checksum import crc32c
from everlog.format.errors import CorruptObjectError
from everlog.format.segment_check import SegmentCheck
from everlog.format.segment_index import Chunk, SegmentIndex
from everlog.format.segment_object import SegmentBuilder
from everlog.records.batch import HEADER_BYTES
from tests.unit.format.samples import NOW_MS, given
from tests.unit.format.segments import LINEAGE, Batch, Made, batch_bytes, made, rows_of
from tests.unit.format.segments import sparse_batches as sparse


def check(index: SegmentIndex, data: bytes, *, chunks_at_once: int = 1) -> None:
    found = SegmentCheck(index)
    while found.next_chunk < index.chunk_count:
        first = index.chunk(found.next_chunk)
        last = index.chunk(min(found.next_chunk + chunks_at_once, index.chunk_count) - 1)
        found.feed(data[first.position : last.position + last.length])
    found.finish()


def an_object(data: bytes | None = None) -> Made:
    batches = [Batch(base_offset=100 + 2 * n, timestamps=[n, n + 5]) for n in range(20)]
    if data is None:
        return made(batches, base=100, end=140)
    sample = made(batches, base=100, end=140)
    builder = SegmentBuilder(sample.key, created_ms=NOW_MS, chunk_bytes=1000)
    rows = rows_of(b"".join(map(batch_bytes, batches)))
    builder.feed(rows, data)
    return replace(sample, data=data, rows=rows, sealed=builder.seal(lineage=LINEAGE[:1]))


@pytest.mark.rule("TIER-5")
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 9), examples=40)
def test_a_sound_object_passes_however_far_its_offsets_reach(
    seed: int, count: int, chunks_at_once: int
) -> None:
    batches = sparse(seed, count)
    whole = made(batches, base=90, end=batches[-1].next_offset + 7)
    check(whole.index(), whole.data, chunks_at_once=chunks_at_once)


@given(st.data(), examples=60)
def test_any_changed_byte_is_found(data: Any) -> None:
    whole = an_object()
    at = data.draw(st.integers(0, len(whole.data) - 1))
    changed = bytearray(whole.data)
    changed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptObjectError, match=r"chunk [0-9]+, from byte"):
        check(whole.index(), bytes(changed))


def test_a_batch_that_was_damaged_before_it_got_into_the_object_is_found() -> None:
    changed = bytearray(an_object().data)
    changed[HEADER_BYTES + 3] ^= 1
    whole = an_object(bytes(changed))
    with pytest.raises(CorruptObjectError, match="the batch at offset 100 is damaged"):
        check(whole.index(), whole.data)


@pytest.mark.rule("TIER-6")
@pytest.mark.parametrize(
    "wrong",
    [{"records": 41}, {"batches": 19}, {"max_timestamp": 3}, {"data_crc32c": 0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_counts_that_do_not_add_up_are_found(wrong: dict[str, int]) -> None:
    whole = an_object()
    index = whole.index()
    index.meta = replace(index.meta, **wrong)  # type: ignore[arg-type]
    with pytest.raises(CorruptObjectError, match="and says"):
        check(index, whole.data)


def test_chunks_that_end_within_a_batch_are_refused() -> None:
    whole = an_object()
    index = whole.index()
    short = whole.data[: index.chunk(0).length - 1]

    class Short(SegmentIndex):
        __slots__ = ()

        def chunk(self, index: int) -> Chunk:
            return replace(super().chunk(index), length=len(short), crc32c=crc32c(short))

    index.__class__ = Short
    with pytest.raises(CorruptObjectError, match="ends within a batch"):
        SegmentCheck(index).feed(short)
