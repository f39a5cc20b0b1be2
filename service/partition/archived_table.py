"""The followed topics and their partitions, by name and by id; and all that can be read here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from everlog.model.ids import TopicId, TopicName
from service.partition.archived_partition import ArchivedPartition
from service.partition.errors import UnknownPartitionError
from service.partition.readable import ReadablePartition
from service.partition.table import PartitionTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedTopic:
    """A topic of the followed cluster.

    Attributes:
        config: Its own settings, as its newest record has them.
        partitions: By number, without a gap.
    """

    name: TopicName
    topic_id: TopicId
    config: Mapping[str, str]
    partitions: Sequence[ArchivedPartition]


class ArchivedTable:
    """What is followed.

    Attributes:
        version: Rises with every change of what clients are told of topics.
    """

    def __init__(self) -> None:
        self.version = 0
        self.topics: Mapping[TopicId, ArchivedTopic] = {}
        self._ids: dict[str, TopicId] = {}

    def __len__(self) -> int:
        return sum(len(topic.partitions) for topic in self.topics.values())

    @property
    def partitions(self) -> Iterator[ArchivedPartition]:
        """All of them."""
        for topic in self.topics.values():
            yield from topic.partitions

    def show(self, topics: Iterable[ArchivedTopic]) -> None:
        """Serve these topics from now on, and no others."""
        self.topics = {topic.topic_id: topic for topic in topics}
        self._ids = {topic.name: topic.topic_id for topic in self.topics.values()}
        self.version += 1

    def by_name(self, topic: str, index: int) -> ArchivedPartition | None:
        """Return the partition of that name, if it is served here."""
        topic_id = self._ids.get(topic)
        return None if topic_id is None else self.by_id(topic_id, index)

    def by_id(self, topic_id: bytes, index: int) -> ArchivedPartition | None:
        """Return the partition of the topic with that id, if it is served here."""
        topic = self.topics.get(TopicId(topic_id))
        if topic is None or not 0 <= index < len(topic.partitions):
            return None
        found = topic.partitions[index]
        return found if found.is_found else None


class BothTables:
    """A `ReadableTable`: what this broker leads itself, and what it follows."""

    def __init__(self, led: PartitionTable, followed: ArchivedTable) -> None:
        self._led = led
        self._followed = followed

    def by_name(self, topic: str, index: int) -> ReadablePartition | None:
        """Return the partition of that name, if it is served here."""
        return self._led.by_name(topic, index) or self._followed.by_name(topic, index)

    def by_id(self, topic_id: bytes, index: int) -> ReadablePartition | None:
        """Return the partition of the topic with that id, if it is served here."""
        return self._led.by_id(topic_id, index) or self._followed.by_id(topic_id, index)

    def led(self, topic: str, index: int) -> ReadablePartition:
        """Return the partition of that name.

        Raises:
            UnknownPartitionError: It is not served here.
        """
        found = self.by_name(topic, index)
        if found is None:
            raise UnknownPartitionError(f"this broker does not serve {topic}-{index}")
        return found
