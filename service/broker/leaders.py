"""Who leads what is not led here; told with the error, so that clients need not ask (KIP-951)."""

from collections.abc import Iterable
from typing import NamedTuple

from everlog.model.errors import EverlogError
from everlog.model.ids import NO_TOPIC_ID, TopicId, TopicName
from service.broker.metadata_view import Images
from service.model.cluster import Broker, PartitionState, TopicImage
from service.partition.errors import NotLeaderError, UnknownPartitionError, UnknownTopicIdError


class Leader(NamedTuple):
    """Who leads a partition, and in which term."""

    node_id: int
    epoch: int


class Leaders:
    """Answers from the newest image."""

    def __init__(self, *, images: Images) -> None:
        self._images = images

    def why_not_served(self, topic: str | None, topic_id: bytes, index: int) -> EverlogError:
        """Return the error for a partition that is not served here: led elsewhere, or unknown.

        Args:
            topic: The name that the request gave; None or empty when it went by id.
            topic_id: The id that it gave.
            index: Number of the partition.
        """
        found = self._topic(topic, topic_id)
        if found is None and topic_id != NO_TOPIC_ID:
            return UnknownTopicIdError("no topic with that id is known here")
        name = topic if found is None else found.name
        if found is None or _state(found, index) is None:
            return UnknownPartitionError(f"{name}-{index} does not exist")
        return NotLeaderError(f"this broker does not lead {name}-{index}")

    def leader_of(self, topic: str | None, topic_id: bytes, index: int) -> Leader | None:
        """Return who leads a partition, if anybody does."""
        found = self._topic(topic, topic_id)
        state = None if found is None else _state(found, index)
        if state is None or state.leader is None:
            return None
        return Leader(state.leader, state.leader_epoch)

    def brokers(self, nodes: Iterable[int]) -> list[Broker]:
        """Return those of the brokers that are registered at the moment, each once."""
        wanted = set(nodes)
        return [broker for broker in self._images().brokers.values() if broker.id in wanted]

    def _topic(self, topic: str | None, topic_id: bytes) -> TopicImage | None:
        image = self._images()
        return image.topic(TopicName(topic)) if topic else image.topic_by_id(TopicId(topic_id))


def _state(topic: TopicImage, index: int) -> PartitionState | None:
    return topic.partitions[index] if 0 <= index < len(topic.partitions) else None
