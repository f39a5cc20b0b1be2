"""Pure: may what was fetched from the leader be appended to a follower's log as it is?"""

from collections.abc import Sequence

from everlog.model.errors import RejectedError, RetriableError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import HEADER_BYTES, BatchHeader, batch_crc, read_header
from service.hot.rolling import RELATIVE_OFFSET_MAX, RollLimits, must_roll_for
from service.hot.scan import CUT_OFF, implausible
from service.hot.segment import Segment
from service.model.disk import Buffer


class DamagedBatchError(RetriableError):
    """A batch is not what the leader has sent; to be fetched again (REL-Y6, KAFKA-4384)."""


class OutOfOrderBatchError(RejectedError):
    """A batch goes back, in offsets or in leader epochs: the two logs have to be compared."""


class StraddlingBatchError(RejectedError):
    """The first batch begins below the end of the log and ends above it."""


def check_replicated(
    records: Buffer,
    *,
    next_offset: Offset,
    latest_epoch: LeaderEpoch | None,
    term: LeaderEpoch | None = None,
) -> list[BatchHeader]:
    """Return the headers of all batches in a buffer, once every one of them may be appended.

    Args:
        records: Whole batches, one behind the other; gaps between offsets are legal (TIER-20).
        next_offset: Where the log ends.
        latest_epoch: In which its last batch was written.
        term: In which the leader leads, if that is known.

    Raises:
        DamagedBatchError: A checksum or a size is wrong, a gap is wider than any log can have, or a
            batch is of a later term.
        OutOfOrderBatchError: Offsets or leader epochs go back.
        StraddlingBatchError: The first batch begins below ``next_offset`` and ends above it.
    """
    view = memoryview(records)
    headers: list[BatchHeader] = []
    position, end, epoch = 0, int(next_offset), latest_epoch or 0
    while position < len(view):
        header = _undamaged(view, position)
        if header.base_offset < end:
            raise _overlap(header, end, is_first=not headers)
        if header.next_offset - 1 - end > RELATIVE_OFFSET_MAX:
            # No checksum covers the offset; a segment of the leader spans no more than that.
            raise DamagedBatchError(
                f"the batch at byte {position} claims offset {header.base_offset} right behind "
                f"{end}: fetch it again"
            )
        if header.leader_epoch < epoch:
            raise OutOfOrderBatchError(
                f"the batch at offset {header.base_offset} is of leader epoch "
                f"{header.leader_epoch}, but {epoch} came before: compare epochs with the leader"
            )
        if term is not None and header.leader_epoch > term:
            raise DamagedBatchError(
                f"the batch at byte {position} claims leader epoch {header.leader_epoch}, and the "
                f"leader is in {term}: fetch it again"
            )
        headers.append(header)
        position, end, epoch = position + header.size, header.next_offset, header.leader_epoch
    return headers


def end_of_run(
    headers: Sequence[BatchHeader], first: int, segment: Segment, limits: RollLimits
) -> int:
    """Return the row behind the last of the batches from ``first`` on that go into a segment."""
    size = segment.size
    for row in range(first, len(headers)):
        header = headers[row]
        if must_roll_for(
            limits,
            size=size,
            batch_size=header.size,
            base_offset=segment.base_offset,
            last_offset=header.next_offset - 1,
        ):
            return row
        size += header.size
    return len(headers)


def _undamaged(view: memoryview, position: int) -> BatchHeader:
    """Read the header of a batch that is whole and matches its checksum."""
    left = len(view) - position
    if left < HEADER_BYTES:
        raise DamagedBatchError(f"at byte {position}: {CUT_OFF}: fetch it again")
    header = read_header(view, position)
    reason = implausible(header, left)
    if reason is None and batch_crc(view, position, header.size) != header.crc:
        reason = "its checksum does not match"
    if reason is None and header.last_offset_delta < 0:
        reason = f"its last offset delta is {header.last_offset_delta}"
    if reason is not None:
        raise DamagedBatchError(
            f"the batch at byte {position} is damaged: {reason}: fetch it again"
        )
    return header


def _overlap(header: BatchHeader, end: int, *, is_first: bool) -> RejectedError:
    where = f"the batch of offsets {header.base_offset} to {header.next_offset - 1}"
    if is_first and header.next_offset > end:
        return StraddlingBatchError(
            f"{where} begins below the end of the log, {end}, and ends above it: truncate the log "
            f"to {header.base_offset}"
        )
    return OutOfOrderBatchError(
        f"{where} goes back behind {end}: fetch from there, or compare epochs with the leader"
    )
