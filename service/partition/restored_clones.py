"""Pure: what a restore keeps for clones, and lets go of, from records and from what was found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from everlog.format.topic_record import TopicRecord
from everlog.model.ids import TopicId, TopicName
from service.coordination.clone_pins import Cloned
from service.coordination.payloads import DeletedTopic
from service.coordination.restored_tree import RestoredClones
from service.coordination.topic_cloning import ancestors_of, clonings_of
from service.partition.left_out_clones import clonings_by
from service.partition.restored_topics import FoundTopic, TopicOutcome, recovered_name


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTopic:
    """A topic that was deleted, as the store has it.

    Attributes:
        record: How it was; None if nothing tells.
        deleted_ms: Wall time of the deletion.
    """

    topic_id: TopicId
    record: TopicRecord | None
    deleted_ms: int


def restored_clones(
    topics: Iterable[FoundTopic],
    outcomes: Sequence[TopicOutcome],
    *,
    dead: Sequence[DeadTopic],
    others: Iterable[Cloned] = (),
) -> RestoredClones:
    """Work out the pins of all clones that the store has, restored or not, and what was deleted.

    A clone that is not restored now may be restored later, and nothing tells that it will not; its
    pins stay. One that was deleted keeps its own until its objects go, which is in the same order
    as it would have been without a restore.

    Args:
        topics: All that have not been deleted, with their records.
        outcomes: Of those that are restored.
        dead: Topics that have been deleted, with whatever is left of them.
        others: What is told by topics that have no record and are not restored.
    """
    pins: dict[str, Cloned] = {}
    names: dict[TopicId, TopicName] = {}
    known: list[FoundTopic | DeadTopic] = [*topics, *dead]
    for topic in known:
        if topic.record is not None:
            names |= {each.topic_id: each.name for each in ancestors_of(topic.record.extra)}
            for cloned in clonings_of(topic.topic_id, topic.record.extra):
                pins[cloned.path] = cloned
    told_by_roots = (cloned for outcome in outcomes for cloned in _of_roots(outcome))
    for cloned in (*told_by_roots, *others):
        pins.setdefault(cloned.path, cloned)
    needed: dict[TopicId, int] = {}
    for cloned in pins.values():
        needed[cloned.source] = max(cloned.partitions, needed.get(cloned.source, 0))
    deleted = [
        _deleted(each, names.get(each.topic_id), needed.get(each.topic_id, 0)) for each in dead
    ]
    # Of one without partitions nothing is known, and so nothing can be collected.
    return RestoredClones(
        pins=list(pins.values()), deleted=[each for each in deleted if each.partitions]
    )


def _deleted(topic: DeadTopic, name: TopicName | None, partitions: int) -> DeletedTopic:
    record = topic.record
    return DeletedTopic(
        topic_id=topic.topic_id,
        name=name or recovered_name(topic.topic_id) if record is None else record.name,
        partitions=partitions if record is None else max(partitions, record.partitions),
        deleted_ms=topic.deleted_ms,
        version=0,
    )


def with_kept(
    outcomes: Sequence[TopicOutcome], pins: Iterable[Cloned], names: Mapping[TopicId, TopicName]
) -> list[TopicOutcome]:
    """Say of restored topics for which clones they keep everything that are not restored.

    Args:
        outcomes: Of all topics that are restored.
        pins: What has to stay.
        names: Of clones; one without a record has none.
    """
    restored = {each.topic_id for each in outcomes if each.restored is not None}
    kept: dict[TopicId, list[str]] = {}
    for cloned in pins:
        if cloned.source in restored and cloned.clone not in restored:
            name = names.get(cloned.clone, recovered_name(cloned.clone))
            kept.setdefault(cloned.source, []).append(name)
    return [_with_note(each, kept.get(each.topic_id, ())) for each in outcomes]


def _with_note(outcome: TopicOutcome, clones: Sequence[str]) -> TopicOutcome:
    if not clones:
        return outcome
    note = (
        f"nothing archived of it will be deleted, for the sake of {', '.join(sorted(clones))}, "
        "made of it and not restored: to let go of that, restore both, and delete the clone"
    )
    return replace(outcome, notes=[*outcome.notes, note])


def _of_roots(outcome: TopicOutcome) -> Iterable[Cloned]:
    """Return what the roots of a topic tell, for one whose record does not."""
    for tier in outcome.found:
        yield from clonings_by(tier.origins, outcome.topic_id, partitions=outcome.partitions)
