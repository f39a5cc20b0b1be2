"""Whether a local log continues the tier of its partition."""

from everlog.model.errors import CorruptionError
from service.hot.log import HotLog
from service.tiering.partition_tier import PartitionTier


def lineage_fault(hot: HotLog, tier: PartitionTier) -> CorruptionError | None:
    """Return why a local log does not continue a tier; None when it does (TIER-12)."""
    pointer = tier.pointer
    name = f"{hot.partition.topic_id.hex()}/{hot.partition.partition}"
    if hot.log_end < pointer.tiered_end:
        return CorruptionError(
            f"the local log of {name} ends at {hot.log_end}, but its records up to "
            f"{pointer.tiered_end} are archived: bring the data directory back, or restore the "
            "partition from the archive"
        )
    epoch = hot.epochs.epoch_of(pointer.tiered_end - 1)
    if pointer.tiered_end_epoch is None or epoch in {None, pointer.tiered_end_epoch}:
        return None
    return CorruptionError(
        f"offset {pointer.tiered_end - 1} of {name} has leader epoch {epoch} on this disk and "
        f"{pointer.tiered_end_epoch} in the archive: the logs have diverged"
    )
