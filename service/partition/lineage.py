"""Whether a local log continues the tier of its partition."""

from everlog.model.errors import CorruptionError
from service.hot.leader_epochs import LeaderEpochs
from service.hot.log import HotLog
from service.tiering.partition_tier import PartitionTier


def lineage_fault(hot: HotLog, tier: PartitionTier) -> CorruptionError | None:
    """Return why a local log does not continue a tier; None when it does (TIER-12)."""
    pointer = tier.pointer
    name = hot.partition.text
    assert hot.log_end >= pointer.tiered_end, "a log that is shorter begins again at the tier's end"
    epoch = hot.epochs.epoch_of(pointer.tiered_end - 1)
    if pointer.tiered_end_epoch is None or epoch in {None, pointer.tiered_end_epoch}:
        return None
    return CorruptionError(
        f"offset {pointer.tiered_end - 1} of {name} has leader epoch {epoch} on this disk and "
        f"{pointer.tiered_end_epoch} in the archive: the logs have diverged"
    )


def divergence(hot: HotLog, archived: LeaderEpochs) -> str | None:
    """Say where a local log that is shorter than its tier has gone another way (TIER-12).

    Logs that agree in the term of an offset agree in everything before it.
    """
    starts = {start for rows in (hot.epochs, archived) for _, start in rows}
    inside = {start for start in starts if hot.local_start <= start < hot.log_end}
    if hot.local_start < hot.log_end:
        inside.add(hot.log_end - 1)
    for offset in sorted(inside):
        here, there = hot.epochs.epoch_of(offset), archived.epoch_of(offset)
        if here != there:
            return (
                f"offset {offset} of {hot.partition.text} has "
                f"leader epoch {here} on this disk and {there} in the archive, which goes on to a "
                "later end: the logs have diverged; bring the right data directory back"
            )
    return None
