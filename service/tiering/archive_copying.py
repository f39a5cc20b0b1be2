"""Copies an archive from one store to another, so that the copy names nothing that it lacks."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from everlog.format.cluster_marker import MARKER_BYTES_MAX, decode_marker
from everlog.format.meta_keys import (
    META,
    DeletedTopicKey,
    OwnerKey,
    TopicRecordKey,
    parse_meta_key,
)
from everlog.format.object_keys import ClusterKey, PartitionPath
from everlog.model.clock import Clock
from everlog.model.errors import RejectedError
from everlog.model.ids import TopicId
from everlog.model.storage_class import StorageClass
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectInfo, ObjectStore, list_all
from service.tiering.archive_listing import partitions_in
from service.tiering.copy_classes import CopyClasses
from service.tiering.copy_outcome import CopyCounts, CopyProblem, OnCount, PartitionCopy
from service.tiering.object_copying import ObjectCopier
from service.tiering.partition_copying import PartitionCopier
from service.tiering.store_owner import newest_owner

PARTITIONS_AT_ONCE = 8
"""Partitions that are copied side by side; they share the slots for objects."""

OnPartition = Callable[[int, int], None]
"""Told how many partitions are done, of how many."""


@dataclass(frozen=True, slots=True)
class CopyScope:
    """What of a store is copied; None for all.

    Attributes:
        topic_id: One topic alone; what names others, such as a cut, then stays away.
    """

    cluster_id: str | None = None
    topic_id: TopicId | None = None

    def has(self, path: PartitionPath) -> bool:
        """Whether a partition is meant."""
        return self.cluster_id in {None, path.cluster_id} and self.topic_id in {
            None,
            path.topic_id,
        }

    def has_meta(self, text: str) -> bool:
        """Whether an object below `META` is meant."""
        if self.cluster_id is not None and not text.startswith(f"{META}{self.cluster_id}/"):
            return False
        if self.topic_id is None:
            return True
        key = parse_meta_key(text)
        if isinstance(key, TopicRecordKey | DeletedTopicKey):
            return key.topic_id == self.topic_id
        return isinstance(key, ClusterKey | OwnerKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRound:
    """What one round of a copy has done.

    Attributes:
        as_of_ms: Everything that the source held then is in the copy, but for the problems.
        ended_ms: When the round was over.
        meta_objects: Copied of those that are no partition's.
        refused: Storage classes that the copy's store does not have.
    """

    as_of_ms: int
    ended_ms: int
    partitions: Sequence[PartitionCopy]
    counts: CopyCounts
    meta_objects: int
    refused: Collection[StorageClass] = ()

    @property
    def problems(self) -> Mapping[str, CopyProblem]:
        """Those that are kept, by object: a clone has the objects of its source, too."""
        return {one.key: one for each in self.partitions for one in each.problems}

    @property
    def problem_count(self) -> int:
        """How many objects the copy does not have as it should."""
        not_kept = sum(each.problem_count - len(each.problems) for each in self.partitions)
        return len(self.problems) + not_kept


class ArchiveCopier:
    """Copies what is new, round after round.

    Args:
        objects: Copies objects.
        classes: Chooses what segment objects are stored as.
        is_trial: Whether to say only what would be copied.
    """

    def __init__(
        self,
        source: ObjectStore,
        target: ObjectStore,
        *,
        objects: ObjectCopier,
        scope: CopyScope,
        clock: Clock,
        classes: CopyClasses | None = None,
        is_trial: bool = False,
    ) -> None:
        self._source = source
        self._target = target
        self._objects = objects
        self._scope = scope
        self._clock = clock
        self._classes = classes or CopyClasses()
        self._is_trial = is_trial
        self._sound: set[PartitionPath] = set()
        """What an earlier round has copied without a problem."""

    async def round(
        self,
        *,
        on_count: OnCount = lambda _: None,
        on_partition: OnPartition = lambda _done, _of: None,
    ) -> CopyRound:
        """Copy all that the source has and the copy lacks.

        Raises:
            RejectedError: The source has nothing that is meant, or the target is another archive.
            StoreUnavailableError: A store did not answer; the next round goes on.
            StoreDeniedError: It refuses this process.
        """
        as_of_ms = self._clock.wall_ms()
        # Before the partitions: a topic that comes later has its record copied a round later.
        meta = [each async for each in list_all(self._source, META) if self._has(each)]
        paths = await partitions_in(self._source, self._scope.has)
        if not meta and not paths:
            raise RejectedError(
                "the source has nothing of this in it: check its URL, its prefix, and what is "
                "archived yet"
            )
        await self._check_target(meta)
        copier = PartitionCopier(
            self._source,
            self._target,
            objects=self._objects,
            classes=self._classes,
            is_trial=self._is_trial,
            on_count=on_count,
        )
        copies = await self._copy_partitions(copier, paths, on_partition)
        self._sound = {each.path for each in copies if not each.problem_count}
        return CopyRound(
            as_of_ms=as_of_ms,
            partitions=copies,
            meta_objects=await self._copy_meta(meta, copier.counts),
            counts=copier.counts,
            refused=frozenset(self._classes.refused),
            ended_ms=self._clock.wall_ms(),
        )

    def _has(self, info: ObjectInfo) -> bool:
        return self._scope.has_meta(info.key)

    async def _copy_partitions(
        self, copier: PartitionCopier, paths: Sequence[PartitionPath], on_partition: OnPartition
    ) -> list[PartitionCopy]:
        done: dict[PartitionPath, PartitionCopy] = {}
        left = iter(paths)

        async def some() -> None:
            for path in left:
                done[path] = await copier.copy(path, is_thorough=path not in self._sound)
                on_partition(len(done), len(paths))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(PARTITIONS_AT_ONCE):
                tasks.create_task(some())
        return [done[path] for path in paths]

    # ---- what is no partition's

    async def _check_target(self, meta: Sequence[ObjectInfo]) -> None:
        """See that the target is empty, or an earlier copy that nobody works on."""
        names = {each.key for each in meta}
        for key in map(parse_meta_key, sorted(names)):
            if not isinstance(key, ClusterKey):
                continue
            await self._check_marker(key)
            owner = await newest_owner(self._target, key.cluster_id)
            if owner is not None and owner.text not in names:
                raise RejectedError(
                    f"a restore has taken the target over ({owner.text}), and the source does not "
                    "know that: what is there goes its own way now; give --to an empty place"
                )

    async def _check_marker(self, key: ClusterKey) -> None:
        bodies = []
        for store in (self._source, self._target):
            try:
                bodies.append(await store.read_all(object_key(key.text), size_max=MARKER_BYTES_MAX))
            except ObjectMissingError:
                return
        ours, theirs = map(decode_marker, bodies)
        if ours != theirs:
            raise RejectedError(
                f"the target holds another archive of cluster {key.cluster_id} "
                f"(store {theirs.store_id}, the source is {ours.store_id}): "
                "give --to an empty place"
            )

    async def _copy_meta(self, meta: Sequence[ObjectInfo], counts: CopyCounts) -> int:
        held = {each.key async for each in list_all(self._target, META)}
        copied = 0
        for info in sorted(meta, key=lambda each: (_meta_order(each.key), each.key)):
            if info.key in held:
                continue
            if not self._is_trial:
                try:
                    await self._objects.copy(info.key, size=info.size, crc32c=info.checksum_crc32c)
                except ObjectMissingError:
                    continue  # a newer one has taken its place
            copied += 1
            counts.puts += 1
            counts.gets += 1
        return copied


def _meta_order(text: str) -> int:
    """Return when an object comes; ``cluster.json`` makes the whole a store, so it is the last."""
    key = parse_meta_key(text)
    match key:
        case DeletedTopicKey():
            return 0  # before records, which would bring back a topic that is half gone
        case TopicRecordKey():
            return 1
        case OwnerKey():
            return 3
        case ClusterKey():
            return 4
        case _:
            return 2
