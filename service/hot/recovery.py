"""Opens a log directory after any kind of stop, and finds out what it holds.

A sealed segment has an index file, and was synced before that was written; only segments without
one can be torn. They are scanned from their start: each batch must be whole and match its checksum.
The first one that does not ends the log if a power cut can have left it; else it is corruption,
which is never mistaken for a shorter log (REL-Y6). `service.hot.tear` tells which it is.
"""

from itertools import pairwise

from everlog.model.errors import CorruptionError
from everlog.model.ids import PartitionId
from everlog.records.batch import LENGTH_FIELD_END, BatchHeader
from service.hot.layout import (
    CUT_SUFFIX,
    INDEX_SUFFIX,
    LEADER_EPOCHS,
    LOG_START,
    SEGMENT_SUFFIX,
    base_offset_of,
    file_name,
)
from service.hot.leader_epochs import LeaderEpochs, decode_epochs, encode_epochs
from service.hot.log_start import decode_log_start
from service.hot.producer_state import ProducerStates, decode_producers
from service.hot.recovered_log import Cut, RecoveredLog
from service.hot.rolling import RELATIVE_OFFSET_MAX
from service.hot.scan import TornTail, scan
from service.hot.segment import Segment
from service.hot.sparse_index import SparseIndex, encode_index
from service.hot.swap import settle_swap
from service.hot.tear import SECTOR_BYTES, Known, Rest, why_no_tear
from service.model.disk import Disk, File

INDEX_INTERVAL_BYTES = 4096
"""Distance of the rows of an index that is rebuilt; Kafka's default of ``index.interval.bytes``."""


def recover_log(
    disk: Disk,
    partition: PartitionId,
    directory: str,
    *,
    now_ms: int,
    known: Known | None = None,
) -> RecoveredLog:
    """Open a log directory, or make it; cut a torn tail off. Blocks.

    Args:
        disk: Where it is.
        partition: Whose log.
        directory: Absolute path.
        now_ms: Wall time.
        known: What is known of it before.

    Raises:
        CorruptionError: Damage that is not a torn tail; nothing has been changed.
        DiskError: The disk refused.
    """
    disk.make_dirs(directory)
    settle_swap(disk, directory, [name for name, _ in disk.list_dir(directory)])
    sizes = _segment_sizes(disk, directory)
    start = _read_log_start(disk, directory)
    found = RecoveredLog(
        partition, directory, start or 0, [], LeaderEpochs(), ProducerStates(), known or Known()
    )
    if not sizes:
        return found
    bases = sorted(sizes)
    if start is None:
        found.log_start = bases[0]
    found.segments = [_segment(directory, base, sizes[base]) for base in bases]
    for segment, successor in pairwise(found.segments):
        segment.next_offset = successor.base_offset
    epochs = _read_epochs(disk, directory)
    found.epochs = epochs or LeaderEpochs()
    _check_history(found)
    found.producers, found.producers_end = _read_producers(disk, found.segments)
    first_open = _first_open(disk, found)
    for segment in found.segments[:first_open]:
        is_known = epochs is not None and not _lacks_epoch(epochs, segment)
        if segment.next_offset > found.producers_end or not is_known:
            _replay(disk, segment, found, now_ms=now_ms, is_sealed=True)
    _replay_open(disk, found, first_open, now_ms=now_ms)
    _begin_anew_behind_end(disk, found)
    _drop_later_terms(disk, found)
    # The names of files that a killed process has made must be as durable as their bytes.
    disk.sync_dir(directory)
    return found


def rebuild_index(disk: Disk, segment: Segment) -> SparseIndex:
    """Make the index of a sealed segment anew and put it into its file.

    Raises:
        CorruptionError: The segment itself is damaged.
    """
    fresh = _segment(segment.directory, segment.base_offset, 0)
    file = disk.open(segment.path, writable=False)
    try:
        for item in scan(file, segment.size):
            if isinstance(item, TornTail):
                if item.position < segment.size:
                    raise CorruptionError(f"{segment.path} at {item.position}: {item.reason}")
                break
            _, header = item
            _add(fresh, header)
    finally:
        file.close()
    segment.max_timestamp = fresh.max_timestamp
    index = fresh.index or SparseIndex()
    disk.write_file_atomically(segment.index_path, encode_index(index, fresh.summary()))
    return index


def _segment_sizes(disk: Disk, directory: str) -> dict[int, int]:
    """Find the segment files, and remove what an interrupted atomic write has left."""
    sizes: dict[int, int] = {}
    for name, size in disk.list_dir(directory):
        base = base_offset_of(name, SEGMENT_SUFFIX)
        if base is not None:
            sizes[base] = size
        elif name.endswith(".tmp"):
            disk.unlink(f"{directory}/{name}")
    return sizes


