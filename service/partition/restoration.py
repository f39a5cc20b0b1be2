"""Restores a cluster's metadata from its store alone, without copying any data (TIER-56).

First it is worked out what there is, then the new metadata is written, aside, then the store is
taken, which fences the cluster that had it, then new roots are stored where they are needed, and at
last the metadata is put in its place. A stop in between leaves nothing in a repetition's way.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from everlog.format.cut import Cut
from everlog.format.meta_keys import META, OwnerKey, parse_meta_key
from everlog.format.object_keys import ClusterKey, PartitionPath
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError, RejectedError, RetriableError
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch
from everlog.stores.object_store import ObjectStore, list_all
from service.coordination.clone_pins import Cloned
from service.coordination.restored_tree import NO_CLONES
from service.model.cluster import INTERNAL_TOPICS
from service.partition.left_out_clones import left_out_clones
from service.partition.record_search import AT_ONCE_MAX, RecordSearch
from service.partition.restored_clones import DeadTopic, restored_clones, with_kept
from service.partition.restored_from_cut import pinned_roots, with_cut
from service.partition.restored_topics import (
    FoundTopic,
    TopicOutcome,
    recovered_name,
    topic_outcomes,
)
from service.tiering.deleted_archives import newest_mark, newest_record
from service.tiering.partition_names import ALL_PREFIXES, PartitionNames, partitions_below
from service.tiering.partition_restore import PartitionRestore, RestoredTier
from service.tiering.topic_objects import TopicNames, TopicObjects


class NothingToRestoreError(RejectedError):
    """The store has no such archive or topic; the message says what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """What to restore.

    Attributes:
        topics: Their names; empty for all.
        at_ms: As it was by then, in ms; None for the newest.
    """

    topics: frozenset[str] = frozenset()
    at_ms: int | None = None


@dataclass(slots=True)
class RestoreProgress:
    """How far it has come; ``partitions`` is what the records say there is."""

    partitions: int = 0
    done: int = 0
    bytes: int = 0
    on_change: Callable[["RestoreProgress"], None] = field(default=lambda _: None)

    def took(self, size: int) -> None:
        """Count a partition."""
        self.done += 1
        self.bytes += size
        self.on_change(self)


async def clusters_in(store: ObjectStore) -> list[str]:
    """Return the ids of the clusters whose archives a store has; raises what the store raises."""
    found: set[str] = set()
    async for info in list_all(store, META):
        key = parse_meta_key(info.key)
        if isinstance(key, ClusterKey | OwnerKey):
            found.add(key.cluster_id)
    return sorted(found)


