"""Puts together what reads the archive, for all partitions of a broker."""

from dataclasses import dataclass

from everlog.format.segment_object import CHUNK_BYTES
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.app.seams import Seams
from service.app.tier_site import TierSite
from service.tiering.chunk_cache import PASSING_SHARE
from service.tiering.cold_log import ColdLog
from service.tiering.cold_objects import ColdObjects
from service.tiering.fetch_ahead import FetchAhead
from service.tiering.manifest_store import ManifestStore
from service.tiering.open_files import OpenFiles
from service.tiering.prefetch import ReadAhead
from service.tiering.range_sources import CachedRanges, FetchOrder, LocalRanges, RangeSource
from service.tiering.read_damage import ReadDamage
from service.tiering.single_flight import Spawn
from service.tiering.stats import TierStats
from service.tiering.tier_view import TierView


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveReading:
    """What all cold logs share."""

    seams: Seams
    manifests: ManifestStore
    objects: ColdObjects
    ranges: RangeSource
    files: OpenFiles
    readers: ReadAhead
    spawn: Spawn
    stats: TierStats
    damage: ReadDamage

    def log_of(self, tier: TierView) -> ColdLog:
        """Make the cold log of one partition."""
        return ColdLog(
            tier,
            objects=self.objects,
            ranges=self.ranges,
            files=self.files,
            executor=self.seams.cold_executor,
            ahead=FetchAhead(
                tier,
                readers=self.readers,
                objects=self.objects,
                ranges=self.ranges,
                spawn=self.spawn,
                stats=self.stats,
                clock=self.seams.clock,
            ),
            stats=self.stats,
            damage=self.damage,
        )


def archive_reading(
    site: TierSite,
    store: ObjectStore,
    manifests: ManifestStore,
    order: FetchOrder,
    *,
    stats: TierStats,
    damage: ReadDamage,
    cache_dir: str,
) -> ArchiveReading:
    """Make what all cold logs share; the cache directory is empty."""
    config, seams = site.config, site.seams
    range_bytes = config.remote_fetch_range_bytes
    files = OpenFiles(seams.disk, executor=seams.cold_executor)
    return ArchiveReading(
        seams=seams,
        manifests=manifests,
        objects=ColdObjects(store, spawn=site.spawn, range_bytes=range_bytes, damage=damage),
        ranges=_ranges(site, store, files, order, stats=stats, damage=damage, cache_dir=cache_dir),
        files=files,
        readers=ReadAhead(
            window_max=config.remote_prefetch_ranges_max,
            # What is fetched ahead must not push out what it was fetched for.
            bytes_max=config.remote_cache_bytes // (2 * PASSING_SHARE),
            range_bytes=max(range_bytes, CHUNK_BYTES),
        ),
        spawn=site.spawn,
        stats=stats,
        damage=damage,
    )


def _ranges(
    site: TierSite,
    store: ObjectStore,
    files: OpenFiles,
    order: FetchOrder,
    *,
    stats: TierStats,
    damage: ReadDamage,
    cache_dir: str,
) -> RangeSource:
    config, seams = site.config, site.seams
    if is_local(store):
        return LocalRanges(
            store, files=files, order=order, spawn=site.spawn, stats=stats, damage=damage
        )
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
        damage=damage,
    )


def is_local(store: ObjectStore) -> bool:
    """Whether the objects of a store are files of this machine."""
    return store.local_path(object_key("any")) is not None
