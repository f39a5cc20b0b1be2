"""Removes the objects of deleted topics, and then the proof that the topics were deleted.

What clones of a deleted topic need stays, and with it the proof, until they need it no more.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from everlog.format.object_keys import PartitionPath
from everlog.format.pins import EVERYTHING, Pin
from everlog.model.errors import EverlogError
from everlog.model.ids import PartitionId, TopicId
from service.coordination.clone_pins import ClonePins
from service.coordination.deleted_topics import forget_deleted_topic, list_deleted_topics
from service.coordination.metadata_store import MetadataStore
from service.coordination.payloads import DeletedTopic
from service.coordination.znodes import tier_path
from service.tiering.sweeper import Sweeper
from service.tiering.topic_objects import TopicObjects

ROUND_SECONDS = 30.0
"""Between two looks; an upload that was broken off has ended by the next one."""

EMPTY_ROUNDS = 2
"""A topic is forgotten once so many looks in a row have found nothing (TIER-51)."""

_log = structlog.get_logger(__name__)


class DeletedTiers:
    """Works through the deleted topics; several brokers at it do no harm.

    Args:
        owner: Number of the owner of the store; asked only once the store has answered.
    """

    def __init__(
        self,
        *,
        cluster_id: str,
        metadata: MetadataStore,
        sweeper: Sweeper,
        records: TopicObjects,
        owner: Callable[[], int],
        pins: ClonePins,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._cluster_id = cluster_id
        self._metadata = metadata
        self._sweeper = sweeper
        self._records = records
        self._owner = owner
        self._round_seconds = round_seconds
        self._empty_rounds: dict[TopicId, int] = {}
        self._pins = pins
        self._held: dict[TopicId, list[Sequence[Pin]]] = {}
        self._marked: set[TopicId] = set()

    async def run(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._round_seconds)
            try:
                await self.sweep()
            except EverlogError as error:
                _log.warning("deleted_topics_not_swept", reason=str(error))

    async def sweep(self) -> None:
        """Look once; a topic whose objects cannot be deleted is left for the next time.

        Raises:
            RetriableError: The metadata store did not answer.
        """
        for topic in await list_deleted_topics(self._metadata):
            try:
                await self._sweep(topic)
            except EverlogError as error:
                # The others do not wait for it (TIER-28).
                _log.warning("deleted_topic_not_swept", topic=topic.name, reason=str(error))

    async def _sweep(self, topic: DeletedTopic) -> None:
        paths = await self._paths(topic)
        await self._mark(topic.topic_id, has_tier=bool(paths))
        pins = [await self._pins.of(path) for path in paths]
        if any(pins) and pins == self._held.get(topic.topic_id):
            return  # nothing but what clones need was there, and they need it still
        deleted = pinned = 0
        for path, held in zip(paths, pins, strict=True):
            if EVERYTHING in held:
                pinned += 1  # a clone has yet to look at its manifest
                continue
            swept = await self._sweeper.empty_prefix(path.prefix, pins=held)
            deleted, pinned = deleted + swept.deleted, pinned + swept.pinned
        if deleted or pinned:
            self._note(topic, deleted=deleted, pinned=pinned, pins=pins)
            return
        rounds = self._empty_rounds.get(topic.topic_id, 0) + 1
        self._empty_rounds[topic.topic_id] = rounds
        if rounds >= EMPTY_ROUNDS:
            await self._records.forget(topic.topic_id)
            await self._pins.forget(topic.topic_id)
            await forget_deleted_topic(self._metadata, topic)
            del self._empty_rounds[topic.topic_id]
            self._marked.discard(topic.topic_id)
            self._held.pop(topic.topic_id, None)

    def _note(
        self, topic: DeletedTopic, *, deleted: int, pinned: int, pins: list[Sequence[Pin]]
    ) -> None:
        _log.info("deleted_topic_swept", topic=topic.name, objects=deleted, kept_for_clones=pinned)
        self._empty_rounds[topic.topic_id] = 0
        if not deleted:
            self._held[topic.topic_id] = pins

    async def _mark(self, topic_id: TopicId, *, has_tier: bool) -> None:
        """Let a restore pass the topic over, from before its first object goes."""
        if topic_id not in self._marked:
            await self._records.mark_deleted(topic_id, owner=self._owner, has_tier=has_tier)
            self._marked.add(topic_id)

    async def _paths(self, topic: DeletedTopic) -> list[PartitionPath]:
        """Return where objects of the topic may be: of partitions whose tier was ever claimed."""
        numbers = range(topic.partitions)
        paths = [tier_path(PartitionId(topic.topic_id, number)) for number in numbers]
        nodes = await self._metadata.get_many(paths)
        return [
            PartitionPath(cluster_id=self._cluster_id, topic_id=topic.topic_id, partition=number)
            for number, node in zip(numbers, nodes, strict=True)
            if node is not None and node[0]
        ]