class Restoration:
    """Works out what a cluster's store makes possible; used once.

    Args:
        cut: The newest one by the time to restore. A restore to that time takes the roots that it
            names; any takes from it what the store knows of no other way.
        epochs: Leader epochs that topics have been in, of any time.

    Attributes:
        clones: What has to stay for clones and what was deleted, once that is worked out.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        cluster_id: str,
        request: RestoreRequest,
        clock: Clock,
        ids: IdSource,
        progress: RestoreProgress,
        cut: Cut | None = None,
        epochs: Mapping[TopicId, LeaderEpoch] | None = None,
    ) -> None:
        self._store = store
        self._cluster_id = cluster_id
        self._request = request
        self._progress = progress
        self._objects = TopicObjects(store, cluster_id=cluster_id, clock=clock, ids=ids)
        self._clock = clock
        self._records = RecordSearch(self._objects, at_ms=request.at_ms)
        self._partitions = PartitionRestore(store, clock=clock, ids=ids, at_ms=request.at_ms)
        self.clones = NO_CLONES
        self._tiers: dict[TopicId, dict[int, RestoredTier | EverlogError]] = {}
        self._cut = cut
        self._epochs = epochs or {}
        self._in_cut = frozenset(() if cut is None else (each.topic_id for each in cut.topics))
        self._pins = {} if cut is None or request.at_ms is None else pinned_roots(cut)

    async def work_out(self) -> list[TopicOutcome]:
        """Return what becomes of each topic; nothing is written.

        Raises:
            NothingToRestoreError: The store has none of the topics that are asked for.
            RetriableError: The store did not answer for too long; nothing has been restored.
        """
        names = await self._objects.all()
        dead = await self._dead(names)
        alive = {topic_id: each for topic_id, each in names.items() if topic_id not in dead}
        topics = with_cut(await self._records.read_all(alive), self._cut, dead)
        known = [each for each in topics.values() if self._is_asked_for(_names_of(each))]
        wanted = {each.topic_id for each in known}

        def is_wanted(topic_id: TopicId) -> bool:
            if topic_id in topics or topic_id in dead:
                return topic_id in wanted
            return self._is_asked_for({recovered_name(topic_id), topic_id.hex()})

        self._progress.partitions = sum(_partitions(each) for each in known)
        await self._find(known, is_wanted)
        known += [
            FoundTopic(topic_id=topic_id, record=None, tiers={})
            for topic_id in self._tiers.keys() - topics.keys()
        ]
        found = [self._with_tiers(each) for each in known]
        outcomes = topic_outcomes([each for each in found if not each.was_deleted])
        self._check(outcomes, topics)
        named = {key: each.record.name for key, each in topics.items() if each.record is not None}
        others = await self._others(outcomes, {*named, *dead})
        deleted = await self._told({topic_id: names[topic_id] for topic_id in dead})
        self.clones = restored_clones(topics.values(), outcomes, dead=deleted, others=others)
        return with_kept(outcomes, self.clones.pins, named)

    async def _others(
        self, outcomes: Sequence[TopicOutcome], told: set[TopicId]
    ) -> Sequence[Cloned]:
        """Return what clones need that have no record, and are left out or cannot be restored."""
        known = told | {each.topic_id for each in outcomes if each.restored is not None}
        if not self._request.topics and all(each.topic_id in known for each in outcomes):
            return ()
        return await left_out_clones(self._store, cluster_id=self._cluster_id, passing_over=known)

    def _with_tiers(self, topic: FoundTopic) -> FoundTopic:
        """Return a topic with what was found of its partitions, and above all its terms."""
        epoch = max(topic.epoch, self._epochs.get(topic.topic_id, topic.epoch))
        return replace(topic, tiers=self._tiers.get(topic.topic_id, {}), epoch=epoch)

    async def finish(self, outcomes: Sequence[TopicOutcome]) -> None:
        """Store the roots that restored topics need; the store has to be taken already.

        Raises:
            StoreUnavailableError: Some may be missing; restore again.
        """
        slots = asyncio.Semaphore(AT_ONCE_MAX)

        async def finish(tier: RestoredTier) -> None:
            async with slots:
                await self._partitions.finish(tier)

        tiers = [tier for each in outcomes if each.restored is not None for tier in each.found]
        await asyncio.gather(*(finish(each) for each in tiers))

    async def _dead(self, names: dict[TopicId, TopicNames]) -> set[TopicId]:
        slots = asyncio.Semaphore(AT_ONCE_MAX)

        async def is_dead(topic_id: TopicId, each: TopicNames) -> bool:
            async with slots:
                return await self._is_dead(topic_id, each)

        marked = {topic_id: each for topic_id, each in names.items() if each.deleted}
        dead = await asyncio.gather(*(is_dead(*each) for each in marked.items()))
        return {topic_id for topic_id, is_so in zip(marked, dead, strict=True) if is_so}

    async def _told(self, dead: dict[TopicId, TopicNames]) -> list[DeadTopic]:
        """Return what the store has of topics that were deleted."""
        slots = asyncio.Semaphore(AT_ONCE_MAX)

        async def told(topic_id: TopicId, names: TopicNames) -> DeadTopic:
            async with slots:
                mark = await newest_mark(self._objects, names)
                record = await newest_record(self._objects, names)
            # The grace begins anew where nothing tells when it began.
            deleted_ms = self._clock.wall_ms() if mark is None else mark.deleted_ms
            return DeadTopic(topic_id=topic_id, record=record, deleted_ms=deleted_ms)

        return await asyncio.gather(*(told(*each) for each in dead.items()))

    async def _is_dead(self, topic_id: TopicId, names: TopicNames) -> bool:
        """Whether a topic was deleted, as far as the owner counts who made the cut."""
        if self._cut is not None and topic_id in self._in_cut:
            owner = self._cut.owner
            if not any(each.owner >= owner for each in names.deleted):
                return False
        return await self._objects.is_deleted(names)

    def _is_asked_for(self, names: set[str]) -> bool:
        if not self._request.topics or not self._request.topics.isdisjoint(names):
            return True
        return not INTERNAL_TOPICS.isdisjoint(names)

    async def _find(
        self, known: Sequence[FoundTopic], is_wanted: Callable[[TopicId], bool]
    ) -> None:
        """Restore the partitions of the topics that are wanted, and of those without a record."""
        asked = self._request.topics
        slots = asyncio.Semaphore(AT_ONCE_MAX)

        async def go_through(prefix: str) -> bool:
            is_any = False
            async with slots:
                below = partitions_below(self._store, prefix, cluster_id=self._cluster_id)
                async for names in below:
                    if is_wanted(names.path.topic_id):
                        await self._take(names)
                        is_any = True
            return is_any

        async def go_through_topic(topic: FoundTopic) -> None:
            count = _partitions(topic)
            await asyncio.gather(*(go_through(self._prefix(topic, n)) for n in range(count)))
            # It may have grown since its record was written.
            while topic.is_tiered and await go_through(self._prefix(topic, count)):
                count += 1

        if asked and asked <= {name for topic in known for name in _names_of(topic)}:
            await asyncio.gather(*(go_through_topic(each) for each in known))
        else:
            await asyncio.gather(*(go_through(each) for each in ALL_PREFIXES))

    def _prefix(self, topic: FoundTopic, number: int) -> str:
        path = PartitionPath(cluster_id=self._cluster_id, topic_id=topic.topic_id, partition=number)
        return path.prefix

    async def _take(self, names: PartitionNames) -> None:
        path = names.path
        tiers = self._tiers.setdefault(path.topic_id, {})
        size = 0
        try:
            pinned = self._pins.get((path.topic_id, path.partition))
            tier = tiers[path.partition] = await self._partitions.restore(names, pinned=pinned)
            size = 0 if tier.pointer is None else tier.pointer.bytes
        except RetriableError:
            raise  # a store that is away is no reason to leave anything out
        except EverlogError as error:
            tiers[path.partition] = error
        self._progress.took(size)

    def _check(self, outcomes: list[TopicOutcome], topics: dict[TopicId, FoundTopic]) -> None:
        """Refuse what is asked for and not there."""
        there = {name for each in outcomes for name in (each.name, each.topic_id.hex())}
        missing = sorted(self._request.topics - there)
        if missing or all(each.name in INTERNAL_TOPICS for each in outcomes):
            names = sorted(each.record.name for each in topics.values() if each.record is not None)
            what = f"topic {missing[0]!r}" if missing else "topics"
            raise NothingToRestoreError(
                f"the archive of cluster {self._cluster_id} has no {what}; "
                f"it has {', '.join(names) or 'none'}"
            )


def _names_of(topic: FoundTopic) -> set[str]:
    name = recovered_name(topic.topic_id) if topic.record is None else topic.record.name
    return {name, topic.topic_id.hex()}


def _partitions(topic: FoundTopic) -> int:
    """Return how many partitions may have objects, as far as its record tells."""
    return topic.record.partitions if topic.record is not None and topic.is_tiered else 0
