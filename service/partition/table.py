"""The partitions that this broker leads, by name and by id."""

from collections.abc import Collection

from everlog.model.ids import PartitionId, TopicId
from service.partition.errors import UnknownPartitionError
from service.partition.partition import Partition


class PartitionTable:
    """Finds the partition that a request is about."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, int], Partition] = {}
        self._by_id: dict[tuple[bytes, int], Partition] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def partitions(self) -> Collection[Partition]:
        """All of them."""
        return self._by_id.values()

    def add(self, partition: Partition) -> None:
        """Serve a partition from now on."""
        self._by_name[partition.topic, partition.index] = partition
        self._by_id[partition.id.topic_id, partition.index] = partition

    def remove(self, partition_id: PartitionId) -> Partition | None:
        """Do not serve a partition any more; return it if it was served."""
        partition = self._by_id.pop((partition_id.topic_id, partition_id.partition), None)
        if partition is not None:
            # A topic that was recreated under the same name may be served already.
            key = (partition.topic, partition.index)
            if self._by_name.get(key) is partition:
                del self._by_name[key]
        return partition

    def by_name(self, topic: str, index: int) -> Partition | None:
        """Return the partition of that name, if it is served here."""
        return self._by_name.get((topic, index))

    def by_id(self, topic_id: bytes, index: int) -> Partition | None:
        """Return the partition of the topic with that id, if it is served here."""
        return self._by_id.get((topic_id, index))

    def led(self, topic: str, index: int) -> Partition:
        """Return the partition of that name.

        Raises:
            UnknownPartitionError: It is not served here.
        """
        found = self._by_name.get((topic, index))
        if found is None:
            raise UnknownPartitionError(f"this broker does not serve {topic}-{index}")
        return found

    def of_topic(self, topic_id: TopicId) -> list[Partition]:
        """Return the served partitions of a topic."""
        return [p for (owner, _), p in self._by_id.items() if owner == topic_id]
