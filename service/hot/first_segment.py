"""Writes a log that nobody has opened yet: its first segment, as a leader would have left it."""

from collections.abc import Sequence

from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch
from everlog.records.batch import read_header, stamp
from service.hot.layout import SEGMENT_SUFFIX, file_name, partition_dir
from service.model.disk import Disk


def write_first_segment(
    disk: Disk,
    data_dir: str,
    partition: PartitionId,
    batches: Sequence[bytearray],
    *,
    leader_epoch: LeaderEpoch,
) -> None:
    """Write batches from offset 0 on; durable on return. Blocks.

    Args:
        disk: Where it is.
        data_dir: Absolute path.
        partition: Has no log there.
        batches: At least one; they are stamped in place.
        leader_epoch: Of all batches; earlier than that of the first leader.

    Raises:
        DiskError: The disk refused.
    """
    offset = 0
    for batch in batches:
        stamp(batch, base_offset=offset, leader_epoch=leader_epoch)
        offset = read_header(batch).next_offset
    directory = partition_dir(data_dir, partition)
    disk.make_dirs(directory)
    path = f"{directory}/{file_name(0, SEGMENT_SUFFIX)}"
    disk.write_file_atomically(path, b"".join(batches))
