"""The cluster as its metadata has it, read past all brokers and past the disturbed network."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.retry import KazooRetry

from everlog.model.ids import PartitionId, TopicId, TopicName
from service.coordination.payloads import read_state, read_topic, unpack
from service.coordination.znodes import (
    BROKER_IDS,
    CONTROLLER,
    TOPICS,
    partition_path,
    state_path,
    topic_path,
)
from service.model.cluster import PartitionState
from tests.history.operations import Partition

READ_SECONDS_MAX = 30


class ClusterView:
    """Reads the tree."""

    def __init__(self, client: KazooClient, root: str) -> None:
        self._client = client
        self._root = root
        self._topic_ids: dict[str, TopicId] = {}

    def topic_id(self, topic: str) -> TopicId:
        """Return the id of a topic that is never made again."""
        if topic not in self._topic_ids:
            path = topic_path(TopicName(topic))
            content, stat = self._get(path)
            self._topic_ids[topic] = read_topic(unpack(content, path), stat.version).topic_id
        return self._topic_ids[topic]

    def state(self, partition: Partition) -> PartitionState:
        path = state_path(PartitionId(self.topic_id(partition.topic), partition.number))
        content, stat = self._get(path)
        return read_state(unpack(content, path), stat.version)

    def states(self, topic: str) -> Mapping[Partition, PartitionState]:
        """Return the states of all partitions of a topic."""
        first = partition_path(PartitionId(self.topic_id(topic), 0))
        numbers = self._children(first.rpartition("/")[0])
        partitions = [Partition(topic, number) for number in sorted(map(int, numbers))]
        return {each: self.state(each) for each in partitions}

    def topics(self) -> set[str]:
        return set(self._children(TOPICS))

    def registered(self) -> set[int]:
        """Return the brokers that have a session; none before the first has begun."""
        try:
            return {int(each) for each in self._children(BROKER_IDS)}
        except NoNodeError:
            return set()

    def controller(self) -> int | None:
        try:
            content, _ = self._get(CONTROLLER)
        except NoNodeError:
            return None
        return int(unpack(content, CONTROLLER)["broker"])

    def _get(self, path: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return self._client.retry(self._client.get, self._root + path)

    def _children(self, path: str) -> list[str]:
        return list(self._client.retry(self._client.get_children, self._root + path))


UNREADABLE = (KazooException, KazooTimeoutError)
"""What is raised while ZooKeeper does not answer."""


@contextmanager
def cluster_view(addresses: str, root: str) -> Iterator[ClusterView]:
    """Read the tree below a path."""
    retry = KazooRetry(max_tries=-1, max_delay=1, deadline=READ_SECONDS_MAX)
    client = KazooClient(addresses, command_retry=retry, connection_retry=KazooRetry(-1))
    client.start()
    try:
        yield ClusterView(client, root)
    finally:
        client.stop()
        client.close()


def new_root() -> str:
    """Return a path that no other cluster has."""
    return f"/clusters/{uuid.uuid4().hex}"
