"""Pure: what a cut adds to the records of topics that a store has."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from everlog.format.cut import Cut, CutTopic
from everlog.format.object_keys import Uid
from everlog.format.topic_record import TopicRecord
from everlog.model.ids import TopicId
from service.partition.restored_topics import FoundTopic

Topics = dict[TopicId, FoundTopic]


def pinned_roots(cut: Cut) -> dict[tuple[TopicId, int], Uid]:
    """Return the root of each partition in a cut."""
    return {
        (topic.topic_id, root.partition): root.uid for topic in cut.topics for root in topic.roots
    }


def with_cut(
    topics: Mapping[TopicId, FoundTopic], cut: Cut | None, dead: Collection[TopicId]
) -> Topics:
    """Return the topics that a store has records of, and those that only a cut knows.

    A record stays the word on its topic: it is from the last change, and a cut may be older. Where
    there is none that can be read, or none of that time, the cut tells name and settings.

    Args:
        topics: As their records tell.
        cut: None if there is none.
        dead: Topics that were deleted, whatever a cut says.
    """
    found = dict(topics)
    for topic in () if cut is None else cut.topics:
        if topic.topic_id in dead:
            continue
        assert cut is not None, "it has topics"
        known = found.get(topic.topic_id)
        found[topic.topic_id] = _merged(known, topic, created_ms=cut.created_ms)
    return found


def _merged(known: FoundTopic | None, topic: CutTopic, *, created_ms: int) -> FoundTopic:
    record = TopicRecord(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=topic.partitions,
        config=topic.config,
        created_ms=created_ms,
        extra=topic.extra,
    )
    if known is None:
        return FoundTopic(
            topic_id=topic.topic_id,
            record=record,
            tiers={},
            is_tiered=topic.is_tiered,
            is_from_cut=True,
            epoch=topic.epoch,
        )
    if known.problem is not None or (known.record is not None and not known.is_later):
        return replace(known, epoch=topic.epoch)
    notes = (*known.notes, "its name and settings are those of the cut")
    return replace(known, record=record, is_later=False, epoch=topic.epoch, notes=notes)
