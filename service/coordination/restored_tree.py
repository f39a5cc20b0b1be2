"""Writes the metadata tree of a cluster that is restored, into a store that has none yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from everlog.format.pointer import encode_pointer, unclaimed
from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.coordination.archive_record import ArchiveRecord, create_archive_record
from service.coordination.changes import Edit, batches
from service.coordination.clone_pins import Cloned
from service.coordination.elections import NO_BROKER_EPOCH
from service.coordination.metadata_store import Create, MetadataStore, Op
from service.coordination.payloads import DeletedTopic, deleted_topic_payload, pack
from service.coordination.topic_edits import creation
from service.coordination.tree_layout import lay_out_tree
from service.coordination.znodes import (
    CLUSTER_ID,
    PRODUCER_IDS,
    broker_config_path,
    deleted_topic_path,
    tier_path,
    tiers_path,
)
from service.model.cluster import PartitionState, TopicImage

PRODUCER_IDS_PER_OWNER = 1 << 40
"""Producer ids that a cluster may have given out before its store was restored from.

Snapshots of producers in the archive know their ids, and so do clients: a new producer must not
get one of those, or its first records would be taken for repetitions.
"""

CREATES_MAX = 512
"""Nodes of a deleted topic that are written in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredPartition:
    """A partition without a leader.

    Attributes:
        epoch: The least leader epoch; the first election is above it.
        pointer: Of its tier, as tiering writes it; empty without one.
    """

    epoch: LeaderEpoch
    pointer: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredTopic:
    """A topic to write down; ``extra`` are keys written by a newer version."""

    name: TopicName
    topic_id: TopicId
    config: Mapping[str, str]
    partitions: Sequence[RestoredPartition]
    extra: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredClones:
    """What clones need of other topics, and what goes once its grace is over and none does.

    Attributes:
        pins: Those that the cluster had, all of them.
        deleted: Topics that were deleted, and of which there may be objects.
    """

    pins: Sequence[Cloned] = ()
    deleted: Sequence[DeletedTopic] = ()


NO_CLONES = RestoredClones()


async def write_restored_tree(
    store: MetadataStore,
    *,
    cluster_id: str,
    topics: Sequence[RestoredTopic],
    archive: ArchiveRecord,
    owner: int,
    broker_id: NodeId,
    settings: Mapping[NodeId | None, Mapping[str, str]],
    clones: RestoredClones = NO_CLONES,
) -> None:
    """Write everything; the cluster's id comes last, and makes it a tree that a broker joins.

    Args:
        store: Its tree is empty.
        cluster_id: As the names of the objects have it.
        topics: What to write.
        archive: The store, and the id by which it knows its owner.
        owner: Number of that owner.
        broker_id: Has all partitions.
        settings: Dynamic ones of brokers; under None those for all.
        clones: What has to stay for clones, and what has been deleted.

    Raises:
        NodeError: The tree is not empty.
        ConnectionLostError: How much is written is unknown.
    """
    await lay_out_tree(store)
    first = pack({"next": owner * PRODUCER_IDS_PER_OWNER, "broker": None})
    await store.set(PRODUCER_IDS, first, version=0)
    for ops in _transactions(topics, broker_id):
        await store.multi(ops)
    for each, config in settings.items():
        await store.create(broker_config_path(each), pack({"config": dict(config)}))
    for pins in clones.pins:
        await store.multi([pins.creation])
    for deleted in clones.deleted:
        for ops in _deleted(deleted):
            await store.multi(ops)
    await create_archive_record(store, archive)
    await store.create(CLUSTER_ID, pack({"id": cluster_id}))


def _transactions(topics: Sequence[RestoredTopic], broker_id: NodeId) -> Iterator[list[Op]]:
    """Yield what is written together; nobody reads the tree meanwhile, so nothing is published."""
    shown: list[Edit] = []
    for topic in topics:
        unseen, edit = creation(_image(topic, broker_id))
        pointers = {
            tier_path(PartitionId(topic.topic_id, number)): each.pointer
            for number, each in enumerate(topic.partitions)
        }
        yield from (_pointed(each, pointers) for each in unseen)
        shown.append(replace(edit, ops=tuple(_pointed(edit, pointers))))
    for batch in batches(shown):
        yield [op for each in batch for op in each.ops]


def _deleted(topic: DeletedTopic) -> Iterator[list[Op]]:
    """Yield what lets the objects of a deleted topic be collected."""
    yield [
        Create(deleted_topic_path(topic.topic_id), pack(deleted_topic_payload(topic))),
        Create(tiers_path(topic.topic_id)),
    ]
    claimed = encode_pointer(unclaimed(Offset(0)))
    paths = [tier_path(PartitionId(topic.topic_id, n)) for n in range(topic.partitions)]
    for first in range(0, len(paths), CREATES_MAX):
        yield [Create(path, claimed) for path in paths[first : first + CREATES_MAX]]


def _pointed(edit: Edit, pointers: Mapping[str, bytes]) -> list[Op]:
    return [
        replace(op, data=pointers[op.path])
        if isinstance(op, Create) and op.path in pointers
        else op
        for op in edit.ops
    ]


def _image(topic: RestoredTopic, broker_id: NodeId) -> TopicImage:
    states = tuple(
        PartitionState(
            replicas=(broker_id,),
            leader=None,
            leader_epoch=each.epoch,
            leader_broker_epoch=NO_BROKER_EPOCH,
            isr=(broker_id,),
            controller_epoch=0,
            version=0,
        )
        for each in topic.partitions
    )
    return TopicImage(
        name=topic.name,
        topic_id=topic.topic_id,
        config=topic.config,
        partitions=states,
        version=0,
        extra=topic.extra,
    )
