"""Refuses a second broker as long as brokers cannot share a cluster."""

from everlog.model.ids import NodeId
from service.coordination.identity import StartRefusedError
from service.coordination.image_reading import read_live_brokers
from service.coordination.metadata_store import MetadataStore
from service.coordination.znodes import BROKER_IDS


async def check_alone(store: MetadataStore, broker_id: NodeId) -> None:
    """See that no other broker is registered. Of two that start at once, at least one is refused.

    Raises:
        StartRefusedError: There is one; its topics would get replicas that nobody copies to.
    """
    # After the registration, and of the newest state: so the later of two sees the earlier one.
    await store.sync(BROKER_IDS)
    others = [each for each in (await read_live_brokers(store)).values() if each.id != broker_id]
    for other in others:
        where = ", ".join(f"{each.host}:{each.port}" for each in other.endpoints)
        raise StartRefusedError(
            f"broker {other.id} at {where} is in this cluster, and brokers do not replicate yet: "
            "give this one a path of its own in zookeeper.connect, or stop the other and wait for "
            "its session to end"
        )
