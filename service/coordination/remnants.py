"""Removes nodes that nobody sees: of topics and enlargements that were never finished."""

from collections.abc import Sequence

import structlog

from everlog.model.ids import TopicName, id_text
from service.coordination.controller_term import ControllerTerm, MetadataConflictError
from service.coordination.image_reading import read_topic_nodes
from service.coordination.metadata_store import Delete, MetadataStore, NodeError, NoNodeError
from service.coordination.znodes import DELETED_TOPICS, PARTITIONS, TIER, TOPICS
from service.model.cluster import TopicImage

_log = structlog.get_logger(__name__)

DELETES_MAX = 512
"""Nodes removed in one transaction."""

ATTEMPTS_MAX = 5
"""How often nodes that somebody still writes to are read again."""


async def sweep(store: MetadataStore, term: ControllerTerm) -> None:
    """Remove all that belongs to no topic.

    What a deleted topic leaves stays until its objects are collected, and so does any tier that
    points at objects.

    Raises:
        ControllerMovedError: The term is over.
        MetadataConflictError: Somebody keeps writing to the nodes.
    """
    for root in (PARTITIONS, TIER):
        # Listed before the topics are read, or else one that is just made would be a stranger.
        found = set(await store.children(root))
        names = [TopicName(name) for name in await store.children(TOPICS)]
        topics = await read_topic_nodes(store, names)
        found -= {id_text(topic.topic_id) for topic in topics.values()}
        found -= set(await store.children(DELETED_TOPICS))
        for topic_id in sorted(found):
            await _remove_topic(store, term, root, topic_id)


async def remove_surplus(store: MetadataStore, term: ControllerTerm, topic: TopicImage) -> None:
    """Remove what an unfinished enlargement has left above a topic's partition count.

    Raises:
        ControllerMovedError: The term is over.
        MetadataConflictError: Somebody keeps writing to the nodes.
    """
    for root in (PARTITIONS, TIER):
        parent = f"{root}/{id_text(topic.topic_id)}"
        count = len(topic.partitions)
        names = [name for name in await store.children(parent) if int(name) >= count]
        await _remove(store, term, [f"{parent}/{name}" for name in names])


async def _remove_topic(
    store: MetadataStore, term: ControllerTerm, root: str, topic_id: str
) -> None:
    parent = f"{root}/{topic_id}"
    try:
        paths = [f"{parent}/{name}" for name in await store.children(parent)]
    except NoNodeError:
        # Whoever collects its objects was faster.
        return
    if root == TIER and await _is_claimed(store, paths):
        # It points at objects, and nothing proves that the topic was deleted.
        _log.warning("tier_without_topic", topic_id=topic_id)
        return
    await _remove(store, term, paths)
    await _remove(store, term, [parent])


async def _is_claimed(store: MetadataStore, paths: Sequence[str]) -> bool:
    return any(node is not None and node[0] for node in await store.get_many(paths))


async def _remove(store: MetadataStore, term: ControllerTerm, paths: Sequence[str]) -> None:
    """Remove nodes and the states below them."""
    per_step = DELETES_MAX // 2
    for first in range(0, len(paths), per_step):
        part = paths[first : first + per_step]
        for _ in range(ATTEMPTS_MAX):
            try:
                await term.write(store, await _deletes(store, part))
                break
            except NodeError:
                # Its leader has written a state since: it does not know yet that the topic is gone.
                continue
        else:
            raise MetadataConflictError(f"{part[0]} keeps changing")


async def _deletes(store: MetadataStore, paths: Sequence[str]) -> list[Delete]:
    each = [path for parent in paths for path in (f"{parent}/state", parent)]
    found = await store.get_many(each)
    return [
        Delete(path, node[1].version)
        for path, node in zip(each, found, strict=True)
        if node is not None
    ]
