"""What a request for a clone comes to: a topic that begins with what another one has archived."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from everlog.format.topic_record import CLONED_FROM
from everlog.model.ids import TopicId, TopicName, id_bytes, id_text
from everlog.model.offsets import LeaderEpoch
from service.coordination.changes import Edit
from service.coordination.clone_pins import Cloned
from service.coordination.metadata_store import Check
from service.coordination.topic_errors import InvalidPartitionsError
from service.coordination.topic_plan import NewTopic
from service.coordination.znodes import topic_path
from service.model.cluster import ClusterImage, TopicImage
from service.model.config_definition import InvalidConfigError
from service.model.topic_config import TopicConfig
from service.model.topic_settings import TOPIC_SETTINGS

CLONE_FROM = "archive.clone.from"
"""Setting of a creation only: the topic to clone. It is no setting of the topic afterwards."""

CLONE_EPOCH_STEP = 1000
"""So far above its source's epoch a clone begins: the source may be elected anew until it is made,
and clients pass over what comes from an earlier epoch than they have seen."""

Resolve = Callable[[Mapping[str, str]], TopicConfig]
"""Works out what holds for a topic; raises InvalidConfigError."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A topic that another one was made from, and its name at that time."""

    topic_id: TopicId
    name: TopicName


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneOrder:
    """A clone to make.

    Attributes:
        new: The topic to create, as any other.
        source: As it is now.
    """

    new: NewTopic
    source: TopicImage

    def clone(self, topic: TopicImage) -> TopicImage:
        """Let a planned topic be the clone."""
        own = Ancestor(self.source.topic_id, self.source.name)
        ancestors = (own, *ancestors_of(self.source.extra))
        told = [{"topic_id": id_text(each.topic_id), "name": each.name} for each in ancestors]
        cloned_from = {"partitions": len(topic.partitions), "topics": told}
        states = [
            replace(state, leader_epoch=LeaderEpoch(before.leader_epoch + CLONE_EPOCH_STEP))
            for state, before in zip(topic.partitions, self.source.partitions, strict=True)
        ]
        extra = {**topic.extra, CLONED_FROM: cloned_from}
        return replace(topic, partitions=tuple(states), extra=extra)

    def pinned(self, clone: TopicImage, edit: Edit) -> Edit:
        """Add to the creation of the clone what keeps the objects, while the source exists."""
        check = Check(topic_path(self.source.name), self.source.version)
        pins = (each.creation for each in clonings_of(clone.topic_id, clone.extra))
        return replace(edit, ops=(check, *pins, *edit.ops))


def clone_order(new: NewTopic, image: ClusterImage, resolve: Resolve) -> CloneOrder | None:
    """Return what a request asks to clone; None if it asks for an ordinary topic.

    What it does not set the clone has from its source, settings and partitions.

    Raises:
        InvalidConfigError: The source cannot be cloned, or not with these settings.
        InvalidPartitionsError: The number of partitions is another one.
    """
    name = new.config.get(CLONE_FROM)
    if name is None:
        return None
    source = image.topic(TopicName(name))
    if source is None:
        raise InvalidConfigError(
            CLONE_FROM, name, "there is no such topic: name one that exists and is tiered"
        )
    given = {key: value for key, value in new.config.items() if key != CLONE_FROM}
    # What an older or newer version has left there is of no use to a new topic.
    inherited = {key: value for key, value in source.config.items() if key in TOPIC_SETTINGS}
    config = {**inherited, **given}
    for who, resolved in (("it", resolve(source.config)), ("the clone", resolve(config))):
        if resolved.compact:
            raise InvalidConfigError(
                CLONE_FROM, name, f"{who} is compacted, and only cleanup.policy=delete is archived"
            )
        if not resolved.tiered:
            raise InvalidConfigError(
                CLONE_FROM, name, f"{who} is not tiered: set remote.storage.enable=true first"
            )
    count = len(new.assignment) if new.assignment is not None else new.partitions
    if count not in (None, len(source.partitions)):
        raise InvalidPartitionsError(
            f"a clone of {name!r} has its {len(source.partitions)} partitions, not {count}: leave "
            "the number out"
        )
    partitions = None if new.assignment is not None else len(source.partitions)
    return CloneOrder(new=replace(new, config=config, partitions=partitions), source=source)


def ancestors_of(extra: Mapping[str, object]) -> Sequence[Ancestor]:
    """Return what a topic was made from, the nearest first, as its node or record tells."""
    told = extra.get(CLONED_FROM)
    if not isinstance(told, dict):
        return ()
    return [Ancestor(TopicId(id_bytes(each["topic_id"])), each["name"]) for each in told["topics"]]


def clonings_of(topic_id: TopicId, extra: Mapping[str, object]) -> list[Cloned]:
    """Return what keeps the objects of those that a topic was made from."""
    told = extra.get(CLONED_FROM)
    partitions = told["partitions"] if isinstance(told, dict) else 0
    return [
        Cloned(source=each.topic_id, clone=topic_id, rank=rank, partitions=partitions)
        for rank, each in enumerate(ancestors_of(extra))
    ]
