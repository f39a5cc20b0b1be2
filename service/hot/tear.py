"""Tells what a power cut leaves of writes that were not synced from damage to what was promised.

The reasons are in docs/adr/0006-what-a-power-cut-may-leave.md. In short: what lies below the synced
mark was synced, so damage there is corruption. Above it the system may have written the pages of
unsynced bytes out in any order, so good batches may lie behind a hole. With ``flush=interval``
nothing there was promised. With ``flush=always`` it may have been, so there a hole has to show what
a page that was never written looks like: zeros.
"""

from dataclasses import dataclass

from everlog.model.offsets import LeaderEpoch
from everlog.records.batch import HEADER_BYTES, LENGTH_FIELD_END, read_header
from service.hot.scan import holds_batch, implausible

SECTOR_BYTES = 512
"""The least that a device writes at once; pages and blocks are multiples of it."""

_OFFSET_BYTES = 8
_ZEROS = bytes(SECTOR_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a log before it is opened.

    Attributes:
        term: The leader epoch in which it is going to be appended to; None if nobody will.
        synced_end: The synced mark: everything below it had been synced.
        flush_always: Whether what was acknowledged above the mark had been synced too.
    """

    term: LeaderEpoch | None = None
    synced_end: int = 0
    flush_always: bool = True


@dataclass(frozen=True, slots=True)
class Rest:
    """The bytes of a segment from its first bad one on.

    Attributes:
        position: Of the first one in the file.
        next_offset: Of the batch that should be there.
    """

    content: bytes
    position: int
    next_offset: int

    @property
    def hides_batches(self) -> bool:
        """Whether a good batch lies behind the bad bytes."""
        return holds_batch(self.content, self.next_offset)

    @property
    def was_not_written(self) -> bool:
        """Whether a sector of the bad batch is missing: then no sync had covered it."""
        content = self.content
        sector_end = SECTOR_BYTES - self.position % SECTOR_BYTES
        if self.start_was_not_written(content[:sector_end]):
            return True
        for start in range(sector_end, self._batch_bytes(), SECTOR_BYTES):
            sector = content[start : start + SECTOR_BYTES]
            if sector == _ZEROS[: len(sector)]:
                return True
        return False

    def start_was_not_written(self, start: bytes) -> bool:
        """Whether the first bytes, up to the end of their sector, are zeros that cannot be right.

        The first bytes of a good batch can be zeros: those of a small offset and length.
        """
        right = self.next_offset.to_bytes(_OFFSET_BYTES, "big").ljust(LENGTH_FIELD_END, b"\0")
        if start != bytes(len(start)):
            return False
        return len(start) >= LENGTH_FIELD_END or start != right[: len(start)]

    def _batch_bytes(self) -> int:
        """How far the bad batch reaches, as far as its header can be believed."""
        left = len(self.content)
        if left < HEADER_BYTES:
            return left
        header = read_header(self.content)
        return HEADER_BYTES if implausible(header, left) else header.size


def why_no_tear(rest: Rest, known: Known) -> str | None:
    """Say why bad bytes of a segment that was not sealed are corruption; None for a tear."""
    if rest.next_offset < known.synced_end:
        return f"everything below offset {known.synced_end} was synced, so this is no torn write"
    if known.flush_always and rest.hides_batches and not rest.was_not_written:
        return "and good batches follow, so this is no torn write"
    return None
