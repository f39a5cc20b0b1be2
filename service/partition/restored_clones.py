"""Pure: what a restore has to keep for clones, from topics' records and from what was found."""

from collections.abc import Collection, Iterable, Sequence

from everlog.model.ids import TopicId, TopicName
from service.coordination.clone_pins import Cloned
from service.coordination.payloads import DeletedTopic
from service.coordination.restored_tree import RestoredClones
from service.coordination.topic_cloning import ancestors_of, clonings_of
from service.partition.restored_topics import FoundTopic, TopicOutcome, recovered_name


def restored_clones(
    topics: Iterable[FoundTopic], outcomes: Sequence[TopicOutcome], *, dead: Collection[TopicId]
) -> RestoredClones:
    """Work out the pins of all clones that the store has, restored or not.

    A clone that is not restored now may be restored later, and nothing tells that it will not; its
    pins stay.

    Args:
        topics: All that have not been deleted, with their records.
        outcomes: Of those that are restored.
        dead: Topics that have been deleted, with whatever is left of them.
    """
    pins: dict[str, Cloned] = {}
    names: dict[TopicId, TopicName] = {}
    for topic in topics:
        if topic.record is not None:
            names |= {each.topic_id: each.name for each in ancestors_of(topic.record.extra)}
            for cloned in clonings_of(topic.topic_id, topic.record.extra):
                pins[cloned.path] = cloned
    for outcome in outcomes:
        for cloned in _of_roots(outcome):
            pins.setdefault(cloned.path, cloned)
    needed: dict[TopicId, int] = {}
    for cloned in pins.values():
        if cloned.source in dead:
            needed[cloned.source] = max(cloned.partitions, needed.get(cloned.source, 0))
    return RestoredClones(
        pins=list(pins.values()),
        deleted=[
            DeletedTopic(
                topic_id=topic_id,
                name=names.get(topic_id, recovered_name(topic_id)),
                partitions=partitions,
                deleted_ms=0,
                version=0,
            )
            for topic_id, partitions in needed.items()
        ],
    )


def _of_roots(outcome: TopicOutcome) -> Iterable[Cloned]:
    """Return what the roots of a topic tell, for one whose record does not."""
    for tier in outcome.found:
        for rank, origin in enumerate(tier.origins):
            yield Cloned(
                source=origin.path.topic_id,
                clone=outcome.topic_id,
                rank=rank,
                partitions=outcome.partitions,
            )
