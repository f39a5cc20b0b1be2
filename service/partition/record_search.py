"""Finds the record of each topic in a store: the newest that can be read, or that of a time."""

import asyncio
from collections.abc import Mapping

from everlog.format.topic_record import TopicRecord
from everlog.model.errors import CorruptionError, RejectedError
from everlog.model.ids import TopicId
from everlog.stores.errors import ObjectMissingError
from service.model.topic_config import is_held
from service.partition.restored_topics import FoundTopic
from service.tiering.topic_objects import TopicNames, TopicObjects

AT_ONCE_MAX = 16
"""Listings that are gone through side by side, each with one partition in work; and records."""


class RecordSearch:
    """The search, for any number of topics.

    Args:
        at_ms: Records from after that count only for the name of a topic; None for the newest.
    """

    def __init__(self, objects: TopicObjects, *, at_ms: int | None = None) -> None:
        self._objects = objects
        self._at_ms = at_ms

    async def read_all(self, names: Mapping[TopicId, TopicNames]) -> dict[TopicId, FoundTopic]:
        """Return what the store has of topics; what is wrong with one is in its place.

        Raises:
            RetriableError: The store did not answer.
        """
        slots = asyncio.Semaphore(AT_ONCE_MAX)

        async def read(topic_id: TopicId, each: TopicNames) -> FoundTopic:
            async with slots:
                return await self._read(topic_id, each)

        found = await asyncio.gather(*(read(*each) for each in names.items()))
        return {topic.topic_id: topic for topic in found}

    async def _read(self, topic_id: TopicId, names: TopicNames) -> FoundTopic:
        at_ms, notes = self._at_ms, list[str]()
        oldest: TopicRecord | None = None
        held = False
        for key in reversed(names.records):
            try:
                record = await self._objects.read(key)
            except (ObjectMissingError, CorruptionError) as error:
                notes.append(f"{key.text}: {error}")
                continue
            except RejectedError as error:
                return FoundTopic(topic_id=topic_id, record=None, tiers={}, problem=str(error))
            held = is_held(record.config) if oldest is None else held
            oldest = record
            if at_ms is None or record.created_ms <= at_ms:
                return FoundTopic(
                    topic_id=topic_id, record=record, tiers={}, notes=notes, held=held
                )
        is_later = oldest is not None
        return FoundTopic(
            topic_id=topic_id, record=oldest, tiers={}, notes=notes, is_later=is_later, held=held
        )
