"""How a change to a topic is written: the operations, and what is published with them.

A topic of up to `CHANGE_PARTITIONS_MAX` partitions appears in one transaction. A larger one's
partitions are written first, unseen, and the node that names the topic, or counts its partitions,
makes them all visible at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from everlog.model.ids import PartitionId, TopicId
from service.coordination.changes import (
    CHANGE_PARTITIONS_MAX,
    Edit,
    PartitionChange,
    TopicChange,
    TopicDeletion,
    encode_row,
)
from service.coordination.metadata_store import Create, Delete, Op, Set
from service.coordination.payloads import (
    DeletedTopic,
    TopicNode,
    deleted_topic_payload,
    pack,
    state_payload,
    topic_payload,
)
from service.coordination.znodes import (
    deleted_topic_path,
    partition_path,
    partitions_path,
    state_path,
    tier_path,
    tiers_path,
    topic_path,
)
from service.model.cluster import PartitionState, TopicImage


def creation(topic: TopicImage) -> tuple[list[Edit], Edit]:
    """Return what to write unseen, one transaction each, and the edit that shows the topic."""
    parents = (Create(partitions_path(topic.topic_id)), Create(tiers_path(topic.topic_id)))
    node = node_of(topic)
    named = Create(topic_path(topic.name), pack(topic_payload(node)))
    row = encode_row(TopicChange(topic.name, node))
    return _appearance(topic.topic_id, 0, topic.partitions, (*parents,), (named, row))


def growth(topic: TopicImage, added: Sequence[PartitionState]) -> tuple[list[Edit], Edit]:
    """Return what to write unseen, one transaction each, and the edit that enlarges the topic."""
    held = len(topic.partitions)
    node = replace(node_of(topic), partitions=held + len(added), version=topic.version + 1)
    counted = Set(topic_path(topic.name), pack(topic_payload(node)), topic.version)
    row = encode_row(TopicChange(topic.name, node))
    return _appearance(topic.topic_id, held, added, (), (counted, row))


def configuration(topic: TopicImage, config: Mapping[str, str]) -> Edit:
    """Return the edit that gives a topic other settings of its own."""
    node = replace(node_of(topic), config=config, version=topic.version + 1)
    written = Set(topic_path(topic.name), pack(topic_payload(node)), topic.version)
    return Edit((written,), (encode_row(TopicChange(topic.name, node)),))


def deletion(topic: TopicImage, *, deleted_ms: int) -> Edit:
    """Return the edit by which a topic disappears; its partitions' nodes stay behind, unseen."""
    proof = DeletedTopic(
        topic_id=topic.topic_id,
        name=topic.name,
        partitions=len(topic.partitions),
        deleted_ms=deleted_ms,
        version=0,
        config=topic.config,
        revision=topic.revision,
        extra=topic.extra,
    )
    ops = (
        Delete(topic_path(topic.name), topic.version),
        Create(deleted_topic_path(topic.topic_id), pack(deleted_topic_payload(proof))),
    )
    row = TopicDeletion(topic.name, topic.topic_id, topic.revision)
    return Edit(ops, (encode_row(row),))


def undeletion(topic: TopicImage, proof: DeletedTopic) -> tuple[list[Edit], Edit]:
    """Return what to write unseen, one transaction each, and the edit that brings a topic back.

    The proof of the deletion goes with the very transaction that shows the topic, if it still has
    the version that was read: either the topic is back, or its objects may be removed.

    Args:
        topic: As it will be; its states are one version above those that are stored.
        proof: As it was read.
    """
    node = node_of(topic)
    ops = (
        Delete(deleted_topic_path(topic.topic_id), proof.version),
        Create(topic_path(topic.name), pack(topic_payload(node))),
    )
    row = encode_row(TopicChange(topic.name, node))
    edits = [
        new_state(PartitionId(topic.topic_id, number), state)
        for number, state in enumerate(topic.partitions)
    ]
    if len(edits) <= CHANGE_PARTITIONS_MAX:
        sets = tuple(op for edit in edits for op in edit.ops)
        rows = tuple(row for edit in edits for row in edit.rows)
        return [], Edit((*sets, *ops), (row, *rows), partitions=len(edits))
    return list(_merged(edits)), Edit(ops, (row,))


def new_state(partition: PartitionId, state: PartitionState) -> Edit:
    """Return the edit that replaces a partition's state, if it still has the version before."""
    written = Set(state_path(partition), pack(state_payload(state)), state.version - 1)
    return Edit((written,), (encode_row(PartitionChange(partition, state)),))


def node_of(topic: TopicImage) -> TopicNode:
    """Return the part of a topic that its own node holds."""
    return TopicNode(
        topic_id=topic.topic_id,
        config=topic.config,
        partitions=len(topic.partitions),
        version=topic.version,
        versions_before=topic.versions_before,
        extra=topic.extra,
    )


def _appearance(
    topic_id: TopicId,
    first: int,
    states: Sequence[PartitionState],
    before: tuple[Op, ...],
    shown: tuple[Op, bytes],
) -> tuple[list[Edit], Edit]:
    op, row = shown
    numbered = [(PartitionId(topic_id, n), state) for n, state in enumerate(states, first)]
    if len(states) <= CHANGE_PARTITIONS_MAX:
        rows = (encode_row(PartitionChange(*each)) for each in numbered)
        ops = (*before, *_created(numbered), op)
        return [], Edit(ops, (row, *rows), partitions=len(states))
    unseen = [
        Edit(tuple(_created(numbered[start : start + CHANGE_PARTITIONS_MAX])), ())
        for start in range(0, len(numbered), CHANGE_PARTITIONS_MAX)
    ]
    unseen[0] = replace(unseen[0], ops=(*before, *unseen[0].ops))
    return unseen, Edit((op,), (row,))


def _merged(edits: Sequence[Edit]) -> Iterator[Edit]:
    for first in range(0, len(edits), CHANGE_PARTITIONS_MAX):
        part = edits[first : first + CHANGE_PARTITIONS_MAX]
        yield Edit(tuple(op for edit in part for op in edit.ops), ())


def _created(numbered: Sequence[tuple[PartitionId, PartitionState]]) -> Iterator[Op]:
    for partition, state in numbered:
        yield Create(partition_path(partition))
        yield Create(state_path(partition), pack(state_payload(state)))
        yield Create(tier_path(partition))
