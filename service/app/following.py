"""Puts the cold side of a read-only broker together: the archive of another cluster, only read."""

from dataclasses import dataclass, replace

from everlog.format.object_keys import PartitionPath
from everlog.model.errors import RetriableError
from everlog.model.ids import PartitionId
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.url import DirectoryLocation, absolute_url, parse_store_url
from service.app.archive_reading import ArchiveReading
from service.app.source_cluster import source_cluster
from service.app.tier_site import TierSite
from service.app.tier_wiring import ColdSide, Making, assemble, cache_directory
from service.app.worker_launch import launch_worker
from service.coordination.identity import StartRefusedError
from service.coordination.source_record import keep_source
from service.partition.archive_follower import ArchiveFollower, MakePartition
from service.partition.archived_partition import ArchivedPartition
from service.partition.archived_table import ArchivedTable
from service.partition.source_topics import SourceTopic, SourceTopics
from service.tiering.followed_tier import FollowedTier
from service.tiering.range_checksum import checksum_through
from service.tiering.rewrite import merged_by_worker
from service.tiering.stats import TierStats
from service.tiering.topic_objects import TopicObjects
from service.tiering.uploader import through_worker
from service.tiering.worker.remote_store import HastyCaller, WorkerObjectStore
from service.tiering.worker.supervisor import WorkerSupervisor

NO_PROBE = ""
"""Has the transfer process refuse everything that would change the store."""


@dataclass(frozen=True, slots=True)
class SourceSite:
    """Where a read-only broker reads, and what of."""

    url: str
    cluster_id: str | None


async def open_followed_side(site: TierSite) -> ColdSide:
    """Start a transfer process that only reads, and follow the archive from its first look on.

    Raises:
        StartRefusedError: The store has no such archive, or does not answer; or the data directory
            belongs to another one.
    """
    config, seams = site.config, site.seams
    assert config.store_url is not None, "a rule of the configuration"
    url = absolute_url(config.store_url)
    logs = config.logging_level, config.logging_format
    worker = WorkerSupervisor(
        lambda: launch_worker(url, NO_PROBE, *logs),
        clean=cache_directory(site).remove_unfinished,
        clock=seams.clock,
        ids=seams.ids,
    )
    site.run(worker.run())
    stats = TierStats()
    match parse_store_url(url):
        case DirectoryLocation(path):
            files = FilesystemObjectStore(path, is_read_only=True)
            store = WorkerObjectStore(worker, local_path=files.local_path)
        case _:
            store = WorkerObjectStore(worker, on_hedge=stats.count_hedge)
    # What is made here is refused over there; local topics are never tiered, so nothing is.
    hasty = HastyCaller(worker)
    cold = await assemble(
        site,
        store,
        Making(upload=through_worker(hasty), merge=merged_by_worker(hasty)),
        hasty=WorkerObjectStore(hasty),
        checksum=checksum_through(worker),
        stats=stats,
    )
    source = SourceSite(url, config.archive_read_only_cluster)
    return replace(cold, follower=await follow(site, cold, source))


async def follow(site: TierSite, cold: ColdSide, source: SourceSite) -> ArchiveFollower:
    """Look at an archive for the first time, and go on looking.

    Raises:
        StartRefusedError: There is nothing to serve.
    """
    config, clock = site.config, site.seams.clock
    try:
        cluster_id = await source_cluster(cold.store, source.url, source.cluster_id)
        await keep_source(site.metadata, cluster_id)
        follower = ArchiveFollower(
            cluster_id=cluster_id,
            store=cold.store,
            topics=SourceTopics(
                TopicObjects(cold.store, cluster_id=cluster_id, clock=clock, ids=site.seams.ids)
            ),
            make=partition_maker(cold.reading),
            table=ArchivedTable(),
            clock=clock,
            poll_seconds=config.archive_read_only_poll_ms / 1000,
        )
        await follower.poll()
    except RetriableError as error:
        raise StartRefusedError(
            f"{source.url} could not be read ({error}): a read-only broker has nothing to serve "
            "before it has seen it; start again when the store answers"
        ) from error
    site.run(follower.run())
    return follower


def partition_maker(reading: ArchiveReading) -> MakePartition:
    """Return what makes partitions whose tiers are not known yet."""

    def make(topic: SourceTopic, path: PartitionPath) -> ArchivedPartition:
        tier = FollowedTier(path, manifests=reading.manifests)
        return ArchivedPartition(
            topic=topic.name,
            partition_id=PartitionId(path.topic_id, path.partition),
            tier=tier,
            cold=reading.log_of(tier),
        )

    return make
