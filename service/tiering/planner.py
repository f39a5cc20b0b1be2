"""Pure: which records go into the next object.

A plan is made once and never looked at the log again (TIER-1): the files, the places in them and
the offsets are frozen, and whoever uploads reads nothing else.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from everlog.model.errors import CorruptionError
from everlog.model.offsets import Offset, OffsetRange


class MissingRecordsError(CorruptionError):
    """Neither tier has what lies between the end of the tier and the local log."""

    def __init__(self, *, tiered_end: int, local_start: int) -> None:
        super().__init__(f"the tier ends at {tiered_end}, the local log begins at {local_start}")
        self.tiered_end = tiered_end
        self.local_start = local_start


@dataclass(frozen=True, slots=True)
class Cut:
    """A batch that begins at ``position`` of its file, with every offset before it below."""

    offset: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """A sealed segment: it is synced, and its bytes never change.

    Attributes:
        cuts: Some of the places where it may be divided, in order; without any it is taken whole.
        producers_before: Path of the producer states just before its first record.
        producers_after: The same just after its last.
    """

    path: str
    base: int
    end: int
    size: int
    producers_before: str
    producers_after: str
    cuts: tuple[Cut, ...] = ()

    def position_of(self, offset: int) -> int | None:
        """Return where the batch at ``offset`` begins; None when no cut tells."""
        if offset <= self.base:
            return 0
        row = bisect_right(self.cuts, offset, key=lambda cut: cut.offset) - 1
        if row >= 0 and self.cuts[row].offset == offset:
            return self.cuts[row].position
        return None


@dataclass(frozen=True, slots=True)
class FileRange:
    """Bytes ``[position, position + length)`` of a file."""

    path: str
    position: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """One object to be: whole batches with the offsets ``offsets``, in ``ranges``.

    Attributes:
        producers_path: The newest snapshot of producer states that is not beyond the object.
    """

    offsets: OffsetRange
    ranges: tuple[FileRange, ...]
    producers_path: str

    @property
    def data_bytes(self) -> int:
        """Bytes of record batches."""
        return sum(each.length for each in self.ranges)


def plan_next(
    start: Offset, files: Sequence[SealedFile], *, committed: Offset, object_bytes: int
) -> UploadPlan | None:
    """Plan the object that continues the tier at ``start``; None when nothing is ready.

    Args:
        start: Where the tier, or the plan before this one, ends.
        files: Sealed segments in order. Those that lie below ``start`` are passed over; the one
            that holds it in its middle has a cut there.
        committed: Only segments that end by then are taken: min(high watermark, last stable).
        object_bytes: About how many bytes of batches an object has.

    Raises:
        MissingRecordsError: The files begin after ``start``.
    """
    pending = [each for each in files if each.end > start]
    if pending and pending[0].base > start:
        raise MissingRecordsError(tiered_end=start, local_start=pending[0].base)
    room = object_bytes
    ranges: list[FileRange] = []
    end: int = start
    producers = ""
    for file in pending:
        if file.end > committed:
            break
        # A file that does not fit is divided only where the object would be small without it.
        taken = _taken(file, end, room, may_cut=room * 2 > object_bytes, is_first=not ranges)
        if taken is None:
            break
        ranges.append(FileRange(file.path, taken.position, taken.length))
        room -= taken.length
        end = taken.end
        producers = file.producers_after if end == file.end else file.producers_before
        if end < file.end:
            break
    if not ranges:
        return None
    return UploadPlan(
        offsets=OffsetRange(start, Offset(end)), ranges=tuple(ranges), producers_path=producers
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    position: int
    length: int
    end: int


def _taken(
    file: SealedFile, start: int, room: int, *, may_cut: bool, is_first: bool
) -> _Taken | None:
    """Take as much of a file from ``start`` on as there is room for; of the first, something."""
    position = file.position_of(start)
    if position is None:
        raise MissingRecordsError(tiered_end=start, local_start=file.base)
    if file.size - position <= room:
        return _Taken(position, file.size - position, file.end)
    if not may_cut:
        return None
    cuts = [cut for cut in file.cuts if cut.position > position and cut.offset > start]
    fitting = [cut for cut in cuts if cut.position - position <= room]
    if fitting:
        return _Taken(position, fitting[-1].position - position, fitting[-1].offset)
    if not is_first:
        return None
    if cuts:
        return _Taken(position, cuts[0].position - position, cuts[0].offset)
    return _Taken(position, file.size - position, file.end)
