"""Whether the batches of a segment object are all that its index says of them.

The checksum of a chunk tells that its bytes are those that were written. This looks into them, too:
each batch by its own checksum, which its producer made, and the offsets, times and counts of all
against the index, so that a fault of the writer shows as well as one of the store.
"""

from everlog.format.checksum import crc32c, joined
from everlog.format.errors import CorruptObjectError
from everlog.format.segment_index import SegmentIndex
from everlog.format.segment_sections import NO_TIMESTAMP, WHAT
from everlog.model.buffer import Buffer
from everlog.records.batch import MAGIC, BatchHeader, batch_crc, walk


class SegmentCheck:
    """Goes through the chunks of one object, in order.

    Attributes:
        next_chunk: Number of the chunk that comes next.
    """

    def __init__(self, index: SegmentIndex) -> None:
        self.next_chunk = 0
        self._index = index
        self._next_offset: int = index.meta.key.offsets.start
        self._max_timestamp = NO_TIMESTAMP
        self._records = 0
        self._batches = 0
        self._crc32c = 0

    def feed(self, data: Buffer) -> None:
        """Take the bytes of the next chunks, whole ones; nothing of them is kept.

        Raises:
            CorruptObjectError: They are not what the index says.
        """
        view, at = memoryview(data), 0
        while at < len(view):
            chunk = self._index.chunk(self.next_chunk)
            self._take_chunk(view[at : at + chunk.length])
            at += chunk.length

    def finish(self) -> None:
        """Hold what all chunks have together against the identity of the object.

        Raises:
            CorruptObjectError: They differ.
        """
        meta = self._index.meta
        found = (self._records, self._batches, self._max_timestamp, self._crc32c)
        told = (meta.records, meta.batches, meta.max_timestamp, meta.data_crc32c)
        names = (
            "records",
            "batches",
            "as its greatest timestamp",
            "as the checksum of its batches",
        )
        for name, counted, written in zip(names, found, told, strict=True):
            if counted != written:
                raise self._fault(f"it has {counted} {name} and says {written}")

    def _take_chunk(self, data: memoryview) -> None:
        number = self.next_chunk
        chunk = self._index.chunk(number)
        if len(data) != chunk.length or crc32c(data) != chunk.crc32c:
            raise self._fault(f"chunk {number}, from byte {chunk.position} on, is damaged")
        position, newest, first = 0, NO_TIMESTAMP, self._next_offset
        for at, header in walk(data):
            self._check_batch(data, at, header)
            if not at:
                first = header.base_offset
            newest = max(newest, header.max_timestamp)
            position = at + header.size
            self._next_offset = header.next_offset
            self._records += header.record_count
            self._batches += 1
        if position != len(data):
            raise self._fault(f"chunk {number} ends within a batch, at byte {position}")
        if (first, self._next_offset, newest) != (
            chunk.offsets.start,
            chunk.offsets.end,
            chunk.max_timestamp,
        ):
            found = f"[{first}, {self._next_offset}) up to time {newest}"
            raise self._fault(f"chunk {number} holds {found}, its index says otherwise")
        self._max_timestamp = max(self._max_timestamp, newest)
        self._crc32c = joined(self._crc32c, chunk.crc32c, chunk.length)
        self.next_chunk += 1

    def _check_batch(self, data: memoryview, at: int, header: BatchHeader) -> None:
        if header.magic != MAGIC or batch_crc(data, at, header.size) != header.crc:
            raise self._fault(f"the batch at offset {header.base_offset} is damaged")
        end = self._index.meta.key.offsets.end
        if not self._next_offset <= header.base_offset < header.next_offset <= end:
            covers = f"[{header.base_offset}, {header.next_offset})"
            wanted = f"[{self._next_offset}, {end})"
            raise self._fault(f"a batch covers {covers}, which is not within {wanted}")

    def _fault(self, reason: str) -> CorruptObjectError:
        return CorruptObjectError(WHAT, reason)
