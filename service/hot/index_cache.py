"""Bounded cache of the indexes of sealed segments, read from their files on first use."""

from collections import OrderedDict

from everlog.model.errors import CorruptionError
from service.hot.recovery import rebuild_index
from service.hot.segment import Segment
from service.hot.sparse_index import SparseIndex, decode_index
from service.model.disk import Disk

INDEXES_MAX = 256
"""About 16 bytes a row, 16,384 rows for 64 MiB: at most 64 MiB, and usually far less."""


class IndexCache:
    """Indexes by segment file. Whatever is in a file is checked before it is believed (REL-Y7)."""

    def __init__(self, disk: Disk, *, indexes_max: int = INDEXES_MAX) -> None:
        self._disk = disk
        self._indexes_max = indexes_max
        self._indexes: OrderedDict[str, SparseIndex] = OrderedDict()

    def index_of(self, segment: Segment) -> SparseIndex:
        """Return the index of a segment that is not empty."""
        if segment.index is not None:
            return segment.index
        path = segment.path
        index = self._indexes.get(path)
        if index is None:
            index = self._indexes[path] = self._load(segment)
            if len(self._indexes) > self._indexes_max:
                self._indexes.popitem(last=False)
        else:
            self._indexes.move_to_end(path)
        return index

    def summarise(self, segment: Segment) -> int:
        """Return the greatest timestamp of a sealed segment, reading its index file if need be."""
        if segment.max_timestamp is None:
            self.index_of(segment)
        assert segment.max_timestamp is not None
        return segment.max_timestamp

    def forget(self, segment: Segment) -> None:
        """Drop the index of a segment that goes away."""
        self._indexes.pop(segment.path, None)

    def read_file(self, segment: Segment) -> bytes | None:
        """Return what is in the index file of a segment, None without one. Blocks."""
        try:
            return self._disk.read_file(segment.index_path)
        except FileNotFoundError:
            return None

    def decode(self, segment: Segment, content: bytes | None) -> SparseIndex | None:
        """Return the index in that content and take note of its summary; None if it is damaged."""
        try:
            index, summary = decode_index(content or b"")
        except CorruptionError:
            return None
        if summary.size != segment.size:
            return None
        segment.max_timestamp = summary.max_timestamp
        segment.first_append_ms = summary.first_append_ms
        segment.next_offset = summary.next_offset
        return index

    def _load(self, segment: Segment) -> SparseIndex:
        found = self.decode(segment, self.read_file(segment))
        return rebuild_index(self._disk, segment) if found is None else found
