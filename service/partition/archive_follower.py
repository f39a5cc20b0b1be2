"""Follows the archive of another cluster: looks at the bucket every now and then, writes nothing.

A look at the topics is a LIST or two, a look at a partition one GET of its hint. Partitions that
somebody reads are looked at in every poll; those at rest take turns, and then the names of their
roots are listed too, since a hint may be lost.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import structlog

from everlog.format.object_keys import PartitionPath
from everlog.model.clock import Clock
from everlog.model.errors import EverlogError, RejectedError, RetriableError
from everlog.model.ids import PartitionId, TopicId, TopicName
from everlog.stores.object_store import ObjectStore
from service.partition.archived_partition import ArchivedPartition
from service.partition.archived_table import ArchivedTable, ArchivedTopic
from service.partition.source_topics import SourceTopic, SourceTopics
from service.tiering.followed_tier import FollowedTier
from service.tiering.partition_names import RESTORE_EPOCH_STEP
from service.tiering.pointer_search import PointerSearch, followed
from service.tiering.store_owner import newest_owner, read_marker

LOOKS_AT_ONCE_MAX = 32
"""Partitions that are looked at side by side."""

REST_POLLS = 6
"""A partition that nobody reads is looked at in one poll out of so many."""

MakePartition = Callable[[SourceTopic, PartitionPath], ArchivedPartition]

_log = structlog.get_logger(__name__)


class SourceGoneError(RejectedError):
    """The store does not hold the archive that is followed (any more)."""


class ArchiveFollower:
    """Keeps a table of followed partitions in step with a store.

    Args:
        cluster_id: Whose archive it is.
        store: Only read.
        topics: Tells which topics there are.
        make: Makes a partition whose tier is not known yet.
        table: What is served.
        poll_seconds: From the end of a poll to the next one.

    Attributes:
        seen_at: When all of the store was last seen, in monotonic seconds; None before that.
        problem: What went wrong in the last poll; None if nothing did.
    """

    def __init__(
        self,
        *,
        cluster_id: str,
        store: ObjectStore,
        topics: SourceTopics,
        make: MakePartition,
        table: ArchivedTable,
        clock: Clock,
        poll_seconds: float,
    ) -> None:
        self.cluster_id = cluster_id
        self.table = table
        self.seen_at: float | None = None
        self.problem: str | None = None
        self._store = store
        self._topics = topics
        self._make = make
        self._pointers = PointerSearch(store)
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._owner = 0
        self._polls = 0
        self._faults: dict[PartitionId, str] = {}
        self._on_deleted: list[Callable[[Sequence[TopicName]], None]] = []

    @property
    def damaged_count(self) -> int:
        """Partitions of which nothing newer can be read."""
        return len(self._faults)

    def on_deleted(self, callback: Callable[[Sequence[TopicName]], None]) -> None:
        """Call back with the names of topics that are gone."""
        self._on_deleted.append(callback)

    async def run(self) -> None:
        """Poll until cancelled; what fails is said once, and tried again by the next poll."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.poll()
            except EverlogError as error:
                if self.problem != str(error):
                    advice = "what was last seen is served; it is asked again"
                    _log.warning("source_not_seen", reason=str(error), advice=advice)
                self.problem = str(error)

    async def poll(self) -> None:
        """Take note of all that is new.

        Raises:
            SourceGoneError: Another store is there, or none; what was known stays.
            RetriableError: The store did not answer, or not for all partitions.
        """
        self._owner = await self._seen_owner()
        before = self.table.topics
        topics = [self._grown(each) for each in await self._topics.look()]
        await self._look_at(self._due(topics))
        if _shape(before.values()) != _shape(topics):
            self._show(topics)
        self._polls += 1
        self.seen_at, self.problem = self._clock.monotonic(), None

    async def _seen_owner(self) -> int:
        """Return whose archive it is now; an empty mount must not look like deleted topics."""
        newest = await newest_owner(self._store, self.cluster_id)
        if newest is not None:
            return newest.number
        if await read_marker(self._store, self.cluster_id) is None:
            raise SourceGoneError(
                f"the store has no archive of cluster {self.cluster_id}: bring it back, or start "
                "with another --store and another --data-dir"
            )
        return 0

    def _grown(self, topic: SourceTopic) -> ArchivedTopic:
        """Return a topic with the partitions that are known, and new ones behind them."""
        known = self.table.topics.get(topic.topic_id)
        partitions = list(() if known is None else known.partitions)
        for number in range(len(partitions), topic.partitions):
            path = PartitionPath(
                cluster_id=self.cluster_id, topic_id=topic.topic_id, partition=number
            )
            made = self._make(topic, path)
            made.tier.refresh = partial(self._look, made, is_thorough=True)
            partitions.append(made)
        for each in partitions:
            each.topic = topic.name
        return ArchivedTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            config=topic.config,
            partitions=tuple(partitions),
        )

    def _show(self, topics: Sequence[ArchivedTopic]) -> None:
        before = self.table.topics
        self.table.show(topics)
        gone = [before[key] for key in before.keys() - self.table.topics.keys()]
        for topic in gone:
            for partition in topic.partitions:
                self._faults.pop(partition.id, None)
                partition.close()
        still = {topic.name for topic in topics}
        names = [topic.name for topic in gone if topic.name not in still]
        for callback in self._on_deleted if names else ():
            callback(names)

    def _due(self, topics: Iterable[ArchivedTopic]) -> list[tuple[ArchivedPartition, bool]]:
        """Return who is looked at in this poll, and how thoroughly."""
        due: list[tuple[ArchivedPartition, bool]] = []
        place = self._polls
        for topic in topics:
            for partition in topic.partitions:
                place += 1
                is_turn = place % REST_POLLS == 0
                if is_turn or partition.is_wanted or not partition.is_found:
                    partition.was_read = False
                    due.append((partition, is_turn))
        return due

    async def _look_at(self, due: Sequence[tuple[ArchivedPartition, bool]]) -> None:
        """Look at partitions side by side; one that is damaged keeps no others back."""
        left = iter(due)
        away: list[RetriableError] = []

        async def work() -> None:
            for partition, is_thorough in left:
                try:
                    await self._look(partition, is_thorough=is_thorough)
                except RetriableError as error:
                    away.append(error)
                    return
                except EverlogError as error:
                    self._tell(partition, str(error))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(LOOKS_AT_ONCE_MAX, len(due))):
                tasks.create_task(work())
        if away:
            raise away[0]

    async def _look(self, partition: ArchivedPartition, *, is_thorough: bool) -> bool:
        """Look for a newer pointer of a partition; return whether it goes on with another one."""
        tier: FollowedTier = partition.tier
        owner = self._owner
        found = await self._pointers.newest(tier.path, tier.known, is_thorough=is_thorough)
        known, was_found = tier.known, partition.is_found
        partition.is_found = True
        if found is None or (known is not None and found.stamp <= known.stamp):
            self.table.version += not was_found
            return False
        # What the restored cluster stores is that far above all that was there.
        is_restored = (
            known is not None and found.stamp.epoch >= known.stamp.epoch + RESTORE_EPOCH_STEP
        )
        has_new_owner = is_restored and owner > partition.owner
        pointer = followed(known, found, has_new_owner=has_new_owner)
        if pointer is None:
            return False
        if known is not None and pointer.tiered_end < known.tiered_end:
            _log.warning(
                "source_went_back",
                topic=partition.topic,
                partition=partition.index,
                before=known.tiered_end,
                now=pointer.tiered_end,
                reason=f"owner {owner} has restored the archive to an earlier time",
            )
        is_new_term = known is None or pointer.stamp.epoch != known.stamp.epoch
        partition.move(pointer, owner=owner if known is None or has_new_owner else partition.owner)
        self._faults.pop(partition.id, None)
        self.table.version += is_new_term
        return True

    def _tell(self, partition: ArchivedPartition, reason: str) -> None:
        if self._faults.get(partition.id) != reason:
            self._faults[partition.id] = reason
            served = partition.is_found
            name = f"{partition.topic}-{partition.index}"
            _log.error("source_damaged", partition=name, is_served=served, reason=reason)


def _shape(topics: Iterable[ArchivedTopic]) -> dict[TopicId, object]:
    """Return what of topics is told to clients, besides the ends of their partitions."""
    return {each.topic_id: (each.name, dict(each.config), len(each.partitions)) for each in topics}
