"""How archived partitions are read: what their cold logs share, made once for a broker."""

from collections.abc import Callable

from everlog.format.object_keys import PartitionPath
from everlog.format.segment_object import CHUNK_BYTES
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.app.tier_site import TierSite
from service.model.broker_config import BrokerConfig
from service.partition.archive import Tiered
from service.tiering.authority import Authority, Held
from service.tiering.chunk_cache import PASSING_SHARE
from service.tiering.cold_log import ColdLog
from service.tiering.cold_objects import ColdObjects
from service.tiering.fetch_ahead import FetchAhead
from service.tiering.fetch_queue import FetchQueue
from service.tiering.manifest_store import ManifestStore
from service.tiering.open_files import OpenFiles
from service.tiering.partition_tier import PartitionTier
from service.tiering.prefetch import ReadAhead
from service.tiering.range_sources import CachedRanges, FetchOrder, LocalRanges, RangeSource
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
    site: TierSite,
    store: ObjectStore,
    manifests: ManifestStore,
    authority: Authority,
    order: FetchOrder,
    *,
    stats: TierStats,
    cache_dir: str,
) -> Callable[[Held, PartitionPath], Tiered]:
    """Make what all cold logs share; return what makes the cold log of one partition."""
    config, seams = site.config, site.seams
    range_bytes = config.remote_fetch_range_bytes
    files = OpenFiles(seams.disk, executor=seams.cold_executor)
    objects = ColdObjects(store, spawn=site.spawn, range_bytes=range_bytes)
    ranges = _ranges(site, store, files, order, stats=stats, cache_dir=cache_dir)
    readers = ReadAhead(
        window_max=config.remote_prefetch_ranges_max,
        # What is fetched ahead must not push out what it was fetched for.
        bytes_max=config.remote_cache_bytes // (2 * PASSING_SHARE),
        range_bytes=max(range_bytes, CHUNK_BYTES),
    )

    def make(held: Held, path: PartitionPath) -> Tiered:
        tier = PartitionTier(
            held,
            path=path,
            authority=authority,
            manifests=manifests,
            clock=seams.clock,
            ids=seams.ids,
            stats=stats,
            grace_ms=retired_ms(config),
        )
        cold = ColdLog(
            tier,
            objects=objects,
            ranges=ranges,
            files=files,
            executor=seams.cold_executor,
            ahead=FetchAhead(
                tier,
                readers=readers,
                objects=objects,
                ranges=ranges,
                spawn=site.spawn,
                stats=stats,
                clock=seams.clock,
            ),
            stats=stats,
        )
        return Tiered(tier=tier, cold=cold)

    return make


def _ranges(
    site: TierSite,
    store: ObjectStore,
    files: OpenFiles,
    order: FetchOrder,
    *,
    stats: TierStats,
    cache_dir: str,
) -> RangeSource:
    config, seams = site.config, site.seams
    if is_local(store):
        return LocalRanges(store, files=files, order=order, spawn=site.spawn, stats=stats)
    return CachedRanges(
        store,
        directory=cache_dir,
        bytes_max=config.remote_cache_bytes,
        disk=seams.disk,
        files=files,
        executor=seams.cold_executor,
        ids=seams.ids,
        order=order,
        spawn=site.spawn,
        stats=stats,
    )


def is_local(store: ObjectStore) -> bool:
    """Whether the objects of a store are files of this machine."""
    return store.local_path(object_key("any")) is not None
