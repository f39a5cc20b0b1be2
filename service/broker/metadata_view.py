"""What clients may see of the cluster: images turned into the words of the Metadata response."""

from collections.abc import Callable, Mapping
from typing import Protocol

from everlog.model.ids import NO_TOPIC_ID, NodeId, TopicName
from service.model.cluster import INTERNAL_TOPICS, Broker, ClusterImage, PartitionState, TopicImage
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.metadata import (
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

NO_NODE = -1

Images = Callable[[], ClusterImage]
"""Gives the newest image."""


class TopicCreation(Protocol):
    """Creates a topic because somebody has asked for it."""

    async def create(self, name: TopicName) -> ErrorCode:
        """Create the topic with the broker's defaults; say what to answer."""
        ...


def visible_brokers(image: ClusterImage, listener: str) -> list[MetadataResponseBroker]:
    """Return the brokers as clients of a listener reach them."""
    found = []
    for broker in image.brokers.values():
        endpoint = broker.endpoint(listener)
        if endpoint is not None:
            found.append(
                MetadataResponseBroker(
                    node_id=broker.id, host=endpoint.host, port=endpoint.port, rack=broker.rack
                )
            )
    return found


def controller_of(image: ClusterImage) -> int:
    """Return the node to which clients send administrative requests: any broker serves them."""
    if image.controller_id in image.brokers:
        return image.controller_id or 0
    return next(iter(image.brokers), NodeId(NO_NODE))


def visible_topic(image: ClusterImage, topic: TopicImage) -> MetadataResponseTopic:
    """Describe a topic that exists."""
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.name in INTERNAL_TOPICS,
        partitions=[
            _visible_partition(image.brokers, index, state)
            for index, state in enumerate(topic.partitions)
        ],
    )


def missing_topic(
    code: ErrorCode, *, name: str | None, topic_id: bytes = NO_TOPIC_ID
) -> MetadataResponseTopic:
    """Describe a topic that was asked for and cannot be shown."""
    return MetadataResponseTopic(
        error_code=code, name=name, topic_id=topic_id, is_internal=name in INTERNAL_TOPICS
    )


def _visible_partition(
    alive: Mapping[NodeId, Broker], index: int, state: PartitionState
) -> MetadataResponsePartition:
    leader = state.leader
    return MetadataResponsePartition(
        error_code=ErrorCode.NONE if leader is not None else ErrorCode.LEADER_NOT_AVAILABLE,
        partition_index=index,
        leader_id=NO_NODE if leader is None else leader,
        leader_epoch=state.leader_epoch,
        replica_nodes=list(state.replicas),
        isr_nodes=list(state.isr),
        offline_replicas=[node for node in state.replicas if node not in alive],
    )
