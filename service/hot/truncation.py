"""Drops the end of a log whose records the leader does not have, so that no crash can tear it.

The steps, in order; each is durable before the next::

    1  the synced mark         goes down to the new end: below it nothing may ever be missing
    2  small files             of later segments are unlinked, and the index of the last that stays
    3  the later segments      are unlinked one by one, the last one first
    4  the last that stays     is cut

A crash leaves a log that ends between the new end and the old one: what has gone of the small files
is made again from the segments. They go before their segments: another one that begins at the same
offset must not find them. The file ``leader-epochs`` is cut by recovery, which knows the end.
"""

from dataclasses import dataclass

from everlog.model.errors import CorruptionError, RejectedError
from everlog.model.offsets import Offset
from service.hot.layout import (
    CLEANED,
    INDEX_SUFFIX,
    PRODUCERS_SUFFIX,
    SEGMENT_SUFFIX,
    base_offset_of,
    file_name,
)
from service.hot.scan import TornTail, scan
from service.hot.swap import read_cleaned, settle_swap
from service.model.disk import Disk


class TruncatedBelowStartError(RejectedError):
    """The log does not reach back to the offset: it has to begin anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """Where a log is going to end.

    Attributes:
        base: Of the segment that is cut; later ones go.
        size: Bytes that stay of it, perhaps none.
        end: Of the last batch that stays, perhaps the base.
    """

    base: int
    size: int
    end: Offset


def plan_truncation(disk: Disk, directory: str, offset: int) -> Truncation:
    """Find the last batch that ends at or below ``offset``. Blocks.

    The log is not open, and its first segment begins at or below the offset. A swap of segments
    that was interrupted is settled first.

    Raises:
        CorruptionError: A batch on the way there is damaged.
        DiskError: The disk refused.
    """
    settle_swap(disk, directory, _names(disk, directory))
    base = max(each for each in _bases(disk, directory, SEGMENT_SUFFIX) if each <= offset)
    path = f"{directory}/{file_name(base, SEGMENT_SUFFIX)}"
    size, end = 0, base
    file = disk.open(path, writable=False)
    try:
        for item in scan(file, file.size()):
            if end == offset:
                break  # whatever comes is to go, damaged or not
            if isinstance(item, TornTail):
                if item.position < file.size():
                    raise CorruptionError(f"{path} at {item.position}: {item.reason}")
                break
            position, header = item
            if header.next_offset > offset:
                break
            size, end = position + header.size, header.next_offset
    finally:
        file.close()
    return Truncation(base=base, size=size, end=Offset(end))


def write_truncation(disk: Disk, directory: str, to: Truncation) -> None:
    """Drop everything behind (steps 2 to 4). Blocks. The synced mark is at or below the end.

    Raises:
        DiskError: The disk refused; opening the log finds what is left.
    """
    if read_cleaned(disk, directory).end > to.end:
        # Other records are going to take these offsets, and nobody has cleaned those.
        disk.unlink(f"{directory}/{CLEANED}")
    for suffix, first in ((INDEX_SUFFIX, to.base), (PRODUCERS_SUFFIX, to.base + 1)):
        for base in _bases(disk, directory, suffix):
            if base >= first:
                disk.unlink(f"{directory}/{file_name(base, suffix)}")
    disk.sync_dir(directory)
    for base in reversed(_bases(disk, directory, SEGMENT_SUFFIX)):
        if base > to.base:
            disk.unlink(f"{directory}/{file_name(base, SEGMENT_SUFFIX)}")
            disk.sync_dir(directory)
    file = disk.open(f"{directory}/{file_name(to.base, SEGMENT_SUFFIX)}")
    try:
        file.truncate(to.size)
        file.sync()
    finally:
        file.close()


def _names(disk: Disk, directory: str) -> list[str]:
    return [name for name, _ in disk.list_dir(directory)]


def _bases(disk: Disk, directory: str, suffix: str) -> list[int]:
    """Return the base offsets of all files of a kind, in order."""
    found = (base_offset_of(name, suffix) for name in _names(disk, directory))
    return sorted(base for base in found if base is not None)
