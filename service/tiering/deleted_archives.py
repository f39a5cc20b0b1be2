"""What a store still has of topics that were deleted: for people who want one back."""

from dataclasses import dataclass

from everlog.format.deletion_mark import DeletionMark
from everlog.format.errors import UnsupportedFormatError
from everlog.format.meta_keys import parse_meta_key, topic_prefix
from everlog.format.object_keys import LatestKey, PartitionPath
from everlog.format.pointer import POINTER_BYTES_MAX, decode_pointer
from everlog.format.topic_record import TopicRecord
from everlog.model.errors import CorruptionError
from everlog.model.ids import TopicId
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore, list_all
from service.tiering.topic_objects import TopicNames, TopicObjects


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedArchive:
    """A deleted topic whose objects are there, or on their way out.

    Attributes:
        record: How it was; None if the store does not tell.
        mark: When it was deleted; None if that cannot be read.
        bytes: Of its archive, as the hints of its partitions say; None where one is missing.
    """

    cluster_id: str
    topic_id: TopicId
    record: TopicRecord | None
    mark: DeletionMark | None
    bytes: int | None

    @property
    def deleted_ms(self) -> int:
        """Wall time of the deletion; 0 if it is not known."""
        return 0 if self.mark is None else self.mark.deleted_ms


async def deleted_archives(
    store: ObjectStore, topics: TopicObjects, *, cluster_id: str
) -> list[DeletedArchive]:
    """Return the deleted topics of a cluster, the one that was deleted last first.

    Reads a few small objects for each; raises what the store raises.
    """
    found = [
        await _archive(store, topics, cluster_id, topic_id, names)
        for topic_id, names in (await topics.all()).items()
        if await topics.is_deleted(names)
    ]
    return sorted(found, key=lambda each: each.deleted_ms, reverse=True)


async def was_deleted(store: ObjectStore, path: PartitionPath) -> bool:
    """Whether a store tells that a partition's topic was deleted; raises what the store raises.

    Then its roots go before its objects, of which those stay that a clone needs.
    """
    names = TopicNames()
    async for info in list_all(store, topic_prefix(path.cluster_id, path.topic_id)):
        names.take(parse_meta_key(info.key))
    return names.is_deleted


async def _archive(
    store: ObjectStore,
    topics: TopicObjects,
    cluster_id: str,
    topic_id: TopicId,
    names: TopicNames,
) -> DeletedArchive:
    record = await newest_record(topics, names)
    return DeletedArchive(
        cluster_id=cluster_id,
        topic_id=topic_id,
        record=record,
        mark=await newest_mark(topics, names),
        bytes=None if record is None else await _bytes(store, cluster_id, record),
    )


async def newest_record(topics: TopicObjects, names: TopicNames) -> TopicRecord | None:
    """Return the newest record of a topic that can be read; None without any."""
    for key in reversed(names.records):
        try:
            return await topics.read(key)
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError):
            continue  # the one before tells nearly as much
    return None


async def newest_mark(topics: TopicObjects, names: TopicNames) -> DeletionMark | None:
    """Return what tells of the last deletion of a topic; None if nothing that can be read does."""
    marks: list[DeletionMark] = []
    for key in names.deleted:
        try:
            marks.append(await topics.read_mark(key))
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError):
            continue  # told as not known
    return max(marks, key=lambda each: each.deleted_ms, default=None)


async def _bytes(store: ObjectStore, cluster_id: str, record: TopicRecord) -> int | None:
    total = 0
    for number in range(record.partitions):
        path = PartitionPath(cluster_id=cluster_id, topic_id=record.topic_id, partition=number)
        try:
            hint = await store.read_all(
                object_key(LatestKey(path=path).text), size_max=POINTER_BYTES_MAX
            )
            total += decode_pointer(hint).bytes
        except ObjectMissingError:
            continue  # nothing was archived of this partition, or it is gone
        except (CorruptionError, UnsupportedFormatError):
            return None
    return total
