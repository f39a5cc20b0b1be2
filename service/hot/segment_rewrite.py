"""The two passes of a cleaning over segment files: noting keys, and writing what stays.

Both are generators that block: each step reads about `SLICE_BYTES`, so whoever drives them decides
how much of the machine they get, and may stop between two steps.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from crc32c import crc32c

from everlog.model.buffer import Buffer
from everlog.model.errors import CorruptionError
from everlog.records.batch import HEADER_BYTES, MAGIC, BatchHeader, batch_crc, read_header
from everlog.records.places import locate, open_records
from everlog.records.rewriting import empty_batch
from service.hot.batch_filter import Keep, Left, filter_batch, is_closed
from service.hot.cleaning import KeyOffsets
from service.hot.layout import CLEANED_SUFFIX
from service.hot.rolling import RELATIVE_OFFSET_MAX
from service.hot.segment import Segment
from service.model.disk import Disk, File

WINDOW_BYTES = 32 * 1024
"""Read at a time: a thread that reads lets the event loop have its turn, about every millisecond
of work."""

SLICE_BYTES = 1024 * 1024
"""Work of one step: some 50 ms with small records."""

_NULL = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What a rewrite has made; the file is synced.

    Attributes:
        segment: Of the new file, with its index.
        replaced: The segments that it stands for.
        crc: CRC-32C of the whole file.
        is_changed: Whether it differs from what it was made from.
        tombstones_until: When the last tombstone in it may go; None without any.
    """

    segment: Segment
    replaced: Sequence[Segment]
    crc: int
    is_changed: bool
    tombstones_until: int | None


def batches_of(disk: Disk, segment: Segment) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Yield each batch of a sealed segment.

    Raises:
        CorruptionError: Something in it is not a whole and undamaged batch.
    """
    file = disk.open(segment.path, writable=False)
    try:
        yield from _batches_in(file, segment)
    finally:
        file.close()


def _batches_in(file: File, segment: Segment) -> Iterator[tuple[BatchHeader, memoryview]]:
    size, path = segment.size, segment.path
    position, wanted = 0, WINDOW_BYTES
    while position < size:
        asked = min(wanted, size - position)
        window = memoryview(file.read_at(position, asked))
        at, wanted = 0, WINDOW_BYTES
        while len(window) - at >= HEADER_BYTES:
            header = read_header(window, at)
            end = at + header.size
            if header.magic != MAGIC or not HEADER_BYTES <= header.size <= size - position - at:
                raise CorruptionError(f"{path} at {position + at}: there is no whole batch")
            if end > len(window):
                wanted = max(header.size, WINDOW_BYTES)
                break
            if batch_crc(window, at, header.size) != header.crc:
                raise CorruptionError(f"{path} at {position + at}: the checksum does not match")
            yield header, window[at:end]
            at = end
        if at == 0 and (len(window) < asked or min(wanted, size - position) <= asked):
            raise CorruptionError(f"{path} at {position}: a batch is cut off")
        position += at


def note_keys(
    disk: Disk, segments: Sequence[Segment], keys: KeyOffsets, *, start: int
) -> Generator[None, None, None]:
    """Note the keys from ``start`` on; ``keys.end`` goes down to where noting had to stop.

    Raises:
        CorruptionError, DecompressionError: A batch cannot be read.
    """
    work = 0
    for segment in segments:
        for header, batch in batches_of(disk, segment):
            if header.base_offset < start or header.is_control:
                continue
            if header.base_offset >= keys.end or is_closed(header) or keys.is_full:
                keys.end = min(keys.end, header.base_offset)
                return
            _note_batch(header, batch, keys)
            work += header.size
            if work >= SLICE_BYTES:
                work = 0
                yield


def _note_batch(header: BatchHeader, batch: memoryview, keys: KeyOffsets) -> None:
    records = open_records(batch, header)
    base_offset, note = header.base_offset, keys.note
    for _, _, delta, key_at, key_length, _, _ in locate(records, header.record_count):
        if key_length != _NULL:
            note(records[key_at : key_at + key_length], base_offset + delta)


def rewrite(
    disk: Disk,
    segments: Sequence[Segment],
    keep: Keep,
    *,
    bytes_max: int,
    index_interval_bytes: int,
) -> Generator[None, None, Rewritten]:
    """Write what stays of adjacent segments to one file next to the first of them.

    It goes on with the next one as long as that fits even if nothing of it goes. The last batch
    stays in any case, emptied if need be: a segment ends where its last batch says, or the log
    would end earlier after a restart and give an offset out twice.

    Raises:
        CorruptionError, DecompressionError: A batch cannot be read, or something is missing.
        DiskError: The disk refused.
    """
    first = segments[0]
    out = _Output(disk, Segment(first.directory, first.base_offset), index_interval_bytes)
    out.segment.first_append_ms = first.first_append_ms
    work = taken = 0
    dropped: BatchHeader | None = None
    try:
        while taken == 0 or _fits(out.segment, segments[taken:], bytes_max):
            for header, batch in batches_of(disk, segments[taken]):
                left = filter_batch(batch, header, keep)
                out.take(header, batch, left)
                dropped = header if left.content is None else None
                work += header.size
                if work >= SLICE_BYTES:
                    work = 0
                    yield
            taken += 1
        if dropped is not None:
            out.add(empty_batch(dropped), header=dropped)
        out.finish()
    finally:
        out.close()
    made, end = out.segment, segments[taken - 1].next_offset
    if made.next_offset != end:
        # The sum check of TIER-5: what is replaced must be covered to its very end.
        raise CorruptionError(f"{made.path} would end at {made.next_offset}, not at {end}")
    return Rewritten(
        segment=made,
        replaced=segments[:taken],
        crc=out.crc,
        is_changed=out.is_changed or taken > 1,
        tombstones_until=out.tombstones_until,
    )


def _fits(made: Segment, rest: Sequence[Segment], bytes_max: int) -> bool:
    """Whether the next segment has room behind what is made so far."""
    return (
        bool(rest)
        and made.size + rest[0].size <= bytes_max
        and rest[0].next_offset - made.base_offset <= RELATIVE_OFFSET_MAX
    )


class _Output:
    """The file that is being written."""

    def __init__(self, disk: Disk, segment: Segment, index_interval_bytes: int) -> None:
        self.segment = segment
        self.crc = 0
        self.is_changed = False
        self.tombstones_until: int | None = None
        self._interval = index_interval_bytes
        self._file = disk.open(segment.path + CLEANED_SUFFIX, create=True)
        self._file.truncate(0)
        self._buffers: list[Buffer] = []
        self._written = 0

    def take(self, header: BatchHeader, batch: memoryview, left: Left) -> None:
        """Add what is left of a batch."""
        if left.tombstones_until is not None:
            self.tombstones_until = max(self.tombstones_until or 0, left.tombstones_until)
        if left.content is not batch:
            self.is_changed = True
        if left.content is not None:
            self.add(left.content, header=header)

    def add(self, batch: Buffer, *, header: BatchHeader) -> None:
        """Add a batch that has the bounds of ``header``."""
        self.segment.add(
            header.next_offset,
            len(batch),
            read_header(batch).max_timestamp,
            base_offset=header.base_offset,
            interval=self._interval,
        )
        self.crc = crc32c(batch, self.crc)
        self._buffers.append(batch)
        if self.segment.size - self._written >= WINDOW_BYTES:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _flush(self) -> None:
        self._written += self._file.write_at(self._written, self._buffers)
        self._buffers = []
