"""The topics that a followed cluster has, by their records in the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from everlog.format.meta_keys import TopicRecordKey
from everlog.model.ids import TopicId, TopicName
from service.model.cluster import INTERNAL_TOPICS
from service.partition.record_search import RecordSearch
from service.partition.restored_topics import FoundTopic, TopicOutcome, topic_outcomes
from service.tiering.topic_objects import TopicNames, TopicObjects

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTopic:
    """A topic as its newest record has it."""

    name: TopicName
    topic_id: TopicId
    config: Mapping[str, str]
    partitions: int


class SourceTopics:
    """Reads what is new since the last look: one LIST for 1,000 records, one GET for a new one."""

    def __init__(self, objects: TopicObjects) -> None:
        self._objects = objects
        self._search = RecordSearch(objects)
        self._found: dict[TopicId, tuple[TopicRecordKey, FoundTopic]] = {}
        self._said: dict[TopicId, Sequence[str]] = {}

    async def look(self) -> list[SourceTopic]:
        """Return the topics there are, as a restore would name and configure them.

        Topics of which no record can be read are left out, and the log says so.

        Raises:
            RetriableError: The store did not answer.
        """
        names = await self._objects.all()
        alive = {
            key: each
            for key, each in names.items()
            if each.records and not await self._objects.is_deleted(each)
        }
        self._found = {key: self._found[key] for key in alive if key in self._found}
        fresh = {key: each for key, each in alive.items() if not self._is_known(key, each)}
        for key, found in (await self._search.read_all(fresh)).items():
            self._found[key] = alive[key].records[-1], found
        outcomes = topic_outcomes([found for _, found in self._found.values()])
        for each in outcomes:
            self._tell(each)
        return [
            SourceTopic(
                name=each.name,
                topic_id=each.topic_id,
                config=each.restored.config,
                partitions=len(each.restored.partitions),
            )
            for each in outcomes
            if each.restored is not None and each.name not in INTERNAL_TOPICS
        ]

    def _is_known(self, topic_id: TopicId, names: TopicNames) -> bool:
        known = self._found.get(topic_id)
        return known is not None and known[0] == names.records[-1] and known[1].record is not None

    def _tell(self, outcome: TopicOutcome) -> None:
        """Say what is not as it should be, once."""
        notes = [*outcome.notes] if outcome.problem is None else [outcome.problem, *outcome.notes]
        if notes and self._said.get(outcome.topic_id) != notes:
            served = outcome.restored is not None
            _log.warning("source_topic", topic=outcome.name, is_served=served, notes=notes)
        self._said[outcome.topic_id] = notes
