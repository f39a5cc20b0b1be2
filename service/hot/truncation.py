"""Cuts the end of a log off, because the leader of a later term goes another way (KIP-101)."""

from contextlib import suppress

from everlog.model.offsets import Offset
from service.hot.data_directory import remove_segments
from service.hot.layout import LEADER_EPOCHS, SEGMENT_SUFFIX, base_offset_of
from service.hot.leader_epochs import LeaderEpochs, encode_epochs
from service.hot.scan import TornTail, scan
from service.hot.segment import Segment
from service.model.disk import Disk


def truncate_log(disk: Disk, directory: str, offset: Offset, epochs: LeaderEpochs) -> None:
    """Remove everything at and above an offset of a log that nobody has open. Blocks.

    A batch that holds the offset goes whole. After a crash at any step a log is left that ends
    between the offset and its old end, without a gap: segments go one by one, the last first.

    Args:
        disk: Where the directory is.
        directory: Of the log, which begins at the offset or before.
        offset: Where it is to end.
        epochs: All terms of the log; cut here, too.
    """
    # While it is missing, recovery reads the terms in the batches themselves.
    with suppress(FileNotFoundError):
        disk.unlink(f"{directory}/{LEADER_EPOCHS}")
    disk.sync_dir(directory)
    bases = [base_offset_of(name, SEGMENT_SUFFIX) for name, _ in disk.list_dir(directory)]
    first, *others = sorted(base for base in bases if base is not None)
    last = first
    for base in reversed(others):
        if base < offset:
            last = base
            break
        remove_segments(disk, directory, [Segment(directory, base)])
    epochs.truncate(_truncate_segment(disk, Segment(directory, last), offset))
    disk.write_file_atomically(f"{directory}/{LEADER_EPOCHS}", encode_epochs(epochs))


def _truncate_segment(disk: Disk, segment: Segment, offset: Offset) -> int:
    """Cut a segment, which is the last one now and takes appends again; return where it ends."""
    with suppress(FileNotFoundError):
        disk.unlink(segment.index_path)
    disk.sync_dir(segment.directory)
    file = disk.open(segment.path)
    try:
        size, end = 0, segment.base_offset
        for item in scan(file, file.size()):
            if isinstance(item, TornTail) or item[1].next_offset > offset:
                break
            size, end = item[0] + item[1].size, item[1].next_offset
        file.truncate(size)
        file.sync()
    finally:
        file.close()
    return end
