"""The records of topics in the object store: written by brokers, read by a restore."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import structlog

from everlog.format.deletion_mark import (
    MARK_BYTES_MAX,
    DeletionMark,
    decode_deletion_mark,
    encode_deletion_mark,
)
from everlog.format.errors import UnsupportedFormatError
from everlog.format.meta_keys import (
    DeletedTopicKey,
    TopicRecordKey,
    parse_meta_key,
    topic_prefix,
    topics_prefix,
)
from everlog.format.object_keys import Uid
from everlog.format.topic_record import (
    RECORD_BYTES_MAX,
    TopicRecord,
    decode_topic_record,
    encode_topic_record,
)
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import CorruptionError
from everlog.model.ids import TopicId
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo, ObjectStore, list_all

_log = structlog.get_logger(__name__)

RECORDS_KEPT = 8
"""Versions of a topic that stay, whatever their age: a restore to an earlier time has a choice."""


@dataclass(slots=True)
class TopicNames:
    """What the store has of one topic besides its records and objects of data.

    Attributes:
        records: Oldest first.
        deleted: What tells that the topic was deleted.
    """

    records: list[TopicRecordKey] = field(default_factory=list)
    deleted: list[DeletedTopicKey] = field(default_factory=list)

    def take(self, key: object) -> None:
        """Add a name, if it is one of these."""
        if isinstance(key, TopicRecordKey):
            self.records.append(key)
        elif isinstance(key, DeletedTopicKey):
            self.deleted.append(key)

    @property
    def is_deleted(self) -> bool:
        """Whether whoever knew the topic last has deleted it.

        A cluster that has lost the store to a restore, and has not noticed yet, may tell of
        deletions of its own; they are no business of the one that has the store.
        """
        known_by = max((each.owner for each in self.records), default=0)
        return any(each.owner >= known_by for each in self.deleted)

    def settle(self) -> None:
        """Bring the records into their order, once all are there."""
        self.records.sort(key=lambda each: each.order)


class TopicObjects:
    """Reads and writes them. Every method raises what the store raises.

    Args:
        grace_ms: A record that is not among the newest goes so long after the next one.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        cluster_id: str,
        clock: Clock,
        ids: IdSource,
        grace_ms: int = 0,
    ) -> None:
        self._store = store
        self._cluster_id = cluster_id
        self._clock = clock
        self._ids = ids
        self._grace_ms = grace_ms

    async def all(self) -> dict[TopicId, TopicNames]:
        """Return the names of all records there are, by topic."""
        found: dict[TopicId, TopicNames] = {}
        async for info in list_all(self._store, topics_prefix(self._cluster_id)):
            key = parse_meta_key(info.key)
            if isinstance(key, TopicRecordKey | DeletedTopicKey):
                found.setdefault(key.topic_id, TopicNames()).take(key)
        for names in found.values():
            names.settle()
        return found

    async def newest(self, topic_id: TopicId) -> TopicRecord | None:
        """Return the newest record of a topic; None without any. Raises what `read` raises."""
        names = TopicNames()
        for info in await self._infos(topic_id):
            names.take(parse_meta_key(info.key))
        names.settle()
        return await self.read(names.records[-1]) if names.records else None

    async def read(self, key: TopicRecordKey) -> TopicRecord:
        """Return a record.

        Raises:
            ObjectMissingError: It is gone.
            CorruptObjectError: It is damaged.
            UnsupportedFormatError: A newer Everlog wrote it.
        """
        body = await self._store.read_all(object_key(key.text), size_max=RECORD_BYTES_MAX)
        return decode_topic_record(body, topic_id=key.topic_id)

    async def put(self, record: TopicRecord, *, owner: int, version: int) -> TopicRecordKey:
        """Store a record."""
        key = TopicRecordKey(
            cluster_id=self._cluster_id,
            topic_id=record.topic_id,
            owner=owner,
            version=version,
            uid=Uid(self._ids.uuid()),
        )
        await self._store.create(object_key(key.text), encode_topic_record(record))
        return key

    async def remove(self, key: TopicRecordKey) -> None:
        """Take a record back."""
        await self._store.delete([object_key(key.text)])

    async def prune(self, topic_id: TopicId) -> None:
        """Delete the records of a topic that are old, and not among the newest."""
        before_ms = self._clock.wall_ms() - self._grace_ms
        gone = surplus(await self._infos(topic_id), before_ms=before_ms)
        if gone:
            await self._store.delete(gone)

    async def mark_deleted(
        self, mark: DeletionMark, *, owner: Callable[[], int], has_tier: bool
    ) -> None:
        """Tell that a topic was deleted, before the first of its objects is; once is enough.

        Args:
            mark: What to tell.
            owner: Number of the owner of the store; asked only once the store has answered.
            has_tier: Whether there may be objects of its partitions.
        """
        infos = await self._infos(mark.topic_id)
        number = owner()
        if not (infos or has_tier):
            return
        marks = [key for info in infos if (key := _deletion(info)) is not None]
        for each in marks:
            if each.owner >= number and not await self._is_overruled(each, mark.version):
                return
        key = DeletedTopicKey(
            cluster_id=self._cluster_id,
            topic_id=mark.topic_id,
            named_owner=number,
            uid=Uid(self._ids.uuid()),
        )
        await self._store.create(object_key(key.text), encode_deletion_mark(mark))

    async def unmark(self, topic_id: TopicId, *, owner: int, version: int) -> None:
        """Delete what tells that a topic was deleted that is back, since that version of it."""
        marks = [key for info in await self._infos(topic_id) if (key := _deletion(info))]
        gone = [
            object_key(each.text)
            for each in marks
            if each.owner <= owner and await self._is_overruled(each, version)
        ]
        if gone:
            await self._store.delete(gone)

    async def is_deleted(self, names: TopicNames) -> bool:
        """Whether a restore passes a topic over: nobody has known it since it was deleted.

        A mark that cannot be read counts: its topic's objects may be half gone.
        """
        if not names.is_deleted:
            return False
        newest = names.records[-1] if names.records else None
        for each in names.deleted:
            if newest is None or each.owner > newest.owner:
                return True
            if each.owner == newest.owner and not await self._is_overruled(each, newest.version):
                return True
        return False

    async def read_mark(self, key: DeletedTopicKey) -> DeletionMark:
        """Return what is told of a deletion; raises as `read` does."""
        body = await self._store.read_all(object_key(key.text), size_max=MARK_BYTES_MAX)
        return decode_deletion_mark(body, topic_id=key.topic_id)

    async def _is_overruled(self, key: DeletedTopicKey, version: int | None) -> bool:
        """Whether a mark is of an earlier version than that, of the same owner."""
        try:
            mark = await self.read_mark(key)
        except ObjectMissingError:
            return True
        except (CorruptionError, UnsupportedFormatError) as error:
            _log.warning("deletion_mark_unreadable", object=key.text, reason=str(error))
            return False
        return mark.version is not None and version is not None and mark.version < version

    async def forget(self, topic_id: TopicId) -> None:
        """Delete all records of a deleted topic, and last what tells that it was deleted."""
        infos = await self._infos(topic_id)
        last = [each.key for each in infos if _deletion(each) is not None]
        first = [each.key for each in infos if _deletion(each) is None]
        for keys in (first, last):
            if keys:
                await self._store.delete(keys)

    async def _infos(self, topic_id: TopicId) -> list[ObjectInfo]:
        prefix = topic_prefix(self._cluster_id, topic_id)
        return [info async for info in list_all(self._store, prefix)]


def surplus(
    infos: Sequence[ObjectInfo], *, before_ms: int, kept: int = RECORDS_KEPT
) -> list[ObjectKey]:
    """Return the records that are not among the newest, and were not the newest lately either.

    Args:
        infos: All that the store has of a topic.
        before_ms: When another record has followed one before that, nobody wants it any more.
        kept: How many stay, whatever their age.
    """
    named = [(parse_meta_key(each.key), each) for each in infos]
    records = sorted(
        ((key.order, info) for key, info in named if isinstance(key, TopicRecordKey)),
        key=lambda pair: pair[0],
    )
    gone = [
        info.key for (_, info), (_, after) in pairwise(records) if after.modified_ms < before_ms
    ]
    return gone[: max(0, len(records) - kept)]


def _deletion(info: ObjectInfo) -> DeletedTopicKey | None:
    key = parse_meta_key(info.key)
    return key if isinstance(key, DeletedTopicKey) else None
