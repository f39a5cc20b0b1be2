"""Puts the scrubber of a broker together, and its numbers on the metrics page."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from everlog.stores.object_store import ObjectStore
from service.app.tier_site import TierSite
from service.partition.archiver import Archiver
from service.telemetry.metrics import Metric, counter, gauge
from service.tiering.asked_scrub import AskedRounds
from service.tiering.object_verification import Fault
from service.tiering.partition_tier import PartitionTier
from service.tiering.range_checksum import ChecksumRange, checksum_of
from service.tiering.scrubber import Scrubber, ScrubPace


@dataclass(frozen=True, slots=True)
class Scrubbing:
    """What looks at archived objects again: in rounds by the clock, and when somebody asks."""

    scrubber: Scrubber
    asked: AskedRounds

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.scrubber.run())
            tasks.create_task(self.asked.run())


def make_scrubbing(
    site: TierSite, *, store: ObjectStore, archiver: Archiver, checksum: ChecksumRange | None
) -> Scrubbing:
    """Make what looks at the tiers that a broker owns; without ``checksum`` it reads by itself."""
    config, clock = site.config, site.seams.clock

    def owned() -> list[PartitionTier]:
        return [
            each.tiered.tier
            for each in archiver.archives
            if each.tiered is not None and not each.is_fenced
        ]

    scrubber = Scrubber(
        store,
        checksum=checksum or checksum_of(store),
        tiers=owned,
        clock=clock,
        pace=ScrubPace(
            bytes_per_day=config.archive_scrub_bytes_per_day,
            round_ms=config.archive_scrub_round_ms,
            asked_bytes_per_second=config.archive_scrub_asked_bytes_per_second,
        ),
    )
    asked = AskedRounds(scrubber, tiers=owned, since_ms=site.scrub_since_ms, clock=clock)
    return Scrubbing(scrubber, asked)


def scrub_metrics(scrubbing: Scrubbing) -> Iterator[Metric]:
    """Yield what scrubbing has seen; nothing while it is turned off."""
    scrubber, asked = scrubbing.scrubber, scrubbing.asked.latest
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
    yield gauge(
        "everlog_tier_scrub_asked_timestamp_seconds",
        "archive.scrub.since.ms of the last round that was asked for since the start, 0 without.",
        asked.since_ms / 1000,
    )
    yield gauge("everlog_tier_scrub_asked_ratio", "How much of that round is over.", asked.ratio)
    yield gauge("everlog_tier_scrub_asked_objects", "Objects read in that round.", asked.objects)
    yield gauge("everlog_tier_scrub_asked_bytes", "Their bytes.", asked.done_bytes)
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
