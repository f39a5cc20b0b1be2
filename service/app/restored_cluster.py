"""Pure: what a restore makes of a cut besides the archives of topics."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from everlog.format.cut import Cut, CutRoot, CutTopic, root_name
from everlog.format.object_keys import OFFSET_MAX
from everlog.format.owner_record import OwnerRecord
from everlog.format.pointer import decode_pointer
from everlog.model.ids import NodeId, PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from service.app.offsets_topic import offsets_batches
from service.coordination.restored_tree import RestoredTopic
from service.groups.partitioning import OFFSETS_TOPIC
from service.groups.restored_offsets import (
    RestoredEnds,
    RestoredOffsets,
    offsets_records,
    offsets_that_hold,
)
from service.model.broker_settings import BROKER_SETTINGS
from service.partition.restored_topics import TopicOutcome, readable_config
from service.tiering.cut_choice import ChosenCut

Settings = Mapping[NodeId | None, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredCluster:
    """A cluster as it is going to be.

    Attributes:
        chosen: The cut that it is made from, if there is one.
        topics: All that are restored.
        tiered: Ids of those with an archive.
        offsets: Of groups.
        ends: Of the topics that offsets are about.
        offsets_topic: Where the offsets are going to be written; None if its log is on the disk
            already and goes on, or if there is none.
        settings: Dynamic ones of brokers.
        notes: What could not be taken over.
    """

    chosen: ChosenCut
    topics: Sequence[RestoredTopic]
    tiered: Collection[TopicId]
    offsets: RestoredOffsets
    ends: Mapping[TopicId, RestoredEnds]
    offsets_topic: RestoredTopic | None
    settings: Settings
    notes: Sequence[str]

    @property
    def has_local_offsets(self) -> bool:
        """Whether the log of the offsets topic is on the disk already."""
        return self.offsets_topic is None and any(
            topic.name == OFFSETS_TOPIC for topic in self.topics
        )

    def offsets_logs(self, *, now_ms: int) -> dict[PartitionId, list[bytearray]]:
        """Return the batches of each partition of the offsets topic that is not empty."""
        topic = self.offsets_topic
        if topic is None:
            return {}
        records = offsets_records(
            self.offsets, self.ends, partitions=len(topic.partitions), now_ms=now_ms
        )
        return {
            PartitionId(topic.topic_id, number): offsets_batches(each, now_ms=now_ms)
            for number, each in records.items()
        }

    def cut(self, owner: OwnerRecord, *, now_ms: int) -> Cut | None:
        """Return the cut with which the owner begins; None if it has no tiered topic.

        Without it a second restore would go by the cut of the owner before, from before this one.
        """
        if not self.tiered:
            return None
        return Cut(
            cluster_id=owner.cluster_id,
            owner=owner.number,
            created_ms=max(now_ms, owner.created_ms),
            settings=self.settings,
            topics=[
                _cut_topic(each, is_tiered=each.topic_id in self.tiered) for each in self.topics
            ],
            groups=self.offsets.groups,
        )


def restored_cluster(
    chosen: ChosenCut,
    outcomes: Sequence[TopicOutcome],
    *,
    local_logs: Collection[TopicId],
    new_id: TopicId,
) -> RestoredCluster:
    """Work out what becomes of groups and settings.

    Args:
        chosen: The cut that is gone by.
        outcomes: What becomes of topics.
        local_logs: Of which topics the data directory has logs: those go on, whatever is archived.
        new_id: Of the offsets topic if it is written anew; what an attempt before has left of it
            is then nobody's.
    """
    found = [each for each in outcomes if each.restored is not None]
    ends = {
        each.topic_id: RestoredEnds(
            name=each.name, ends=_ends(each, is_local=each.topic_id in local_logs)
        )
        for each in found
        if each.is_tiered or each.topic_id in local_logs
    }
    groups = {} if chosen.cut is None else chosen.cut.groups
    settings, notes = _settings({} if chosen.cut is None else chosen.cut.settings)
    topics: list[RestoredTopic] = []
    offsets_topic: RestoredTopic | None = None
    for each in found:
        topic = each.restored
        assert topic is not None, "it was looked for"
        if topic.name == OFFSETS_TOPIC and topic.topic_id not in local_logs:
            topic = offsets_topic = replace(topic, topic_id=new_id)
        topics.append(topic)
    return RestoredCluster(
        chosen=chosen,
        topics=topics,
        tiered={each.topic_id for each in found if each.is_tiered},
        offsets=offsets_that_hold(groups, ends),
        ends=ends,
        offsets_topic=offsets_topic,
        settings=settings,
        notes=[*chosen.notes, *notes],
    )


def _ends(outcome: TopicOutcome, *, is_local: bool) -> list[Offset]:
    """Return where partitions end; nobody knows of those whose logs go on from the disk."""
    if is_local:
        return [Offset(OFFSET_MAX)] * outcome.partitions
    ends = [Offset(0)] * outcome.partitions
    for tier in outcome.found:
        if tier.pointer is not None:
            ends[tier.path.partition] = tier.pointer.tiered_end
    return ends


def _settings(settings: Settings) -> tuple[Settings, list[str]]:
    """Leave out what a broker could not read; it would not start."""
    kept: dict[NodeId | None, Mapping[str, str]] = {}
    notes: list[str] = []
    for broker_id, config in settings.items():
        kept[broker_id], about = readable_config(config, BROKER_SETTINGS)
        whose = "all brokers" if broker_id is None else f"broker {broker_id}"
        notes += [f"{whose}: {note}" for note in about]
    return kept, notes


def _cut_topic(topic: RestoredTopic, *, is_tiered: bool) -> CutTopic:
    roots: list[CutRoot] = []
    for number, partition in enumerate(topic.partitions):
        pointer = decode_pointer(partition.pointer) if partition.pointer else None
        if pointer is not None and pointer.root is not None:
            name = root_name(pointer.root.stamp, pointer.root.uid)
            roots.append(CutRoot(number, name, pointer.tiered_end))
    return CutTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=len(topic.partitions),
        config=topic.config,
        epoch=max((each.epoch for each in topic.partitions), default=LeaderEpoch(0)),
        is_tiered=is_tiered,
        roots=roots,
        extra=topic.extra,
    )
