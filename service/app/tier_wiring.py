"""Puts the cold side of a broker together: authority, transfer worker, cache, archiver."""

from dataclasses import dataclass
from urllib.parse import quote

from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.object_store import ObjectStore
from everlog.stores.s3_settings import S3Settings
from everlog.stores.url import DirectoryLocation, absolute_url, parse_store_url
from service.app.archive_reading import ArchiveReading, archive_reading
from service.app.clone_wiring import make_cloning
from service.app.cold_logs import archive_starts, cold_logs, fetch_order, retired_ms
from service.app.home_gate import HomeGate
from service.app.scrub_wiring import Scrubbing, make_scrubbing
from service.app.store_place import make_place
from service.app.tier_site import TierSite
from service.app.worker_launch import launch_worker
from service.coordination.clone_pins import ClonePins
from service.coordination.image_delta import ImageDelta
from service.coordination.source_record import refuse_follower
from service.model.broker_config import BrokerConfig
from service.partition.archive import ArchiveParts
from service.partition.archive_follower import ArchiveFollower
from service.partition.archive_home import ArchiveHome
from service.partition.archive_starts import ArchiveStarts
from service.partition.archiver import Archiver
from service.partition.cloning import Cloning
from service.partition.deleted_tiers import ROUND_SECONDS, DeletedTiers
from service.partition.release_proof import release_proof
from service.partition.tier_pointers import TierPointers
from service.partition.topic_classes import TopicClasses
from service.partition.topic_records import TopicRecords
from service.tiering.authority import Authority
from service.tiering.cache_directory import CacheDirectory
from service.tiering.manifest_cache import ManifestCache
from service.tiering.manifest_store import ManifestStore
from service.tiering.range_checksum import ChecksumRange, checksum_through
from service.tiering.read_damage import ReadDamage
from service.tiering.rewrite import MergeObjects, Merger, merged_by_worker
from service.tiering.scan_pace import ScanPace
from service.tiering.stats import TierStats
from service.tiering.sweeper import Sweeper
from service.tiering.topic_objects import TopicObjects
from service.tiering.upload_gate import UploadGate
from service.tiering.upload_queue import UploadLimits
from service.tiering.uploader import SealAndPut, Uploader, through_worker
from service.tiering.worker.remote_store import HastyCaller, WorkerObjectStore
from service.tiering.worker.supervisor import WorkerSupervisor

CACHE_DIR = "cache"
STORE_DIR = "store"


