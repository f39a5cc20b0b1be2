"""The offsets that one group has committed, as far as they are durable."""

from collections import Counter
from collections.abc import Iterator, Mapping

from everlog.model.ids import TopicName
from service.groups.offset_record import CommittedOffset

Place = tuple[TopicName, int]
"""A topic and a partition of it."""


class GroupOffsets:
    """Committed offsets by topic and partition.

    Attributes:
        in_flight: Commits that are being written, by place. What is in flight is neither served nor
            expired, but it is there when a group is deleted.
    """

    __slots__ = ("_by_topic", "in_flight")

    def __init__(self) -> None:
        self._by_topic: dict[TopicName, dict[int, CommittedOffset]] = {}
        self.in_flight: Counter[Place] = Counter()

    def __iter__(self) -> Iterator[tuple[Place, CommittedOffset]]:
        for topic, partitions in self._by_topic.items():
            for partition, committed in partitions.items():
                yield (topic, partition), committed

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing, nor anything under way."""
        return not self._by_topic and not self.in_flight

    @property
    def count(self) -> int:
        """How many offsets are committed."""
        return sum(map(len, self._by_topic.values()))

    @property
    def topics(self) -> Mapping[TopicName, Mapping[int, CommittedOffset]]:
        """Everything, by topic and partition."""
        return self._by_topic

    def get(self, topic: TopicName, partition: int) -> CommittedOffset | None:
        """Return what is committed, if anything is."""
        partitions = self._by_topic.get(topic)
        return None if partitions is None else partitions.get(partition)

    def put(self, place: Place, committed: CommittedOffset) -> None:
        """Replace what is committed."""
        topic, partition = place
        self._by_topic.setdefault(topic, {})[partition] = committed

    def remove(self, place: Place) -> None:
        """Forget what is committed, if anything is."""
        topic, partition = place
        partitions = self._by_topic.get(topic)
        if partitions is None:
            return
        partitions.pop(partition, None)
        if not partitions:
            del self._by_topic[topic]

    def started(self, place: Place) -> None:
        """Note that a commit is being written."""
        self.in_flight[place] += 1

    def ended(self, place: Place) -> None:
        """Note that a commit is written, or has failed."""
        self.in_flight[place] -= 1
        if not self.in_flight[place]:
            del self.in_flight[place]

    def places(self) -> list[Place]:
        """Return all places that have an offset, or are about to have one."""
        return list(dict.fromkeys([*(place for place, _ in self), *self.in_flight]))