def _segment(directory: str, base: int, size: int) -> Segment:
    segment = Segment(directory, base)
    segment.size = size
    if size:
        segment.max_timestamp = None
    return segment


def _read_log_start(disk: Disk, directory: str) -> int | None:
    try:
        return decode_log_start(disk.read_file(f"{directory}/{LOG_START}"))
    except FileNotFoundError:
        return None


def _read_epochs(disk: Disk, directory: str) -> LeaderEpochs | None:
    """Read the epochs up to the last roll; None if the batches have to tell all of them."""
    try:
        return decode_epochs(disk.read_file(f"{directory}/{LEADER_EPOCHS}"))
    except (FileNotFoundError, CorruptionError):
        return None


def _check_history(found: RecoveredLog) -> None:
    latest, term = found.epochs.latest, found.known.term
    if latest is not None and term is not None and latest > term:
        raise CorruptionError(
            f"{found.directory} was written in leader epoch {latest}, but the newest term is "
            f"{term}: the metadata is older than the data"
        )


def _lacks_epoch(epochs: LeaderEpochs, segment: Segment) -> bool:
    return epochs.epoch_of(segment.base_offset) is None


def _read_producers(disk: Disk, segments: list[Segment]) -> tuple[ProducerStates, int]:
    """Read the newest good snapshot; return the state and the offset up to which it holds."""
    for segment in reversed(segments):
        try:
            states, offset = decode_producers(disk.read_file(segment.producers_path))
        except (FileNotFoundError, CorruptionError):
            continue
        return states, offset
    return ProducerStates(), segments[0].base_offset


def _first_open(disk: Disk, found: RecoveredLog) -> int:
    """Find the first segment that was not sealed: neither it nor one behind it has an index file.

    Segments are sealed in order, so one without an index before one that has it has lost it. The
    last one takes appends in any case.
    """
    names = {name for name, _ in disk.list_dir(found.directory)}
    for row in range(len(found.segments) - 2, -1, -1):
        if file_name(found.segments[row].base_offset, INDEX_SUFFIX) in names:
            return row + 1
    return 0


def _replay_open(disk: Disk, found: RecoveredLog, first: int, *, now_ms: int) -> None:
    """Find where the log ends, in the segments that were not sealed.

    With ``flush=interval`` several can be: nothing in them has been promised to survive a power
    cut. So the first tear ends the log, and what lies behind it is set aside.
    """
    for row in range(first, len(found.segments)):
        segment = found.segments[row] = _replay(
            disk, found.segments[row], found, now_ms=now_ms, is_sealed=False
        )
        is_last = row + 1 == len(found.segments)
        if found.cut is not None or not (is_last or _joins(segment, found.segments[row + 1])):
            _set_aside(disk, found, row + 1)
            break
        if not is_last:
            content = encode_index(segment.index or SparseIndex(), segment.summary())
            disk.write_file_atomically(segment.index_path, content)
    last = found.segments[-1]
    last.first_append_ms = now_ms if last.size else None
    # It takes appends again, so an index that was written when it was sealed is none any more.
    _unlink(disk, last.index_path)


def _begin_anew_behind_end(disk: Disk, found: RecoveredLog) -> None:
    """Drop what ends below the log start: a power cut took records that had been deleted."""
    if found.segments[-1].next_offset >= found.log_start:
        return
    for segment in found.segments:
        for path in (segment.index_path, segment.producers_path, segment.path):
            _unlink(disk, path)
    found.segments = []


def _drop_later_terms(disk: Disk, found: RecoveredLog) -> None:
    """Drop the terms of what was truncated, before batches of other terms come there (REL-T5)."""
    if found.epochs.truncate(found.end):
        path = f"{found.directory}/{LEADER_EPOCHS}"
        disk.write_file_atomically(path, encode_epochs(found.epochs))


def _unlink(disk: Disk, path: str) -> None:
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return


def _joins(segment: Segment, successor: Segment) -> bool:
    """Whether nothing is missing between them; a tear may lie between two batches."""
    return segment.next_offset == successor.base_offset


def _set_aside(disk: Disk, found: RecoveredLog, first: int) -> None:
    """End the log before the segment in row ``first``."""
    last, behind = found.segments[first - 1], found.segments[first:]
    if last.next_offset < found.known.synced_end:
        raise CorruptionError(
            f"{last.path} ends at offset {last.next_offset}, but everything below "
            f"{found.known.synced_end} was synced"
        )
    if found.cut is None:
        found.cut = Cut(path=last.path, offset=last.next_offset, size=0, reason="it ends too early")
    for segment in behind:
        if segment.size:
            disk.rename(segment.path, segment.path + CUT_SUFFIX)
            found.cut.segments += 1
        else:
            disk.unlink(segment.path)
    del found.segments[first:]


