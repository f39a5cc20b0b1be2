"""The topics that are gone and whose tier may not be yet: for whoever collects objects.

A topic's tier pointers outlive it, so that a collector can prove which objects are dead; what has
no proof of deletion is never collected.
"""

from everlog.model.ids import PartitionId, TopicId, id_bytes
from service.coordination.metadata_store import Delete, MetadataStore
from service.coordination.payloads import DeletedTopic, read_deleted_topic, unpack
from service.coordination.znodes import (
    DELETED_TOPICS,
    deleted_topic_path,
    tier_path,
    tiers_path,
)

_STEP = 512


async def list_deleted_topics(store: MetadataStore) -> list[DeletedTopic]:
    """Return the deleted topics that have not been forgotten."""
    ids = [TopicId(id_bytes(name)) for name in await store.children(DELETED_TOPICS)]
    paths = [deleted_topic_path(topic_id) for topic_id in ids]
    return [
        read_deleted_topic(unpack(found[0], path), topic_id, found[1].version)
        for topic_id, path, found in zip(ids, paths, await store.get_many(paths), strict=True)
        if found is not None
    ]


async def forget_deleted_topic(store: MetadataStore, topic: DeletedTopic) -> None:
    """Remove a deleted topic's tier pointers and then the proof; only once its last object is gone.

    Safe to repeat after any error.

    Raises:
        NodeError: Somebody else is at it, or still moves a pointer.
    """
    pointers = [tier_path(PartitionId(topic.topic_id, n)) for n in range(topic.partitions)]
    for first in range(0, len(pointers), _STEP):
        await _delete(store, pointers[first : first + _STEP])
    await _delete(store, [tiers_path(topic.topic_id), deleted_topic_path(topic.topic_id)])


async def _delete(store: MetadataStore, paths: list[str]) -> None:
    found = await store.get_many(paths)
    await store.multi(
        [
            Delete(path, node[1].version)
            for path, node in zip(paths, found, strict=True)
            if node is not None
        ]
    )
