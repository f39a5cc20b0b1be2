"""Puts together what writes cuts of the cluster to the archive."""

from collections.abc import Callable, Mapping, Sequence

from service.app.tier_site import TierSite
from service.app.tier_wiring import ColdSide
from service.groups.coordinator import GroupCoordinator
from service.groups.partitioning import OFFSETS_TOPIC
from service.model.cluster import ClusterImage
from service.model.committed_offsets import CommittedOffsets
from service.model.setting_type import Value
from service.partition.cluster_cuts import ClusterCuts
from service.partition.cut_making import CutMaker, CutSources
from service.tiering.cut_objects import CutObjects


def cluster_cuts(
    site: TierSite,
    cold: ColdSide,
    *,
    image: Callable[[], ClusterImage],
    defaults: Callable[[], Mapping[str, Value]],
    groups: GroupCoordinator,
) -> ClusterCuts:
    """Make the writer of cuts; it has to be run."""
    config, seams = site.config, site.seams

    async def offsets() -> Sequence[CommittedOffsets]:
        return [await groups.hand_over()]  # one broker coordinates all groups

    def owner() -> int | None:
        if cold.transfer is None:
            return 0
        home = cold.transfer.home
        return home.owner if home.is_known else None

    sources = CutSources(
        metadata=site.metadata,
        image=image,
        defaults=defaults,
        offsets=offsets,
        offsets_topic=OFFSETS_TOPIC,
    )
    return ClusterCuts(
        CutObjects(
            cold.store,
            cluster_id=site.cluster_id,
            ids=seams.ids,
            executor=seams.read_executor,
        ),
        CutMaker(sources, cluster_id=site.cluster_id, clock=seams.clock),
        owner=owner,
        is_controller=lambda: image().controller_id == config.broker_id,
        interval_ms=config.archive_cut_interval_ms,
        window_ms=config.archive_restore_window_ms,
        clock=seams.clock,
    )
