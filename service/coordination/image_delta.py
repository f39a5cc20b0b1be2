"""What differs between two images of the cluster."""

from collections.abc import Iterable
from dataclasses import dataclass

from everlog.model.ids import NodeId, PartitionId, TopicName
from service.model.cluster import ClusterImage, PartitionState, TopicImage


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionUpdate:
    """One partition that is new, or whose state is.

    Attributes:
        before: None for a new partition.
    """

    topic: TopicName
    partition: PartitionId
    before: PartitionState | None
    after: PartitionState


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDelta:
    """What has changed from one image to the next.

    A topic that was deleted and created again between the two is in both lists.

    Attributes:
        topics_created: As they are now.
        topics_deleted: As they were.
        topics_changed: As they are now: another config, or more partitions.
        partitions: New and changed ones, those of created topics included, those of deleted not.
        brokers_changed: Whether a broker came, went, registered again, or began to drain.
        controller_changed: Whether another broker is the controller now.
        configs_changed: Whose dynamic settings changed; None stands for everybody's.
    """

    before: ClusterImage
    image: ClusterImage
    topics_created: tuple[TopicImage, ...]
    topics_deleted: tuple[TopicImage, ...]
    topics_changed: tuple[TopicImage, ...]
    partitions: tuple[PartitionUpdate, ...]
    brokers_changed: bool
    controller_changed: bool
    configs_changed: frozenset[NodeId | None]

    @property
    def is_empty(self) -> bool:
        """Whether the images are equal."""
        changed = self.brokers_changed or self.controller_changed or self.configs_changed
        topics = self.topics_created or self.topics_deleted or self.topics_changed
        return not (changed or topics or self.partitions)


def compare(before: ClusterImage, image: ClusterImage, names: Iterable[TopicName]) -> ImageDelta:
    """Return what differs, as far as topics go among ``names`` alone."""
    created: list[TopicImage] = []
    deleted: list[TopicImage] = []
    changed: list[TopicImage] = []
    partitions: list[PartitionUpdate] = []
    for name in names:
        old, new = before.topics.get(name), image.topics.get(name)
        if old is new:
            continue
        if old is not None and (new is None or new.topic_id != old.topic_id):
            deleted.append(old)
            old = None
        if new is None:
            continue
        if old is None:
            created.append(new)
        elif new.revision != old.revision:
            changed.append(new)
        partitions += _updates(old, new)
    return ImageDelta(
        before=before,
        image=image,
        topics_created=tuple(created),
        topics_deleted=tuple(deleted),
        topics_changed=tuple(changed),
        partitions=tuple(partitions),
        brokers_changed=before.brokers != image.brokers or before.racks != image.racks,
        controller_changed=before.controller_id != image.controller_id,
        configs_changed=_changed_configs(before, image),
    )


def _updates(old: TopicImage | None, new: TopicImage) -> list[PartitionUpdate]:
    states = old.partitions if old is not None else ()
    updates: list[PartitionUpdate] = []
    for number, after in enumerate(new.partitions):
        before = states[number] if number < len(states) else None
        if before is not after and before != after:
            partition = PartitionId(new.topic_id, number)
            updates.append(
                PartitionUpdate(topic=new.name, partition=partition, before=before, after=after)
            )
    return updates


def _changed_configs(before: ClusterImage, image: ClusterImage) -> frozenset[NodeId | None]:
    if before.broker_configs is image.broker_configs:
        return frozenset()
    owners = before.broker_configs.keys() | image.broker_configs.keys()
    empty: dict[str, str] = {}
    return frozenset(
        owner
        for owner in owners
        if before.broker_configs.get(owner, empty) != image.broker_configs.get(owner, empty)
    )
