"""Puts together what coordinates groups, and what it has to hear of."""

from service.app.node_limits import group_limits
from service.app.offsets_topic import PartitionOffsetsLog
from service.app.seams import Seams
from service.coordination.cluster_image import ImageFollower
from service.groups.coordinator import GroupCoordinator
from service.model.broker_config import BrokerConfig
from service.partition.archive_follower import ArchiveFollower
from service.partition.contact import Contact
from service.partition.disk_gate import DiskGate
from service.partition.keeper import PartitionKeeper
from service.partition.table import PartitionTable


def group_coordinator(
    config: BrokerConfig,
    seams: Seams,
    *,
    table: PartitionTable,
    images: ImageFollower,
    keeper: PartitionKeeper,
    disk: DiskGate,
    contact: Contact,
    source: ArchiveFollower | None,
) -> GroupCoordinator:
    """Make the coordinator of the groups whose partitions of the offsets topic are led here.

    ``source`` has the topics of a followed cluster, if there is one.
    """
    groups = GroupCoordinator(
        log=PartitionOffsetsLog(
            partitions=table, images=images, disk=disk, contact=contact, clock=seams.clock
        ),
        clock=seams.clock,
        ids=seams.ids,
        limits=group_limits(config),
    )
    keeper.on_applied(groups.leadership_changed)
    images.subscribe(
        lambda delta: groups.topics_deleted([topic.name for topic in delta.topics_deleted])
    )
    if source is not None:
        source.on_deleted(groups.topics_deleted)
    return groups
