"""Finds places where a segment may be divided: the beginnings of batches. Blocks."""

from typing import NamedTuple

from everlog.records.batch import HEADER_BYTES, read_header
from service.hot.segment import Segment
from service.hot.sparse_index import SparseIndex
from service.model.disk import File


class Boundary(NamedTuple):
    """A batch begins at ``position``; every offset before it is below ``offset``."""

    offset: int
    position: int


def boundaries_of(
    file: File, segment: Segment, index: SparseIndex, *, start: int, step: int
) -> list[Boundary]:
    """Return ``start`` itself if it lies inside, and then boundaries at most ``step`` bytes apart.

    Only a batch that is longer by itself makes a step longer.
    """
    found: list[Boundary] = []
    position = 0
    if start > segment.base_offset:
        position = _position_of(file, segment, index, start)
        found.append(Boundary(start, position))
    while segment.size - position > step:
        boundary = index.boundary_before(position + step)
        if boundary <= position:
            boundary = position + read_header(file.read_at(position, HEADER_BYTES)).size
        if boundary >= segment.size:
            break
        header = read_header(file.read_at(boundary, HEADER_BYTES))
        found.append(Boundary(header.base_offset, boundary))
        position = boundary
    return found


def boundary_below(file: File, segment: Segment, index: SparseIndex, *, end: int) -> Boundary:
    """Return the boundary behind the last batch that lies below ``end``, inside the segment."""
    position = _position_of(file, segment, index, end)
    if position >= segment.size:
        return Boundary(segment.next_offset, segment.size)
    header = read_header(file.read_at(position, HEADER_BYTES))
    return Boundary(min(end, header.base_offset), position)


def _position_of(file: File, segment: Segment, index: SparseIndex, offset: int) -> int:
    position = index.position_before(offset - segment.base_offset)
    while position < segment.size:
        header = read_header(file.read_at(position, HEADER_BYTES))
        if header.next_offset > offset:
            break
        position += header.size
    return position