@dataclass(frozen=True, slots=True)
class TransferSite:
    """The transfer process, and whether the store that it opens is the archive's."""

    worker: WorkerSupervisor
    home: ArchiveHome


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Who makes objects: of local files, and of other objects."""

    upload: SealAndPut
    merge: MergeObjects


@dataclass(frozen=True, slots=True)
class Shared:
    """What the archives of all partitions share with others."""

    sweeper: Sweeper
    uploads: UploadGate
    stats: TierStats
    cloning: Cloning


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdSide:
    """The cold side of a broker.

    Attributes:
        records: Have to be told of the cluster's image, and run.
        pace: How fast the archive may be scanned.
        uploads: What is on its way to the store, and what waits.
        reading: What all cold logs share.
        starts: Where followers begin that lack what is archived.
        follower: Of another cluster's archive, in a read-only broker.
        store: Every call to the object store goes through it.
        transfer: Where it goes; None when the store is in this process.
    """

    archiver: Archiver
    deleted: DeletedTiers
    scrubbing: Scrubbing
    records: TopicRecords
    stats: TierStats
    pace: ScanPace
    uploads: UploadGate
    reading: ArchiveReading
    starts: ArchiveStarts
    store: ObjectStore
    transfer: TransferSite | None
    follower: ArchiveFollower | None = None

    @property
    def damaged(self) -> list[str]:
        """Keys of archived objects that readers or the scrubber have found damaged or missing."""
        scrubbed = (each.key.text for each in self.scrubbing.scrubber.problems.values())
        return sorted({*scrubbed, *self.reading.damage.names})

    def follow(self, delta: ImageDelta) -> None:
        """Take note of a change of the cluster."""
        self.records.follow(delta)
        self.deleted.follow(delta)


async def open_cold_side(site: TierSite) -> ColdSide:
    """Start the transfer worker, and make everything that works through it.

    Raises:
        StartRefusedError: The archive is in another store, or the directory only reads one.
    """
    await refuse_follower(site.metadata)
    config, seams = site.config, site.seams
    url = absolute_url(config.store_url or f"file://{quote(config.data_dir)}/{STORE_DIR}")
    probe = probe_key(site.cluster_id, config.broker_id)
    logs = config.logging_level, config.logging_format
    worker = WorkerSupervisor(
        lambda: launch_worker(url, probe, *logs),
        clean=cache_directory(site).remove_unfinished,
        clock=seams.clock,
        ids=seams.ids,
    )
    site.run(worker.run())
    location = parse_store_url(url)
    home = ArchiveHome(
        url=url,
        cluster_id=site.cluster_id,
        metadata=site.metadata,
        store=WorkerObjectStore(HastyCaller(worker)),
        ids=seams.ids,
        make_place=lambda: make_place(location),
    )
    await home.settle()
    site.run(home.keep())
    gate = HomeGate(worker, home)
    stats = TierStats()
    match location:
        case DirectoryLocation(path):
            files = FilesystemObjectStore(path)
            store = WorkerObjectStore(gate, local_path=files.local_path)
        case _:
            store = WorkerObjectStore(gate, on_hedge=stats.count_hedge)
    # A failing upload or commit waits here, where others may go meanwhile, and not over there.
    hasty = HastyCaller(gate)
    return await assemble(
        site,
        store,
        Making(upload=through_worker(hasty), merge=merged_by_worker(hasty)),
        transfer=TransferSite(worker, home),
        hasty=WorkerObjectStore(hasty),
        checksum=checksum_through(gate),
        stats=stats,
    )


async def assemble(
    site: TierSite,
    store: ObjectStore,
    making: Making,
    *,
    hasty: ObjectStore | None = None,
    transfer: TransferSite | None = None,
    checksum: ChecksumRange | None = None,
    stats: TierStats | None = None,
) -> ColdSide:
    """Make the cold side over a store, whatever that is; ``hasty`` calls to it give up soon."""
    config, seams = site.config, site.seams
    stats = stats or TierStats()
    early_ms = retired_ms(config) - config.archive_reader_grace_ms
    pins, pointers = ClonePins(site.metadata), TierPointers(site.metadata)
    # What cannot be removed now is removed later: uploads must not wait for it.
    sweeper = Sweeper(hasty or store, stats=stats, early_ms=early_ms, pins_of=pins.of)
    cache = cache_directory(site)
    await cache.empty()
    authority = Authority(pointers, clock=seams.clock, ids=seams.ids, stats=stats)
    damage = ReadDamage(clock=seams.clock)
    cached = ManifestCache(bytes_max=config.remote_manifest_cache_bytes)
    manifests = ManifestStore(store, hasty=hasty, cache=cached, damage=damage)
    order = fetch_order(site)
    cloning = make_cloning(pins, pointers, manifests, seams=seams, grace_ms=retired_ms(config))
    reading = archive_reading(
        site, store, manifests, order, stats=stats, damage=damage, cache_dir=cache.path
    )
    uploads = UploadGate(_upload_limits(config), clock=seams.clock)
    shared = Shared(sweeper, uploads, stats, cloning)
    archiver = Archiver(
        cluster_id=site.cluster_id,
        authority=authority,
        make_tiered=cold_logs(site, reading, authority, stats),
        parts=_archive_parts(site, making, shared, cache_dir=cache.path, transfer=transfer),
        check_seconds=config.log_retention_check_interval_ms / 1000,
        may_search=lambda now_ms: transfer is None or may_search(transfer.home, config, now_ms),
    )
    site.run(archiver.run())
    topics, home = _topic_objects(site, store), transfer.home if transfer else None
    deleted = _deleted_tiers(site, sweeper, topics, pins, home)
    site.run(deleted.run())
    site.run(deleted.tell())
    scrubbing = make_scrubbing(site, store=store, archiver=archiver, checksum=checksum)
    site.run(scrubbing.run())
    return ColdSide(
        archiver=archiver,
        deleted=deleted,
        scrubbing=scrubbing,
        records=TopicRecords(topics, owner=lambda: home.owner if home else 0, clock=seams.clock),
        stats=stats,
        pace=order.pace,
        uploads=uploads,
        reading=reading,
        starts=archive_starts(site, pointers, reading),
        store=store,
        transfer=transfer,
    )


def _deleted_tiers(
    site: TierSite,
    sweeper: Sweeper,
    records: TopicObjects,
    pins: ClonePins,
    home: ArchiveHome | None,
) -> DeletedTiers:
    return DeletedTiers(
        cluster_id=site.cluster_id,
        metadata=site.metadata,
        sweeper=sweeper,
        records=records,
        owner=lambda: home.owner if home else 0,
        pins=pins,
        clock=site.seams.clock,
        grace_ms=site.config.archive_delete_grace_ms,
        round_seconds=min(ROUND_SECONDS, site.config.log_retention_check_interval_ms / 1000),
    )


def _archive_parts(
    site: TierSite,
    making: Making,
    shared: Shared,
    *,
    cache_dir: str,
    transfer: TransferSite | None,
) -> ArchiveParts:
    config, seams = site.config, site.seams
    return ArchiveParts(
        hot=site.hot,
        table=site.table,
        uploader=Uploader(making.upload, gate=shared.uploads, clock=seams.clock, ids=seams.ids),
        merger=Merger(
            making.merge,
            directory=cache_dir,
            bytes_per_second=config.remote_merge_bytes_per_second,
            clock=seams.clock,
            ids=seams.ids,
        ),
        sweeper=shared.sweeper,
        clock=seams.clock,
        ids=seams.ids,
        stats=shared.stats,
        orphan_grace_ms=config.archive_orphan_grace_ms,
        classes=TopicClasses(has_classes=_has_classes(config)),
        cloning=shared.cloning,
        proof=release_proof(transfer.home if transfer else None, clock=seams.clock),
        uploads_per_turn_max=config.remote_upload_parallelism,
    )


def _has_classes(config: BrokerConfig) -> bool:
    url = config.store_url
    return url is not None and isinstance(parse_store_url(url), S3Settings)


def _upload_limits(config: BrokerConfig) -> UploadLimits:
    rate = config.remote_upload_bytes_per_second
    return UploadLimits(
        uploads_max=config.remote_upload_parallelism,
        bytes_max=config.remote_upload_bytes_in_flight_max,
        bytes_per_second=rate if rate > 0 else None,
    )


def _topic_objects(site: TierSite, store: ObjectStore) -> TopicObjects:
    return TopicObjects(
        store,
        cluster_id=site.cluster_id,
        clock=site.seams.clock,
        ids=site.seams.ids,
        grace_ms=retired_ms(site.config),
    )


def may_search(home: ArchiveHome, config: BrokerConfig, now_ms: int) -> bool:
    """Whether what a restore has left out has been there long enough to be removed."""
    return home.is_known and now_ms - home.restored_ms >= config.archive_orphan_grace_ms


def cache_directory(site: TierSite) -> CacheDirectory:
    """Return where things are on their way to and from the store."""
    path = site.config.remote_cache_dir or f"{site.config.data_dir}/{CACHE_DIR}"
    return CacheDirectory(path, disk=site.seams.disk, executor=site.seams.read_executor)


def probe_key(cluster_id: str, broker_id: int) -> str:
    """Name the object with which a broker tries the store out at each start.

    Always the same: a start deletes what an earlier one has left that was killed meanwhile.
    """
    return f"meta/probe-{cluster_id}-{broker_id}"
