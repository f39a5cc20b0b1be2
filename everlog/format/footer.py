"""The end of a segment object: a table of its sections, and the 64 bytes by which it is found.

Layout, little-endian. The footer is one row of 24 bytes for each section::

    0 kind u16 | 2 version u16 | 4 position u64 | 12 length u64 | 20 CRC-32C u32

and the tail, the last 64 bytes of the object::

     0 magic      8s  EVERLOGS        32 footer position u64
     8 format     u16 1               40 footer length   u32
    10 sections   u16                 44 footer CRC-32C  u32
    12 partition  u32                 48 object size     u64
    16 topic id   16s                 56 epoch           u32  of who made the object
                                      60 CRC-32C of the 60 bytes before, u32

The sections lie side by side from the end of the record batches to the footer, in the order of
the rows, so every byte of an object is covered by a checksum. Readers skip kinds, and versions of
kinds, that they do not know and do not need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Any

from everlog.format.checksum import crc32c, joined
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.model.buffer import Buffer
from everlog.model.ids import PartitionId, TopicId

TAIL_BYTES = 64

_MAGIC = b"EVERLOGS"
_FORMAT = 1
_ROW = Struct("<HHQQI")
_TAIL = Struct("<8sHHI16sQIIQI")
_CRC = Struct("<I")
_WHAT = "segment object"

assert _TAIL.size + _CRC.size == TAIL_BYTES


class SectionKind(IntEnum):
    """What a section holds; numbers are never used again."""

    META = 1
    CHUNKS = 2
    OFFSET_INDEX = 3
    TIME_INDEX = 4
    ABORTED = 5
    PRODUCERS = 6
    LINEAGE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A row of the footer.

    Attributes:
        kind: A `SectionKind`, or the number of one that is not known yet.
        version: Of the layout within.
        position: From the start of the object.
    """

    kind: int
    version: int
    position: int
    length: int
    crc32c: int

    @property
    def end(self) -> int:
        """Position of the first byte after it."""
        return self.position + self.length


@dataclass(frozen=True, slots=True)
class NeedMore:
    """The bytes at hand are too few: fetch this many from the end of the object."""

    suffix_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Where everything lies in an object.

    Attributes:
        partition: Whose records they are.
        epoch: Leader epoch of who made the object.
        data_bytes: Length of the record batches, which come first.
        frame_crc32c: Of footer and tail together.
    """

    partition: PartitionId
    epoch: int
    object_bytes: int
    data_bytes: int
    sections: tuple[Section, ...]
    frame_crc32c: int

    def section(self, kind: SectionKind, *, version: int = 1) -> Section:
        """Return the section that the caller cannot do without.

        Raises:
            CorruptObjectError: There is none.
            UnsupportedFormatError: Its layout is newer than ``version``.
        """
        for section in self.sections:
            if section.kind == kind:
                if section.version > version:
                    raise UnsupportedFormatError(kind.name.lower(), section.version, version)
                return section
        raise CorruptObjectError(_WHAT, f"it has no {kind.name.lower()}")

    def object_crc32c(self, data_crc32c: int) -> int:
        """Return the checksum of the whole object from that of its record batches."""
        checksum = data_crc32c
        for section in self.sections:
            checksum = joined(checksum, section.crc32c, section.length)
        return joined(checksum, self.frame_crc32c, len(self.sections) * _ROW.size + TAIL_BYTES)


def encode_footer(sections: Sequence[Section], *, partition: PartitionId, epoch: int) -> bytes:
    """Return footer and tail, to follow the last of ``sections``."""
    assert sections, "an object has sections"
    rows = b"".join(
        _ROW.pack(row.kind, row.version, row.position, row.length, row.crc32c) for row in sections
    )
    position = sections[-1].end
    tail = _TAIL.pack(
        _MAGIC,
        _FORMAT,
        len(sections),
        partition.partition,
        partition.topic_id,
        position,
        len(rows),
        crc32c(rows),
        position + len(rows) + TAIL_BYTES,
        epoch,
    )
    return rows + tail + _CRC.pack(crc32c(tail))


def read_footer(suffix: Buffer, *, object_bytes: int) -> Footer | NeedMore:
    """Read footer and tail from the last bytes of an object of ``object_bytes``.

    Raises:
        CorruptObjectError: They are no end of such an object.
        UnsupportedFormatError: A newer Everlog wrote the object.
    """
    if object_bytes < TAIL_BYTES or len(suffix) > object_bytes:
        raise CorruptObjectError(_WHAT, f"{len(suffix)} last bytes of {object_bytes}")
    if len(suffix) < TAIL_BYTES:
        return NeedMore(TAIL_BYTES)
    view = memoryview(suffix)
    tail = _read_tail(view[-TAIL_BYTES:], object_bytes)
    partition, topic_id, position, length, checksum, epoch = tail
    if len(view) < object_bytes - position:
        return NeedMore(object_bytes - position)
    frame = view[len(view) - (object_bytes - position) :]
    rows = frame[:length]
    if crc32c(rows) != checksum:
        raise CorruptObjectError(_WHAT, "the checksum of its footer does not match")
    found = tuple(
        Section(kind=kind, version=version, position=at, length=size, crc32c=crc)
        for kind, version, at, size, crc in _ROW.iter_unpack(rows)
    )
    _check_rows(found, position)
    return Footer(
        partition=PartitionId(TopicId(topic_id), partition),
        epoch=epoch,
        object_bytes=object_bytes,
        data_bytes=found[0].position,
        sections=found,
        frame_crc32c=crc32c(frame),
    )


def _read_tail(tail: memoryview, object_bytes: int) -> tuple[Any, ...]:
    """Return partition, topic id, position, length and checksum of the footer, and epoch."""
    (checksum,) = _CRC.unpack_from(tail, _TAIL.size)
    magic, tail_format, sections, partition, topic_id, position, length, *rest = _TAIL.unpack_from(
        tail
    )
    footer_crc, size, epoch = rest
    if magic != _MAGIC:
        raise CorruptObjectError(_WHAT, f"its tail begins with {magic!r} instead of {_MAGIC!r}")
    if crc32c(tail[: _TAIL.size]) != checksum:
        raise CorruptObjectError(_WHAT, "the checksum of its tail does not match")
    if tail_format > _FORMAT:
        raise UnsupportedFormatError(_WHAT, tail_format, _FORMAT)
    if not tail_format or size != object_bytes:
        raise CorruptObjectError(_WHAT, f"it has {object_bytes} bytes instead of {size}")
    if length != sections * _ROW.size or position + length + TAIL_BYTES != size or not sections:
        raise CorruptObjectError(_WHAT, f"its footer of {length} bytes is not at {position}")
    return partition, topic_id, position, length, footer_crc, epoch


def _check_rows(sections: tuple[Section, ...], footer_position: int) -> None:
    """Make sure that the sections lie side by side up to the footer, each kind once."""
    ends = [section.end for section in sections]
    starts = [section.position for section in sections]
    if [*starts[1:], footer_position] != ends:
        raise CorruptObjectError(_WHAT, "its sections do not lie side by side")
    if len({section.kind for section in sections}) != len(sections):
        raise CorruptObjectError(_WHAT, "it has two sections of a kind")
