"""Deletes what nothing refers to any more: retired objects, and those of deleted topics.

Nobody else deletes. What is retired is listed in the committed root, with the time before which it
stays; a stop between deleting it and striking it off the list only means that it is deleted again.
"""

from collections.abc import AsyncIterator, Sequence

from everlog.format.object_keys import PageKey, PartitionPath, RootKey, SegmentKey
from everlog.format.trash import (
    Trashed,
    TrashedPage,
    TrashedRange,
    TrashedRoot,
    TrashedSegment,
    TrashItem,
    contents,
)
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectStore
from service.tiering.partition_tier import PartitionTier
from service.tiering.stats import TierStats

ITEMS_MAX = 1000
"""Items of trash that are deleted for one commit; a delete request of S3 takes as many keys."""


class Sweeper:
    """Deletes objects."""

    def __init__(self, store: ObjectStore, *, stats: TierStats) -> None:
        self._store = store
        self._stats = stats

    async def empty_trash(self, tier: PartitionTier, *, now_ms: int) -> int:
        """Delete the oldest items of a tier's trash that are due; return how many items.

        The next commit has to strike them off.

        Raises:
            ObjectsNotDeletedError: Some are still there.
            StoreUnavailableError: The store did not answer.
        """
        root = tier.loaded_root
        due = () if root is None else root.trash.due(now_ms)[:ITEMS_MAX]
        keys: list[ObjectKey] = []
        for item in due:
            keys.extend([key async for key in self._keys(tier, item.thing)])
        await self._delete(keys)
        return len(due)

    async def empty_prefix(self, prefix: str) -> int:
        """Delete every object whose name begins with ``prefix``; return how many were found."""
        found = 0
        while page := await self._store.list(prefix, limit=LIST_OBJECTS_MAX):
            await self._delete([info.key for info in page])
            found += len(page)
        return found

    async def _delete(self, keys: Sequence[ObjectKey]) -> None:
        for first in range(0, len(keys), LIST_OBJECTS_MAX):
            some = keys[first : first + LIST_OBJECTS_MAX]
            await self._store.delete(some)
            self._stats.deleted_objects += len(some)

    async def _keys(self, tier: PartitionTier, thing: Trashed) -> AsyncIterator[ObjectKey]:
        """Yield the names that an item stands for, those in pages before the pages."""
        if not isinstance(thing, TrashedRange):
            yield object_key(_name(tier.path, thing))
            return
        try:
            page = await tier.page(thing.page)
        except ObjectMissingError:
            # The page goes last, so what it lists went before.
            return
        for each in contents(thing, page):
            async for key in self._keys(tier, each):
                yield key


def is_worth_a_commit(items: Sequence[TrashItem]) -> bool:
    """Whether there is more than old roots: striking off one root leaves another one."""
    return any(not isinstance(item.thing, TrashedRoot) for item in items)


def _name(path: PartitionPath, thing: TrashedSegment | TrashedPage | TrashedRoot) -> str:
    match thing:
        case TrashedSegment(offsets=offsets, stamp=stamp, uid=uid):
            return SegmentKey(path=path, offsets=offsets, stamp=stamp, uid=uid).text
        case TrashedPage(offsets=offsets, uid=uid):
            return PageKey(path=path, offsets=offsets, uid=uid).text
        case TrashedRoot(stamp=stamp, uid=uid):
            return RootKey(path=path, stamp=stamp, uid=uid).text
