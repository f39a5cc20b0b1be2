"""The topics that are gone and whose tier may not be yet: for whoever collects objects.

A topic's tier pointers outlive it, so that a collector can prove which objects are dead; what has
no proof of deletion is never collected. Its partitions' states outlive it, too, since it may come
back, in terms above all that were. Either it comes back or it is swept: the proof, by its version,
decides which.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from everlog.model.ids import PartitionId, TopicId, id_bytes
from service.coordination.image_reading import read_states
from service.coordination.metadata_store import (
    Delete,
    MetadataStore,
    NoNodeError,
)
from service.coordination.payloads import (
    DELETED_FORMAT,
    DeletedTopic,
    deleted_topic_payload,
    pack,
    read_deleted_topic,
    unpack,
)
from service.coordination.znodes import (
    DELETED_TOPICS,
    deleted_topic_path,
    partitions_path,
    tier_path,
    tiers_path,
)
from service.model.cluster import PartitionState

_STEP = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What is left of a deleted topic.

    Attributes:
        states: As they were last; those that are gone are not there.
        has_archive: Whether its tier was ever claimed.
    """

    proof: DeletedTopic
    states: Mapping[int, PartitionState]
    has_archive: bool


async def list_deleted_topics(store: MetadataStore) -> list[DeletedTopic]:
    """Return the deleted topics that have not been forgotten."""
    ids = [TopicId(id_bytes(name)) for name in await store.children(DELETED_TOPICS)]
    found = await _read_proofs(store, ids)
    return [each for each in found if each is not None]


async def read_remains(store: MetadataStore, ids: Iterable[TopicId]) -> dict[TopicId, Remains]:
    """Return what is left of topics; those that are not deleted, or forgotten, are not there."""
    found: dict[TopicId, Remains] = {}
    for proof in await _read_proofs(store, list(ids)):
        if proof is None:
            continue
        numbers = range(proof.partitions)
        partitions = [PartitionId(proof.topic_id, number) for number in numbers]
        states = await read_states(store, partitions)
        pointers = await store.get_many([tier_path(each) for each in partitions])
        found[proof.topic_id] = Remains(
            proof=proof,
            states={partition.partition: state for partition, state in states.items()},
            has_archive=any(node is not None and node[0] for node in pointers),
        )
    return found


async def begin_sweep(store: MetadataStore, topic: DeletedTopic) -> DeletedTopic:
    """Make it impossible that a topic comes back; before the first of its objects goes.

    Raises:
        NodeError: It has come back, or another broker has begun: read the deleted topics again.
        ConnectionLostError: Whether it was done is unknown; it is safe to repeat.
    """
    if topic.is_sweeping:
        return topic
    begun = replace(topic, is_sweeping=True)
    payload = pack(deleted_topic_payload(begun))
    stat = await store.set(deleted_topic_path(topic.topic_id), payload, version=topic.version)
    return replace(begun, version=stat.version)


async def forget_deleted_topic(store: MetadataStore, topic: DeletedTopic) -> None:
    """Remove a deleted topic's nodes and then the proof; only once its last object is gone.

    Safe to repeat after any error.

    Raises:
        NodeError: Somebody else is at it, or still moves a pointer.
    """
    assert topic.is_sweeping, "it could come back"
    partitions = await _below(store, partitions_path(topic.topic_id))
    await _delete(store, [f"{path}/state" for path in partitions])
    for parent in (partitions_path(topic.topic_id), tiers_path(topic.topic_id)):
        await _delete(store, await _below(store, parent))
        await _delete(store, [parent])
    await _delete(store, [deleted_topic_path(topic.topic_id)])


async def _below(store: MetadataStore, parent: str) -> list[str]:
    try:
        return [f"{parent}/{name}" for name in await store.children(parent)]
    except NoNodeError:
        return []


async def _read_proofs(store: MetadataStore, ids: Sequence[TopicId]) -> list[DeletedTopic | None]:
    paths = [deleted_topic_path(topic_id) for topic_id in ids]
    return [
        None
        if found is None
        else read_deleted_topic(
            unpack(found[0], path, format_max=DELETED_FORMAT), topic_id, found[1].version
        )
        for topic_id, path, found in zip(ids, paths, await store.get_many(paths), strict=True)
    ]


async def _delete(store: MetadataStore, paths: Sequence[str]) -> None:
    for first in range(0, len(paths), _STEP):
        some = paths[first : first + _STEP]
        found = await store.get_many(some)
        await store.multi(
            [
                Delete(path, node[1].version)
                for path, node in zip(some, found, strict=True)
                if node is not None
            ]
        )
