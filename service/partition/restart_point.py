"""Where a local log that has lost its end begins again: behind what the archive holds."""

from collections.abc import Awaitable

from everlog.model.errors import CorruptionError
from everlog.model.offsets import Offset
from everlog.records.batch import walk
from service.hot.leader_epochs import LeaderEpochs
from service.hot.log import HotLog
from service.hot.producer_state import ProducerStates, decode_producers
from service.hot.restart import LogRestart
from service.model.log import LogReader, ReadBounds
from service.partition.lineage import divergence
from service.tiering.cold_log import EndState
from service.tiering.tier_view import TierView

REPLAY_BYTES = 1024 * 1024
"""Read at a time where the newest snapshot of producers is older than the newest object."""


async def restart_point(
    hot: HotLog, tier: TierView, cold: LogReader, state: EndState | None, *, now_ms: int
) -> LogRestart:
    """Make up the state at the end of the tier, which lies behind the end of the local log.

    Args:
        hot: The local log.
        tier: What is committed.
        cold: Reads it.
        state: What its newest object says; None without one.
        now_ms: Wall time.

    Raises:
        CorruptionError: The local log is not a part of what is archived, or the archive is damaged.
        RetriableError: The store did not answer.
    """
    if state is None:
        # Nothing is left of the tier but its end; what was before it can be asked for no more.
        epoch, before = tier.pointer.tiered_end_epoch, max(0, tier.end - 1)
        epochs = LeaderEpochs([] if epoch is None else [(epoch, before)])
        producers = ProducerStates()
    else:
        epochs = LeaderEpochs([(each.epoch, each.start) for each in state.lineage])
        _check(hot, epochs)
        producers = await _producers(state.producers, cold, now_ms=now_ms)
    return LogRestart(
        offset=tier.end,
        log_start=Offset(min(max(tier.start, hot.log_start), tier.end)),
        epochs=epochs,
        producers=producers,
    )


def _check(hot: HotLog, epochs: LeaderEpochs) -> None:
    found = divergence(hot, epochs)
    if found is not None:
        raise CorruptionError(found)


async def _producers(snapshot: bytes, cold: LogReader, *, now_ms: int) -> ProducerStates:
    """Bring a snapshot up to the end of the tier: it was taken where a segment ended."""
    # Without a snapshot the tier ends within its first segment: all of it has to be read.
    producers, covered = decode_producers(snapshot) if snapshot else (ProducerStates(), 0)
    bounds = ReadBounds(end=cold.end, bytes_max=REPLAY_BYTES, at_least_one=True)
    offset = Offset(max(covered, cold.start))
    while offset < cold.end:
        found = cold.read(offset, bounds)
        piece = await found if isinstance(found, Awaitable) else found
        if not piece:
            break
        for _, header in walk(piece.records):
            if header.producer_id >= 0 and not header.is_control and header.base_offset >= covered:
                producers.note(header, header.base_offset, now_ms=now_ms)
            offset = Offset(header.next_offset)
    return producers
