import struct

import crc32c
import pytest
from hypothesis import strategies as st

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.footer import (
    TAIL_BYTES,
    Footer,
    NeedMore,
    Section,
    SectionKind,
    encode_footer,
    read_footer,
)
from everlog.model.ids import PartitionId
from tests.unit.format.samples import PATH, damaged, given

PARTITION = PartitionId(PATH.topic_id, PATH.partition)
CONTENTS = [b"chunks", b"", b"a kind of the future", b"meta"]
KINDS = [SectionKind.CHUNKS, SectionKind.ABORTED, 4711, SectionKind.META]


def sections(position: int) -> list[Section]:
    found = []
    for kind, content in zip(KINDS, CONTENTS, strict=True):
        found.append(
            Section(
                kind=kind,
                version=1,
                position=position,
                length=len(content),
                crc32c=crc32c.crc32c(content),
            )
        )
        position += len(content)
    return found


DATA = b"record batches"
OBJECT = (
    DATA + b"".join(CONTENTS) + encode_footer(sections(len(DATA)), partition=PARTITION, epoch=6)
)
FRAME_BYTES = len(KINDS) * 24 + TAIL_BYTES


def read(suffix: bytes) -> Footer | NeedMore:
    return read_footer(suffix, object_bytes=len(OBJECT))


def resealed(suffix: bytes) -> bytes:
    """The same end with checksums that match it."""
    rows, tail = suffix[-FRAME_BYTES:-TAIL_BYTES], bytearray(suffix[-TAIL_BYTES:])
    tail[44:48] = struct.pack("<I", crc32c.crc32c(rows))
    tail[60:] = struct.pack("<I", crc32c.crc32c(bytes(tail[:60])))
    return suffix[:-TAIL_BYTES] + bytes(tail)


def test_a_footer_says_where_everything_lies() -> None:
    footer = read(OBJECT[-FRAME_BYTES:])
    assert isinstance(footer, Footer)
    assert footer.sections == tuple(sections(len(DATA)))
    assert footer.data_bytes == len(DATA)
    assert (footer.partition, footer.epoch) == (PARTITION, 6)
    assert footer.object_bytes == len(OBJECT)
    assert footer.object_crc32c(crc32c.crc32c(DATA)) == crc32c.crc32c(OBJECT)


@pytest.mark.rule("BP-D14")
def test_a_kind_that_is_not_known_is_passed_over() -> None:
    footer = read(OBJECT)
    assert isinstance(footer, Footer)
    assert [row.kind for row in footer.sections if row.kind not in set(SectionKind)] == [4711]
    assert footer.section(SectionKind.META).length == 4


def test_a_section_that_is_missing_or_too_new_is_told_apart() -> None:
    footer = read(OBJECT)
    assert isinstance(footer, Footer)
    with pytest.raises(CorruptObjectError, match="no lineage"):
        footer.section(SectionKind.LINEAGE)
    with pytest.raises(UnsupportedFormatError):
        footer.section(SectionKind.META, version=0)


@pytest.mark.parametrize("size", [0, 1, TAIL_BYTES - 1])
def test_less_than_a_tail_asks_for_a_tail(size: int) -> None:
    assert read(OBJECT[len(OBJECT) - size :]) == NeedMore(TAIL_BYTES)


@pytest.mark.parametrize("size", [TAIL_BYTES, FRAME_BYTES - 1])
def test_less_than_a_footer_asks_for_the_footer(size: int) -> None:
    assert read(OBJECT[-size:]) == NeedMore(FRAME_BYTES)


@given(damaged(OBJECT[-FRAME_BYTES:]))
def test_any_damage_is_corruption(suffix: bytes) -> None:
    if len(suffix) < TAIL_BYTES:
        return  # too short to judge, tested above
    with pytest.raises(CorruptObjectError):
        read(suffix)


@given(damaged(OBJECT[-FRAME_BYTES:]).filter(lambda suffix: len(suffix) == FRAME_BYTES))
def test_a_forged_end_is_refused_or_consistent_and_never_an_accident(suffix: bytes) -> None:
    try:
        footer = read(resealed(suffix))
    except (CorruptObjectError, UnsupportedFormatError):
        return
    assert isinstance(footer, Footer)
    assert 0 <= footer.data_bytes <= len(OBJECT)
    ends = [row.end for row in footer.sections]
    assert [row.position for row in footer.sections] == [footer.data_bytes, *ends[:-1]]


@given(st.integers(0, 200))
def test_another_size_than_the_object_has_is_corruption(size: int) -> None:
    if size == len(OBJECT):
        return
    with pytest.raises(CorruptObjectError):
        read_footer(OBJECT[-TAIL_BYTES:], object_bytes=size)


def test_a_later_format_asks_for_a_newer_version() -> None:
    suffix = OBJECT[-TAIL_BYTES:]
    with pytest.raises(UnsupportedFormatError):
        read(resealed(OBJECT[:-TAIL_BYTES] + suffix[:8] + b"\2\0" + suffix[10:]))


def test_two_sections_of_a_kind_are_corruption() -> None:
    rows = sections(len(DATA))
    rows[2] = Section(
        kind=SectionKind.META,
        version=1,
        position=rows[2].position,
        length=rows[2].length,
        crc32c=rows[2].crc32c,
    )
    twice = DATA + b"".join(CONTENTS) + encode_footer(rows, partition=PARTITION, epoch=6)
    with pytest.raises(CorruptObjectError, match="two sections"):
        read(twice)
