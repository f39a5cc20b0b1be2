"""The cold logs of the partitions that a broker owns, and what decides when they are fetched."""

from collections.abc import Callable

from everlog.format.object_keys import PartitionPath
from everlog.format.pointer import Pointer
from service.app.archive_reading import ArchiveReading
from service.app.tier_site import TierSite
from service.model.broker_config import BrokerConfig
from service.partition.archive import Tiered
from service.partition.archive_starts import ArchiveStarts, Viewed
from service.tiering.authority import Authority, Held, PointerStore
from service.tiering.fetch_queue import FetchQueue
from service.tiering.followed_tier import FollowedTier
from service.tiering.partition_tier import PartitionTier
from service.tiering.range_sources import FetchOrder
from service.tiering.scan_pace import ScanPace
from service.tiering.stats import TierStats


def retired_ms(config: BrokerConfig) -> int:
    """Return how long stays what is no longer part of the archive."""
    return max(config.archive_reader_grace_ms, config.archive_restore_window_ms)


def fetch_order(site: TierSite) -> FetchOrder:
    """Make what decides when something is fetched, for all partitions."""
    config, seams = site.config, site.seams
    return FetchOrder(
        queue=FetchQueue(
            bytes_max=config.remote_fetch_bytes_in_flight_max,
            fetches_max=config.remote_fetch_parallelism,
        ),
        pace=ScanPace(
            processor=seams.processor,
            rounds=lambda: sum(lane.rounds for lane in site.hot.round_stats.values()),
            bytes_per_second_min=config.remote_scan_bytes_per_second_min,
        ),
        clock=seams.clock,
    )


def cold_logs(
    site: TierSite, reading: ArchiveReading, authority: Authority, stats: TierStats
) -> Callable[[Held, PartitionPath], Tiered]:
    """Return what makes the cold log of a partition that this broker owns."""
    config, seams = site.config, site.seams

    def make(held: Held, path: PartitionPath) -> Tiered:
        tier = PartitionTier(
            held,
            path=path,
            authority=authority,
            manifests=reading.manifests,
            clock=seams.clock,
            ids=seams.ids,
            stats=stats,
            grace_ms=retired_ms(config),
        )
        return Tiered(tier=tier, cold=reading.log_of(tier))

    return make


def archive_starts(
    site: TierSite, pointers: PointerStore, reading: ArchiveReading
) -> ArchiveStarts:
    """Make what tells followers where to begin; somebody else leads what it reads."""

    def view(path: PartitionPath, pointer: Pointer) -> Viewed:
        tier = FollowedTier(path, manifests=reading.manifests)
        tier.move(pointer)
        return Viewed(tier, reading.log_of(tier))

    return ArchiveStarts(
        cluster_id=site.cluster_id, pointers=pointers, view=view, clock=site.seams.clock
    )
