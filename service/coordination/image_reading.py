"""Reads the cluster's image from the metadata tree, as a whole or in parts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from everlog.model.ids import NodeId, PartitionId, TopicName
from service.coordination.image_changes import topic_image
from service.coordination.metadata_store import MetadataStore, Stat, Watcher
from service.coordination.payloads import TopicNode, read_broker, read_state, read_topic, unpack
from service.coordination.znodes import (
    BROKER_CONFIGS,
    BROKER_EPOCHS,
    BROKER_IDS,
    CLUSTER_ID,
    CONTROLLER,
    TOPICS,
    broker_epoch_path,
    broker_path,
    config_broker_of_path,
    state_path,
    topic_path,
)
from service.model.cluster import EMPTY_IMAGE, Broker, ClusterImage, PartitionState, TopicImage

READ_BATCH = 1024
"""Nodes read at once; the loop serves others in between."""


async def read_image(store: MetadataStore, *, watch: Watcher) -> ClusterImage:
    """Read everything. It is no single moment's image: changes made meanwhile show in part.

    Args:
        store: Where it is read from.
        watch: Called once when a broker comes or goes, or the controller changes.
    """
    content, _ = await store.get(CLUSTER_ID)
    topics = await _read_topics(store)
    image = replace(
        EMPTY_IMAGE,
        cluster_id=unpack(content, CLUSTER_ID)["id"],
        topics=topics,
        names={topic.topic_id: name for name, topic in topics.items()},
        broker_configs=await _read_configs(store),
    )
    return await read_members(store, image, watch=watch)


async def read_members(
    store: MetadataStore, image: ClusterImage, *, watch: Watcher
) -> ClusterImage:
    """Return the image with the brokers and the controller of now; ``watch`` as in `read_image`."""
    brokers: dict[NodeId, Broker] = {}
    ids = [NodeId(int(name)) for name in await store.children(BROKER_IDS, watch=watch)]
    paths = [broker_path(broker_id) for broker_id in ids]
    for broker_id, path, found in zip(ids, paths, await store.get_many(paths), strict=True):
        if found is not None:
            brokers[broker_id] = read_broker(unpack(found[0], path), broker_id)
    return replace(
        image,
        brokers=brokers,
        racks=await _read_racks(store),
        controller_id=await _read_controller(store, watch),
    )


async def read_live_brokers(store: MetadataStore) -> dict[NodeId, Broker]:
    """Read the brokers that may lead: registered, and not about to stop."""
    return {each.id: each for each in await read_registered(store) if not each.draining}


async def read_registered(store: MetadataStore) -> list[Broker]:
    """Read the brokers whose registrations hold, those that drain included."""
    ids = [NodeId(int(name)) for name in await store.children(BROKER_IDS)]
    paths = [broker_path(broker_id) for broker_id in ids]
    found = await store.get_many([*paths, *map(broker_epoch_path, ids)])
    brokers: list[Broker] = []
    for place, broker_id in enumerate(ids):
        registered, counted = found[place], found[place + len(ids)]
        if registered is not None and counted is not None:
            broker = read_broker(unpack(registered[0], paths[place]), broker_id)
            if broker.stored_epoch == counted[1].version:
                brokers.append(broker)
    return brokers


async def read_states(
    store: MetadataStore, partitions: Sequence[PartitionId]
) -> dict[PartitionId, PartitionState]:
    """Read the states of partitions; those that are gone are left out."""
    states: dict[PartitionId, PartitionState] = {}
    paths = [state_path(partition) for partition in partitions]
    async for index, content, stat in _read_all(store, paths):
        states[partitions[index]] = read_state(unpack(content, paths[index]), stat.version)
    return states


async def read_topic_nodes(
    store: MetadataStore, names: Sequence[TopicName]
) -> dict[TopicName, TopicNode]:
    """Read the nodes of topics; those that are gone are left out."""
    nodes: dict[TopicName, TopicNode] = {}
    paths = [topic_path(name) for name in names]
    async for index, content, stat in _read_all(store, paths):
        nodes[names[index]] = read_topic(unpack(content, paths[index]), stat.version)
    return nodes


async def _read_topics(store: MetadataStore) -> dict[TopicName, TopicImage]:
    names = [TopicName(name) for name in await store.children(TOPICS)]
    nodes = await read_topic_nodes(store, names)
    partitions = [
        PartitionId(node.topic_id, number)
        for node in nodes.values()
        for number in range(node.partitions)
    ]
    states = await read_states(store, partitions)
    topics = (topic_image(name, node, states) for name, node in nodes.items())
    return {topic.name: topic for topic in topics if topic is not None}


async def _read_configs(store: MetadataStore) -> dict[NodeId | None, dict[str, str]]:
    configs: dict[NodeId | None, dict[str, str]] = {}
    paths = [f"{BROKER_CONFIGS}/{name}" for name in await store.children(BROKER_CONFIGS)]
    async for index, content, _ in _read_all(store, paths):
        config = unpack(content, paths[index])["config"]
        configs[config_broker_of_path(paths[index])] = config
    return configs


async def _read_racks(store: MetadataStore) -> dict[NodeId, str | None]:
    ids = [NodeId(int(name)) for name in await store.children(BROKER_EPOCHS)]
    paths = [broker_epoch_path(broker_id) for broker_id in ids]
    racks: dict[NodeId, str | None] = {}
    async for index, content, _ in _read_all(store, paths):
        racks[ids[index]] = unpack(content, paths[index])["rack"]
    return racks


async def _read_controller(store: MetadataStore, watch: Watcher) -> NodeId | None:
    if await store.exists(CONTROLLER, watch=watch) is None:
        return None
    (found,) = await store.get_many([CONTROLLER])
    return None if found is None else NodeId(unpack(found[0], CONTROLLER)["broker"])


async def _read_all(
    store: MetadataStore, paths: Sequence[str]
) -> AsyncIterator[tuple[int, bytes, Stat]]:
    """Yield place, bytes and stat of those nodes that exist."""
    for first in range(0, len(paths), READ_BATCH):
        found = await store.get_many(paths[first : first + READ_BATCH])
        for place, node in enumerate(found, first):
            if node is not None:
                yield place, *node
        await asyncio.sleep(0)
