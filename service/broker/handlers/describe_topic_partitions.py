"""DescribeTopicPartitions: topics in pages of partitions (KIP-966)."""

from collections.abc import Iterator

from everlog.model.ids import TopicName
from service.broker.context import RequestContext
from service.broker.metadata_view import Images, visible_topic
from service.model.cluster import ClusterImage, TopicImage
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

PARTITIONS_MAX = 2000
"""Partitions of one page (Kafka's ``max.request.partition.size.limit``)."""


class DescribeTopicPartitionsHandler:
    """Answers from the newest image, topics by name."""

    def __init__(self, *, images: Images) -> None:
        self._images = images

    def __call__(
        self, context: RequestContext, request: DescribeTopicPartitionsRequest
    ) -> DescribeTopicPartitionsResponse:
        del context
        image = self._images()
        left = max(1, min(request.response_partition_limit, PARTITIONS_MAX))
        response = DescribeTopicPartitionsResponse()
        for name, first in _wanted(image, request):
            topic = image.topic(TopicName(name))
            if topic is None:
                response.topics.append(
                    DescribeTopicPartitionsResponseTopic(
                        error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name
                    )
                )
                continue
            if left == 0:
                response.next_cursor = Cursor(topic_name=name, partition_index=first)
                return response
            end = min(first + left, len(topic.partitions))
            response.topics.append(_described(image, topic, first, end))
            left -= end - first
            if end < len(topic.partitions):
                response.next_cursor = Cursor(topic_name=name, partition_index=end)
                return response
        return response


def _wanted(
    image: ClusterImage, request: DescribeTopicPartitionsRequest
) -> Iterator[tuple[str, int]]:
    """Yield each topic and the partition to begin with, from the cursor on."""
    names = sorted({each.name for each in request.topics} or image.topics.keys())
    cursor = request.cursor
    for name in names:
        if cursor is None or name > cursor.topic_name:
            yield name, 0
        elif name == cursor.topic_name:
            yield name, max(0, cursor.partition_index)


def _described(
    image: ClusterImage, topic: TopicImage, first: int, end: int
) -> DescribeTopicPartitionsResponseTopic:
    seen = visible_topic(image, topic)
    return DescribeTopicPartitionsResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=seen.is_internal,
        partitions=[
            DescribeTopicPartitionsResponsePartition(
                error_code=each.error_code,
                partition_index=each.partition_index,
                leader_id=each.leader_id,
                leader_epoch=each.leader_epoch,
                replica_nodes=each.replica_nodes,
                isr_nodes=each.isr_nodes,
                eligible_leader_replicas=list(topic.partitions[each.partition_index].elr),
                last_known_elr=[],
                offline_replicas=each.offline_replicas,
            )
            for each in seen.partitions[first:end]
        ],
    )
