"""The nodes that every cluster has from its first start."""

from service.coordination.metadata_store import MetadataStore, NodeExistsError
from service.coordination.payloads import Payload, pack
from service.coordination.znodes import (
    BROKER_CONFIGS,
    BROKER_EPOCHS,
    BROKER_IDS,
    CHANGES,
    CLONES,
    CONTROLLER_EPOCH,
    DELETED_TOPICS,
    PARTITIONS,
    PRODUCER_IDS,
    TIER,
    TOPICS,
)

_NODES: dict[str, Payload | None] = {
    "/cluster": None,
    "/brokers": None,
    BROKER_IDS: None,
    BROKER_EPOCHS: None,
    TOPICS: None,
    PARTITIONS: None,
    TIER: None,
    DELETED_TOPICS: None,
    CLONES: None,
    "/config": None,
    BROKER_CONFIGS: None,
    CONTROLLER_EPOCH: {"broker": None},
    CHANGES: {"oldest": 0},
    PRODUCER_IDS: {"next": 0, "broker": None},
}


async def lay_out_tree(store: MetadataStore) -> None:
    """Create what is missing; several brokers may do that at once."""
    found = await store.get_many(list(_NODES))
    for (path, payload), node in zip(_NODES.items(), found, strict=True):
        if node is None:
            try:
                await store.create(path, b"" if payload is None else pack(payload))
            except NodeExistsError:
                continue
