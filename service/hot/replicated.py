"""What a follower checks of batches that it has fetched, before it takes any of them."""

from everlog.model.errors import CorruptionError, RetriableError
from everlog.records.batch import HEADER_BYTES, BatchHeader, batch_crc, read_header
from service.hot.scan import implausible


class DamagedBatchError(RetriableError):
    """A batch was damaged on its way, or is only there in part; asking again may bring it whole."""


def replicated_batches(
    records: memoryview, *, log_end: int, latest_epoch: int | None
) -> list[tuple[memoryview, BatchHeader]]:
    """Cut fetched records into batches that continue a log; gaps between offsets are legal.

    Args:
        records: Whole batches.
        log_end: Where the log ends.
        latest_epoch: Of its last batch; None without one.

    Raises:
        DamagedBatchError: A checksum does not match, or a batch is cut off (REL-Y6).
        CorruptionError: Offsets or leader epochs go back: this is not what follows in the log.
    """
    found: list[tuple[memoryview, BatchHeader]] = []
    position, end, epoch = 0, log_end, latest_epoch or 0
    while position < len(records):
        header = _whole(records, position)
        if header.base_offset < end:
            raise CorruptionError(f"offset {header.base_offset} cannot follow in a log up to {end}")
        if header.leader_epoch < epoch:
            raise CorruptionError(f"leader epoch {header.leader_epoch} cannot follow {epoch}")
        found.append((records[position : position + header.size], header))
        position, end, epoch = position + header.size, header.next_offset, header.leader_epoch
    return found


def _whole(records: memoryview, position: int) -> BatchHeader:
    """Read a header, and see that its batch is there as it was written."""
    left = len(records) - position
    if left < HEADER_BYTES:
        raise DamagedBatchError(f"{left} bytes are no batch")
    header = read_header(records, position)
    reason = implausible(header, left)
    if reason is None and batch_crc(records, position, header.size) != header.crc:
        reason = "its checksum does not match"
    if reason is not None:
        raise DamagedBatchError(f"the batch at offset {header.base_offset}: {reason}")
    return header
