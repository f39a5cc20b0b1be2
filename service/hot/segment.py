"""One segment of a log in memory: where it lies, what it spans, and its sparse index."""

from service.hot.layout import INDEX_SUFFIX, PRODUCERS_SUFFIX, SEGMENT_SUFFIX, file_name
from service.hot.sparse_index import NO_TIMESTAMP, SegmentSummary, SparseIndex


class Segment:
    """Batches ``[base_offset, next_offset)`` in one file. Only `HotLog` changes it.

    Attributes:
        size: Bytes that have been given a place in the file; the log knows how many of them are
            written.
        index: None while a sealed segment's index is not in memory.
        max_timestamp: None while a sealed segment's index file has not been read since the start.
        first_append_ms: Time of the first append, for ``segment.ms``; None while it is empty.
    """

    __slots__ = (
        "base_offset",
        "directory",
        "first_append_ms",
        "index",
        "indexed_to",
        "max_timestamp",
        "next_offset",
        "size",
    )

    def __init__(self, directory: str, base_offset: int) -> None:
        self.directory = directory
        self.base_offset = base_offset
        self.next_offset = base_offset
        self.size = 0
        self.index: SparseIndex | None = None
        self.indexed_to: int | None = None
        self.max_timestamp: int | None = NO_TIMESTAMP
        self.first_append_ms: int | None = None

    @property
    def path(self) -> str:
        """The segment file."""
        return f"{self.directory}/{file_name(self.base_offset, SEGMENT_SUFFIX)}"

    @property
    def index_path(self) -> str:
        """The index file, written when the segment is sealed."""
        return f"{self.directory}/{file_name(self.base_offset, INDEX_SUFFIX)}"

    @property
    def producers_path(self) -> str:
        """The snapshot of producer states just before the segment."""
        return f"{self.directory}/{file_name(self.base_offset, PRODUCERS_SUFFIX)}"

    def add(
        self, next_offset: int, size: int, max_timestamp: int, *, base_offset: int, interval: int
    ) -> None:
        """Give the next batch its place, and an index row when ``interval`` bytes have passed."""
        index = self.index
        if index is None:
            index = self.index = SparseIndex()
        position = self.size
        times_before = self.max_timestamp
        assert times_before is not None
        if self.indexed_to is None or position - self.indexed_to >= interval:
            index.add(base_offset - self.base_offset, position, times_before)
            self.indexed_to = position
        if max_timestamp > times_before:
            self.max_timestamp = max_timestamp
        self.size = position + size
        self.next_offset = next_offset

    def summary(self) -> SegmentSummary:
        """What its index file says of it."""
        assert self.max_timestamp is not None
        return SegmentSummary(
            size=self.size,
            next_offset=self.next_offset,
            max_timestamp=self.max_timestamp,
            first_append_ms=self.first_append_ms or 0,
        )

    def part(self, next_offset: int, size: int) -> "Segment":
        """Return the first ``size`` bytes, which end before ``next_offset``, as they are now.

        Nobody changes what is returned, whatever becomes of the segment (TIER-1).
        """
        part = Segment(self.directory, self.base_offset)
        part.next_offset, part.size = next_offset, size
        part.index, part.indexed_to = self.index, self.indexed_to
        part.max_timestamp, part.first_append_ms = self.max_timestamp, self.first_append_ms
        return part
