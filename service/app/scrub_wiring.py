"""Puts the scrubber of a broker together, and its numbers on the metrics page."""

from collections.abc import Iterator

from everlog.model.clock import Clock
from everlog.stores.object_store import ObjectStore
from service.model.broker_config import BrokerConfig
from service.partition.archiver import Archiver
from service.telemetry.metrics import Metric, counter, gauge
from service.tiering.object_verification import Fault
from service.tiering.partition_tier import PartitionTier
from service.tiering.range_checksum import ChecksumRange, checksum_of
from service.tiering.scrubber import Scrubber, ScrubPace


def make_scrubber(
    config: BrokerConfig,
    clock: Clock,
    *,
    store: ObjectStore,
    archiver: Archiver,
    checksum: ChecksumRange | None,
) -> Scrubber:
    """Make what looks at the tiers that a broker owns; without ``checksum`` it reads by itself."""

    def owned() -> list[PartitionTier]:
        return [
            each.tiered.tier
            for each in archiver.archives
            if each.tiered is not None and not each.is_fenced
        ]

    return Scrubber(
        store,
        checksum=checksum or checksum_of(store),
        tiers=owned,
        clock=clock,
        pace=ScrubPace(
            bytes_per_day=config.archive_scrub_bytes_per_day,
            round_ms=config.archive_scrub_round_ms,
        ),
    )


def scrub_metrics(scrubber: Scrubber) -> Iterator[Metric]:
    """Yield what scrubbing has seen; nothing while it is turned off."""
    if not scrubber.is_on:
        return
    stats, problems = scrubber.stats, scrubber.problems.values()
    yield counter(
        "everlog_tier_scrub_objects",
        "Times that the store was asked for size and checksum of an archived object.",
        stats.objects,
    )
    yield counter(
        "everlog_tier_scrub_read_objects",
        "Archived objects that were read to their end to see that they are sound.",
        stats.read_objects,
    )
    yield counter("everlog_tier_scrub_read_bytes", "Bytes read for that.", stats.read_bytes)
    yield gauge(
        "everlog_tier_scrub_round_ratio",
        "How much of the round through all archived objects is over.",
        scrubber.round_ratio,
    )
    missing = sum(1 for each in problems if each.fault is Fault.MISSING)
    yield gauge(
        "everlog_tier_scrub_missing_objects",
        "Archived objects that the store does not have; the log names them.",
        missing,
    )
    yield gauge(
        "everlog_tier_scrub_unsound_objects",
        "Archived objects that are not what was written; the log names them.",
        len(scrubber.problems) - missing,
    )
