"""Pure: what a restore makes of a topic's record and of what its partitions have in the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everlog.format.pointer import encode_pointer
from everlog.format.topic_record import TopicRecord
from everlog.model.errors import EverlogError
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.coordination.restored_tree import RestoredPartition, RestoredTopic
from service.coordination.topic_cloning import ancestors_of, clonings_of
from service.coordination.topic_errors import InvalidTopicNameError
from service.coordination.topic_names import check_topic_name
from service.coordination.topic_plan import PARTITIONS_MAX
from service.model.config_definition import InvalidConfigError, Setting
from service.model.topic_config import is_held
from service.model.topic_settings import HOLD, RETIRED_TOPIC_SETTINGS, TOPIC_SETTINGS
from service.tiering.partition_names import RESTORE_EPOCH_STEP
from service.tiering.partition_restore import RestoredTier, Source

Tiers = Mapping[int, RestoredTier | EverlogError]
"""Of a topic's partitions, by number: what was found, or why nothing could be."""

_NEVER_LED = LeaderEpoch(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicOutcome:
    """What became of one topic.

    Attributes:
        name: As it is restored, or would have been.
        restored: None if it is not.
        problem: Why it is not; None also if there is nothing to restore.
        notes: What is not as it was, or should be.
        is_tiered: Whether it has an archive; others come back without records.
    """

    name: TopicName
    topic_id: TopicId
    partitions: int
    tiers: Tiers
    restored: RestoredTopic | None
    problem: str | None
    notes: Sequence[str]
    is_tiered: bool = True

    @property
    def found(self) -> list[RestoredTier]:
        """What was found of its partitions."""
        return [each for each in self.tiers.values() if isinstance(each, RestoredTier)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as the store has it.

    Attributes:
        record: None if there is none that can be read.
        problem: Why nothing can be said about it at all.
        notes: What is wrong with its records.
        is_later: Whether all its records are from after the time to restore.
        is_tiered: Whether it has an archive.
        epoch: A leader epoch that it has been in.
        is_from_cut: Whether nothing but a cut knows it.
        held: Whether it is on hold by its newest record, whatever time is restored.
    """

    topic_id: TopicId
    record: TopicRecord | None
    tiers: Tiers
    problem: str | None = None
    notes: Sequence[str] = ()
    is_later: bool = False
    is_tiered: bool = True
    epoch: LeaderEpoch = _NEVER_LED
    is_from_cut: bool = False
    held: bool = False

    @property
    def was_deleted(self) -> bool:
        """Whether it is only in the cut because that is older than the topic's end."""
        return self.is_from_cut and self.is_tiered and not self.tiers


def recovered_name(topic_id: TopicId) -> TopicName:
    """Return what a topic is called whose name nobody knows."""
    return TopicName(f"recovered-{topic_id.hex()}")


def topic_outcomes(found: Sequence[FoundTopic]) -> list[TopicOutcome]:
    """Work out all topics, in the order of their names; one that is wrong never stops another.

    Of several that have the same name the newest that is there keeps it (TIER-34); one without
    records that would lose its name is gone.
    """
    newest: dict[TopicName, FoundTopic] = {}
    for topic in found:
        if topic.record is None:
            continue
        holder = newest.get(topic.record.name)
        if holder is None or _age(topic) > _age(holder):
            newest[topic.record.name] = topic
    named = {topic.topic_id for topic in newest.values()}
    outcomes = [
        _outcome(topic, keeps_name=topic.topic_id in named)
        for topic in found
        if topic.is_tiered or topic.topic_id in named
    ]
    return sorted(outcomes, key=lambda each: each.name)


def _age(topic: FoundTopic) -> tuple[bool, int, bytes]:
    assert topic.record is not None, "who has a name has a record"
    return _is_there(topic), topic.record.created_ms, topic.topic_id


def _outcome(topic: FoundTopic, *, keeps_name: bool) -> TopicOutcome:
    record, notes = topic.record, list(topic.notes)
    count = 0 if record is None else record.partitions
    seen = max(topic.tiers, default=-1) + 1
    if record is not None and seen > count:
        notes.append(f"its record knows {count} partitions, and there are objects of {seen}")
    count = max(count, seen)
    name, name_note = _name(topic, keeps_name=keeps_name)
    config, config_notes = readable_config({} if record is None else record.config)
    notes += [*name_note, *config_notes]
    if topic.held and not is_held(config) and "compact" not in config.get("cleanup.policy", ""):
        config[HOLD] = "true"
        notes.append(f"it was put on hold later ({HOLD}=true), and stays so until it is released")
    for number, tier in sorted(topic.tiers.items()):
        if isinstance(tier, RestoredTier):
            told = (*tier.notes, *_clone_notes(record, number, tier.source))
            notes += [f"partition {number}: {note}" for note in told]
    problem = topic.problem or _problem(topic.tiers, count)
    restored: RestoredTopic | None = None
    if problem is None and _is_there(topic):
        restored = RestoredTopic(
            name=name,
            topic_id=topic.topic_id,
            config=config,
            partitions=[_partition(topic, number) for number in range(count)],
            extra={} if record is None else record.extra,
        )
    elif problem is None:
        notes.append("it did not exist at that time")
    return TopicOutcome(
        name=name,
        topic_id=topic.topic_id,
        partitions=count,
        tiers=topic.tiers,
        restored=restored,
        problem=problem,
        notes=notes,
        is_tiered=topic.is_tiered,
    )


def _clone_notes(record: TopicRecord | None, number: int, source: Source) -> list[str]:
    """Say what a partition of a clone lacks whose roots are lost: they alone list it."""
    clonings = [] if record is None else clonings_of(record.topic_id, record.extra)
    if record is None or not clonings or number >= clonings[0].partitions:
        return []
    origin = ancestors_of(record.extra)[0].name
    if source in {Source.OBJECTS, Source.HINT}:
        what = f"what it had of {origin} is not in it: no root is left that lists it"
        return [f"{what}; clone {origin} again within archive.restore.window.ms if it is wanted"]
    if source is Source.NOTHING:
        return [
            f"no root of it is there: it begins with what {origin} has then, if that is restored"
        ]
    return []


def readable_config(
    config: Mapping[str, str], definitions: Mapping[str, Setting] = TOPIC_SETTINGS
) -> tuple[dict[str, str], list[str]]:
    """Return the settings to restore, and what is to be said about them.

    Settings that this version does not know are kept. Texts that it cannot read, or that are out
    of range, are left out (TIER-16): the topic would stay offline with them.
    """
    kept: dict[str, str] = {}
    notes: list[str] = []
    for name, text in config.items():
        definition = definitions.get(name)
        if definition is None:
            kept[name] = text
            if name not in RETIRED_TOPIC_SETTINGS:
                notes.append(f"setting {name}={text} is not known here, and is kept")
            continue
        try:
            definition.parse(text)
        except InvalidConfigError as error:
            notes.append(f"setting {name}={text} is left out: {error}")
        else:
            kept[name] = text
    return kept, notes


def _name(topic: FoundTopic, *, keeps_name: bool) -> tuple[TopicName, list[str]]:
    recovered = recovered_name(topic.topic_id)
    if topic.record is None:
        return recovered, ["nothing tells its name and settings: no record of it is there"]
    name = topic.record.name
    if not keeps_name:
        return recovered, [f"another topic is called {name}, too, and is newer"]
    try:
        check_topic_name(name)
    except InvalidTopicNameError as error:
        return recovered, [str(error)]
    return name, []


def _problem(tiers: Tiers, count: int) -> str | None:
    if count > PARTITIONS_MAX:
        return f"it would have {count} partitions, and {PARTITIONS_MAX} is the most there can be"
    problems = [
        f"partition {number}: {tier}"
        for number, tier in sorted(tiers.items())
        if isinstance(tier, EverlogError)
    ]
    return "; ".join(problems) if problems else None


def _is_there(topic: FoundTopic) -> bool:
    """Whether the topic existed at the time that is restored."""
    tiers = [each for each in topic.tiers.values() if isinstance(each, RestoredTier)]
    if any(tier.has_records for tier in tiers):
        return True
    return topic.record is not None and not topic.is_later


def _partition(topic: FoundTopic, number: int) -> RestoredPartition:
    tier, least = topic.tiers.get(number), LeaderEpoch(topic.epoch + RESTORE_EPOCH_STEP)
    if not isinstance(tier, RestoredTier):
        return RestoredPartition(epoch=least)
    pointer = b"" if tier.pointer is None else encode_pointer(tier.pointer)
    return RestoredPartition(epoch=max(tier.epoch, least), pointer=pointer)


def source_text(outcome: TopicOutcome) -> str:
    """Say in a few words what a topic was restored from."""
    if outcome.problem is not None:
        return "not restored"
    if outcome.restored is None:
        return "left out"
    if not outcome.is_tiered:
        return "settings alone"
    sources = {each.source for each in outcome.found} - {Source.NOTHING, Source.LATER}
    ordered = [each.value for each in Source if each in sources]
    return ", ".join(ordered) if ordered else Source.NOTHING.value
