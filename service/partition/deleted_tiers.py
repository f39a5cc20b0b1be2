"""Removes the objects of deleted topics after a grace, and then the proof of the deletion.

What clones of a deleted topic need stays, and with it the proof, until they need it no more.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from everlog.format.deletion_mark import DeletionMark
from everlog.format.object_keys import PartitionPath
from everlog.format.pins import EVERYTHING, Pin
from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.ids import PartitionId, TopicId
from service.coordination.clone_pins import ClonePins
from service.coordination.deleted_topics import (
    begin_sweep,
    forget_deleted_topic,
    list_deleted_topics,
)
from service.coordination.image_delta import ImageDelta
from service.coordination.metadata_store import MetadataStore
from service.coordination.payloads import DeletedTopic
from service.coordination.znodes import tier_path
from service.model.topic_config import TopicConfig
from service.model.topic_settings import LOCK_MODE, LOCK_MS
from service.tiering.refusals import REFUSED_REST_MS
from service.tiering.sweeper import NOTHING_SWEPT, Sweeper, Swept
from service.tiering.topic_objects import TopicObjects

ROUND_SECONDS = 30.0
"""Between two looks; an upload that was broken off has ended by the next one."""

EMPTY_ROUNDS = 2
"""A topic is forgotten once so many looks in a row have found nothing (TIER-51)."""

_UNMARKED = -1

_log = structlog.get_logger(__name__)


class DeletedTiers:
    """Works through the deleted topics; several brokers at it do no harm.

    Args:
        owner: Number of the owner of the store; asked only once the store has answered.
        grace_ms: How long after its deletion a topic's objects stay at least.
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
        clock: Clock,
        grace_ms: int,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._cluster_id = cluster_id
        self._metadata = metadata
        self._sweeper = sweeper
        self._records = records
        self._owner = owner
        self._clock = clock
        self._grace_ms = grace_ms
        self._round_seconds = round_seconds
        self._woken = asyncio.Event()
        self._empty_rounds: dict[TopicId, int] = {}
        self._pins = pins
        self._held: dict[TopicId, list[Sequence[Pin]]] = {}
        self._marked: dict[TopicId, int | None] = {}
        # Who marks late, what another task has swept and forgotten meanwhile, leaves a mark of
        # nothing for ever.
        self._marking = asyncio.Lock()
        self._rests: dict[TopicId, int] = {}

    async def run(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._round_seconds)
            try:
                await self.sweep()
            except EverlogError as error:
                _log.warning("deleted_topics_not_swept", reason=str(error))

    def follow(self, delta: ImageDelta) -> None:
        """Take note of a change: a deletion is told soon, long before the next round."""
        if delta.topics_deleted:
            self._woken.set()

    async def tell(self) -> None:
        """Mark what has been deleted as soon as the store takes it, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                async with self._marking:
                    for topic in await list_deleted_topics(self._metadata):
                        await self._mark(topic, has_tier=bool(await self._paths(topic)))
            except EverlogError as error:
                # The next round tries it again, and sweeps nothing before.
                _log.warning("deleted_topic_not_marked", reason=str(error))

    async def sweep(self) -> None:
        """Look once; a topic whose objects cannot be deleted is left for the next time.

        Raises:
            RetriableError: The metadata store did not answer.
        """
        topics = await list_deleted_topics(self._metadata)
        async with self._marking:
            self._drop_others({topic.topic_id for topic in topics})
        for topic in topics:
            try:
                await self._sweep(topic)
            except EverlogError as error:
                # The others do not wait for it (TIER-28).
                _log.warning("deleted_topic_not_swept", topic=topic.name, reason=str(error))

    def _drop_others(self, listed: set[TopicId]) -> None:
        """Forget what is known of topics that are back, or that others have forgotten."""
        for known in (self._marked, self._empty_rounds, self._held, self._rests):
            for topic_id in known.keys() - listed:
                del known[topic_id]

    async def _sweep(self, topic: DeletedTopic) -> None:
        paths = await self._paths(topic)
        async with self._marking:
            await self._mark(topic, has_tier=bool(paths))
        if paths and self._clock.wall_ms() < self._goes_ms(topic):
            return
        # From here on it cannot come back, also if this broker is stopped right now.
        topic = await begin_sweep(self._metadata, topic)
        pins = [await self._pins.of(path) for path in paths]
        if self._waits(topic.topic_id, pins):
            return
        swept = await self._empty(paths, pins)
        if swept != NOTHING_SWEPT:
            self._note(topic, swept, pins)
            return
        rounds = self._empty_rounds.get(topic.topic_id, 0) + 1
        self._empty_rounds[topic.topic_id] = rounds
        if rounds >= EMPTY_ROUNDS:
            await self._records.forget(topic.topic_id)
            await self._pins.forget(topic.topic_id)
            await forget_deleted_topic(self._metadata, topic)

    def _waits(self, topic_id: TopicId, pins: list[Sequence[Pin]]) -> bool:
        """Whether nothing is there but what clones needed and need still, or what was refused."""
        is_held = any(pins) and pins == self._held.get(topic_id)
        return is_held or self._clock.wall_ms() < self._rests.get(topic_id, 0)

    async def _empty(self, paths: list[PartitionPath], pins: list[Sequence[Pin]]) -> Swept:
        deleted = pinned = refused = 0
        for path, held in zip(paths, pins, strict=True):
            if EVERYTHING in held:
                pinned += 1  # a clone has yet to look at its manifest
                continue
            swept = await self._sweeper.empty_prefix(path.prefix, pins=held)
            deleted, pinned = deleted + swept.deleted, pinned + swept.pinned
            refused += swept.refused
        return Swept(deleted, pinned, refused)

    def _note(self, topic: DeletedTopic, swept: Swept, pins: list[Sequence[Pin]]) -> None:
        _log.info(
            "deleted_topic_swept",
            topic=topic.name,
            objects=swept.deleted,
            kept_for_clones=swept.pinned,
            refused=swept.refused,
        )
        self._empty_rounds[topic.topic_id] = 0
        if swept.refused:
            self._rests[topic.topic_id] = self._clock.wall_ms() + REFUSED_REST_MS
        if not swept.deleted and not swept.refused:
            self._held[topic.topic_id] = pins

    def _goes_ms(self, topic: DeletedTopic) -> int:
        """When its objects go: what is locked is there anyway, so it can come back as long."""
        names = (LOCK_MODE, LOCK_MS)
        said = {name: topic.config[name] for name in names if name in topic.config}
        lock = TopicConfig.resolve(said).lock
        return topic.deleted_ms + max(self._grace_ms, 0 if lock is None else lock.length_ms)

    async def _mark(self, topic: DeletedTopic, *, has_tier: bool) -> None:
        """Let a restore pass the topic over, from before its first object goes."""
        if self._marked.get(topic.topic_id, _UNMARKED) == topic.revision:
            return
        mark = DeletionMark(
            topic_id=topic.topic_id,
            deleted_ms=topic.deleted_ms,
            goes_ms=self._goes_ms(topic),
            version=topic.revision,
        )
        await self._records.mark_deleted(mark, owner=self._owner, has_tier=has_tier)
        self._marked[topic.topic_id] = topic.revision

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
