"""How a broker takes its place in the cluster: without the seats that its disk does not prove."""

from collections.abc import Callable, Mapping

import structlog

from everlog.model.ids import NodeId, PartitionId
from service.coordination.cluster_image import ImageFollower
from service.coordination.metadata_store import MetadataStore
from service.coordination.registration import (
    BrokerDescription,
    FormerBroker,
    end_registration,
    register_broker,
)
from service.coordination.seat_giving import give_up_seats
from service.hot.store import HotStore
from service.model.cluster import Broker, ClusterImage
from service.model.setting_type import Value
from service.partition.seat_proof import Proof, unproven_seats

Defaults = Callable[[], Mapping[str, Value]]

_log = structlog.get_logger(__name__)


async def join_cluster(
    store: MetadataStore,
    description: BrokerDescription,
    *,
    images: ImageFollower,
    hot: HotStore,
    defaults: Defaults,
) -> tuple[Broker, bool]:
    """Register, in the order of `coordination/seats.py`; make the data directory ready on the way.

    Returns:
        This broker, and whether its last stop was a clean one.

    Raises:
        BrokerIdTakenError: Another running broker has its id.
        MetadataConflictError: Others kept writing at the same time.
        ConnectionLostError: The metadata store does not answer.
    """
    former = await end_registration(store, description)
    await images.load()
    image = images.image
    was_clean = await hot.start(_assigned(image, description.id))
    if former is not None:
        proof = Proof(
            same_directory=former.directory_id == description.directory_id,
            stopped_clean=was_clean,
            same_boot=former.boot_id == description.boot_id,
        )
        lost = await unproven_seats(image, description.id, proof, store=hot, defaults=defaults)
        await _give_up(store, description.id, former, lost, proof)
    return await register_broker(store, description), was_clean


async def _give_up(
    store: MetadataStore,
    broker_id: NodeId,
    former: FormerBroker,
    lost: list[PartitionId],
    proof: Proof,
) -> None:
    given_up = await give_up_seats(store, broker_id, former.epoch, lost)
    if given_up:
        _log.warning(
            "seats_given_up",
            partitions=given_up,
            same_directory=proof.same_directory,
            stopped_clean=proof.stopped_clean,
            same_boot=proof.same_boot,
            advice="they are copied from their leaders again",
        )


def _assigned(image: ClusterImage, broker_id: NodeId) -> set[PartitionId]:
    return {
        PartitionId(topic.topic_id, number)
        for topic in image.topics.values()
        for number, state in enumerate(topic.partitions)
        if broker_id in state.replicas
    }
