"""From one image of the cluster to the next: apply what was published, in its order.

A change may be older than the image, since the image was read after the number to follow from was
noted. Versions tell: only newer ones count. A topic that is created again has another id, and its
own versions; one that is brought back from deletion has greater revisions than ever before.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from everlog.model.ids import PartitionId, TopicId, TopicName
from service.coordination.changes import (
    BrokerChange,
    BrokerConfigChange,
    Change,
    PartitionChange,
    TopicChange,
    TopicDeletion,
)
from service.coordination.payloads import TopicNode
from service.model.cluster import Broker, ClusterImage, PartitionState, TopicImage

States = Mapping[PartitionId, PartitionState]


def published_states(changes: Iterable[Change]) -> dict[PartitionId, PartitionState]:
    """Return the newest state of each partition that the changes speak of."""
    states: dict[PartitionId, PartitionState] = {}
    for change in changes:
        if isinstance(change, PartitionChange):
            held = states.get(change.partition)
            if held is None or change.state.version > held.version:
                states[change.partition] = change.state
    return states


def states_to_read(
    image: ClusterImage, changes: Iterable[Change], states: States
) -> list[PartitionId]:
    """Return the partitions of new or grown topics that neither the image nor ``states`` knows.

    A topic of many partitions is published without their states.
    """
    missing: dict[PartitionId, None] = {}
    for change in changes:
        if isinstance(change, TopicChange):
            held = _held_partitions(image, change.node)
            for number in range(held, change.node.partitions):
                partition = PartitionId(change.node.topic_id, number)
                if partition not in states:
                    missing[partition] = None
    return list(missing)


def touched_topics(image: ClusterImage, changes: Iterable[Change]) -> set[TopicName]:
    """Return the topics that may differ once the changes are applied to ``image``."""
    names: set[TopicName] = set()
    for change in changes:
        if isinstance(change, TopicChange | TopicDeletion):
            names.add(change.name)
        elif isinstance(change, PartitionChange):
            name = image.names.get(change.partition.topic_id)
            if name is not None:
                names.add(name)
    return names


def apply_changes(image: ClusterImage, changes: Sequence[Change], states: States) -> ClusterImage:
    """Return the image after the changes, which are in their published order.

    Args:
        image: What was known before.
        changes: What was published since.
        states: The newest states of the partitions concerned, published or read.
    """
    draft = _Draft(image, states)
    for change in changes:
        draft.apply(change)
    return draft.finish()


def topic_image(name: TopicName, node: TopicNode, states: States) -> TopicImage | None:
    """Put a topic together; None while a state is missing, because the topic is being deleted."""
    partitions = [states.get(PartitionId(node.topic_id, n)) for n in range(node.partitions)]
    found = tuple(state for state in partitions if state is not None)
    if len(found) != node.partitions:
        return None
    return TopicImage(
        name=name,
        topic_id=node.topic_id,
        config=node.config,
        partitions=found,
        version=node.version,
        versions_before=node.versions_before,
        extra=node.extra,
    )


def _held_partitions(image: ClusterImage, node: TopicNode) -> int:
    topic = image.topic_by_id(node.topic_id)
    if topic is None or topic.revision < node.versions_before:
        return 0  # since it came back its partitions have new states
    return len(topic.partitions)


class _Draft:
    """The image while it changes."""

    def __init__(self, image: ClusterImage, states: States) -> None:
        self._image = image
        self._states = states
        self._topics = dict(image.topics)
        self._names = dict(image.names)
        self._configs = image.broker_configs
        self._brokers = image.brokers

    def apply(self, change: Change) -> None:
        """Take over one change but for the states, which are taken together in the end."""
        match change:
            case TopicChange():
                self._put_topic(change)
            case TopicDeletion():
                held = self._held(change.topic_id)
                if held is not None and held.revision <= change.revision:
                    del self._names[held.topic_id], self._topics[held.name]
            case BrokerConfigChange():
                self._configs = {**self._configs, change.broker_id: change.config}
            case BrokerChange():
                self._put_broker(change.broker)
            case PartitionChange():
                pass

    def finish(self) -> ClusterImage:
        """Return the image with all states that are newer than its own."""
        for topic_id, newer in _by_topic(self._states).items():
            name = self._names.get(topic_id)
            if name is not None:
                self._topics[name] = _with_states(self._topics[name], newer)
        return replace(
            self._image,
            topics=self._topics,
            names=self._names,
            broker_configs=self._configs,
            brokers=self._brokers,
        )

    def _put_broker(self, broker: Broker) -> None:
        held = self._brokers.get(broker.id)
        # Who has gone, or has registered again, is read from the registrations alone.
        if held is not None and held.epoch == broker.epoch:
            self._brokers = {**self._brokers, broker.id: broker}

    def _held(self, topic_id: TopicId) -> TopicImage | None:
        name = self._names.get(topic_id)
        return None if name is None else self._topics[name]

    def _put_topic(self, change: TopicChange) -> None:
        node = change.node
        same = self._held(node.topic_id)
        if same is not None and node.revision <= same.revision:
            return
        before = self._image.topic_by_id(node.topic_id)
        partitions = enumerate(before.partitions) if before is not None else ()
        known = {PartitionId(node.topic_id, n): state for n, state in partitions}
        topic = topic_image(change.name, node, {**self._states, **known} if known else self._states)
        if topic is None:
            return
        if same is not None:
            del self._topics[same.name]  # it may have come back under another name
        if (held := self._topics.get(change.name)) is not None:
            self._names.pop(held.topic_id, None)
        self._topics[change.name] = topic
        self._names[topic.topic_id] = change.name


def _by_topic(states: States) -> dict[TopicId, dict[int, PartitionState]]:
    grouped: defaultdict[TopicId, dict[int, PartitionState]] = defaultdict(dict)
    for partition, state in states.items():
        grouped[partition.topic_id][partition.partition] = state
    return grouped


def _with_states(topic: TopicImage, newer: Mapping[int, PartitionState]) -> TopicImage:
    partitions = list(topic.partitions)
    is_changed = False
    for number, state in newer.items():
        if number < len(partitions) and state.version > partitions[number].version:
            partitions[number] = state
            is_changed = True
    return replace(topic, partitions=tuple(partitions)) if is_changed else topic