def _replay(
    disk: Disk, segment: Segment, found: RecoveredLog, *, now_ms: int, is_sealed: bool
) -> Segment:
    """Read a segment's headers for what only they know; cut the torn tail of an open one."""
    size = segment.size
    file = disk.open(segment.path)
    target = _segment(segment.directory, segment.base_offset, 0)
    try:
        for item in scan(file, size):
            if isinstance(item, TornTail):
                if item.position < size:
                    found.cut = _cut_tail(disk, file, item, target, found, is_sealed=is_sealed)
                break
            position, header = item
            misfit = _misfit(header, target, found)
            if misfit is not None:
                if is_sealed or not _lacks_its_start(file, position, header, target):
                    raise CorruptionError(f"{segment.path} at {position}: {misfit}")
                tail = TornTail(position, misfit)
                found.cut = _cut_tail(disk, file, tail, target, found, is_sealed=False)
                break
            _note(found, header, now_ms)
            _add(target, header)
        if not is_sealed and target.size:
            # What a killed process has left in the page cache must not count before it is durable.
            file.sync()
    finally:
        file.close()
    return target


def _misfit(header: BatchHeader, segment: Segment, found: RecoveredLog) -> str | None:
    """Say what is wrong with the offset or the leader epoch, which no checksum covers.

    A gap between offsets is legal. No torn write makes a wrong epoch: the length of the batch lies
    right before it and the magic byte right behind it, so one of them would be missing too.
    """
    end = segment.base_offset + RELATIVE_OFFSET_MAX
    if not segment.next_offset <= header.base_offset <= end:
        return f"offset {header.base_offset} cannot follow {segment.next_offset}"
    epoch = header.leader_epoch
    before = found.epochs.epoch_of(header.base_offset) or 0
    if epoch < before:
        return f"leader epoch {epoch} cannot follow {before}"
    term = found.known.term
    if term is not None and epoch > term:
        return f"leader epoch {epoch} cannot be: the newest term is {term}"
    return None


def _note(found: RecoveredLog, header: BatchHeader, now_ms: int) -> None:
    latest = found.epochs.latest
    if latest is None or header.leader_epoch > latest:
        found.epochs.note(header.leader_epoch, header.base_offset)
    # A segment can be read for its epochs alone: its producers are in the snapshot already.
    is_new = header.base_offset >= found.producers_end
    if is_new and header.producer_id >= 0 and not header.is_control:
        found.producers.note(header, header.base_offset, now_ms=now_ms)


def _add(segment: Segment, header: BatchHeader) -> None:
    segment.add(
        header.next_offset,
        header.size,
        header.max_timestamp,
        base_offset=header.base_offset,
        interval=INDEX_INTERVAL_BYTES,
    )


def _lacks_its_start(file: File, position: int, header: BatchHeader, segment: Segment) -> bool:
    """Whether the sector with the offset of a batch, and with nothing else of it, is missing."""
    inside = SECTOR_BYTES - position % SECTOR_BYTES
    rest = Rest(file.read_at(position, header.size), position, segment.next_offset)
    return inside < LENGTH_FIELD_END and rest.start_was_not_written(rest.content[:inside])


def _cut_tail(
    disk: Disk,
    file: File,
    tail: TornTail,
    segment: Segment,
    found: RecoveredLog,
    *,
    is_sealed: bool,
) -> Cut:
    """Cut a torn tail off, unless it can be proved that it is none."""
    where = f"{segment.path} at {tail.position}: {tail.reason}"
    if is_sealed:
        raise CorruptionError(f"{where}; the segment is sealed, so this is no torn write")
    size = file.size() - tail.position
    rest = Rest(file.read_at(tail.position, size), tail.position, segment.next_offset)
    reason = why_no_tear(rest, found.known)
    if reason is not None:
        raise CorruptionError(f"{where}, {reason}")
    cut = Cut(path=segment.path, offset=segment.next_offset, size=size, reason=tail.reason)
    if rest.hides_batches or not (rest.was_not_written or tail.is_cut_off):
        cut.saved_as = f"{segment.directory}/{file_name(cut.offset, SEGMENT_SUFFIX)}{CUT_SUFFIX}"
        disk.write_file_atomically(cut.saved_as, rest.content)
    file.truncate(tail.position)
    file.sync()
    return cut
