"""Deletes what nothing refers to: retired objects, orphans, and objects of deleted topics.

Nobody else deletes what holds records or leads to them. What is retired is listed in the committed
root, with the time before which it stays; a stop between deleting it and striking it off the list
only means that it is deleted again.
What the store keeps locked stays in the list until the lock ends, and nothing waits for it.
What a clone needs stays whatever else is true of it. The root that says that something has gone is
read first, then the pins, then it is deleted: whoever makes a clone later goes by that root or by a
later one, which does not list it.
Orphans are listed nowhere (`service.tiering.orphans`): they are found by going through the names of
the store, some at a time, since there may be millions.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from dataclasses import dataclass

import structlog

from everlog.format.object_keys import (
    PageKey,
    PartitionPath,
    RootKey,
    SegmentKey,
    Uid,
    parse_key,
)
from everlog.format.pins import Pin, deletable, is_pinned
from everlog.format.trash import (
    Trash,
    Trashed,
    TrashedPage,
    TrashedRange,
    TrashedRoot,
    TrashedSegment,
    TrashItem,
    contents,
)
from everlog.format.walk import drive_async
from everlog.model.errors import CorruptionError, EverlogError, RetriableError
from everlog.stores.errors import ObjectMissingError, ObjectsNotDeletedError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectInfo, ObjectStore
from service.model.setting_type import LONG_MAX
from service.tiering.orphans import Census, Finding, Standing
from service.tiering.partition_tier import PartitionTier
from service.tiering.refusals import Refusals
from service.tiering.stats import TierStats

ITEMS_MAX = 1000
"""Items of trash that are deleted for one commit; a delete request of S3 takes as many keys."""

TRASH_BYTES_MAX = 2 << 20
"""Of a root that is stored at every commit, and can be read up to 16 MiB.

At a slice every five seconds it lasts for a day (98 bytes a slice), at one a second for five hours.
"""

FINDINGS_PER_ROUND = 64
"""Names that are judged without letting the loop do something else; each takes some 30 us."""

_log = structlog.get_logger(__name__)


class TierBehindError(CorruptionError):
    """The store has commits that the pointer does not know: somebody has set it back."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(
            f"{finding.key}: {finding.reason}; nothing is removed until that is explained"
        )


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """How far a search for orphans has come.

    Attributes:
        kind: Roots first, then pages, then segments: what names others goes before them.
        after: The last name that was looked at; None before the first of its kind.
    """

    kind: int = 0
    after: str | None = None

    def prefix(self, path: PartitionPath) -> str:
        """Return what the names that come next begin with."""
        return (path.roots, path.pages, path.segments)[self.kind]

    def behind(self, names: Sequence[ObjectInfo]) -> "SearchPlace | None":
        """Return where to go on after some names; None at the end."""
        if len(names) == LIST_OBJECTS_MAX:
            return SearchPlace(self.kind, names[-1].key)
        return SearchPlace(self.kind + 1) if self.kind < _KINDS - 1 else None


_KINDS = 3


PinsOf = Callable[[PartitionPath], Awaitable[Sequence[Pin]]]
"""Returns what clones need of a partition, as the newest write has left it."""


async def no_pins(_path: PartitionPath) -> Sequence[Pin]:
    """Say that there are no clones."""
    return ()


@dataclass(frozen=True, slots=True)
class Swept:
    """How many objects a prefix had that were deleted, stay for clones, or cannot be deleted."""

    deleted: int
    pinned: int
    refused: int = 0


NOTHING_SWEPT = Swept(0, 0)


class Sweeper:
    """Deletes objects.

    Args:
        early_ms: What only a restore to an earlier time wants may go so long before its time, where
            the trash is too long.
        pins_of: What stays.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        stats: TierStats,
        early_ms: int = 0,
        pins_of: PinsOf = no_pins,
    ) -> None:
        self._early_ms = early_ms
        self._store = store
        self._stats = stats
        self._pins_of = pins_of
        self._refusals = Refusals()

    async def empty_trash(
        self, tier: PartitionTier, *, now_ms: int, roots_min: int = 1
    ) -> list[int]:
        """Delete the oldest items of a tier's trash that are due; return their places.

        The next commit has to strike them off. Fewer than ``roots_min`` that are nothing but old
        roots are left for later. Of a trash beyond `TRASH_BYTES_MAX` the oldest are due as soon as
        no reader wants them.

        What the store has locked stays listed until the lock ends, and what it refuses to delete
        rests for a while; nothing else waits for either.

        Raises:
            ObjectsNotDeletedError: Some are still there, and may go if that is tried again.
            StoreUnavailableError: The store did not answer.
            ConnectionLostError: The metadata store did not.
        """
        root = await tier.root()
        trash = Trash() if root is None else root.trash
        # What may go can be behind any number of items that may not.
        limit = None if trash.locked or self._refusals.has(tier.path) else ITEMS_MAX

        def stays(item: TrashItem) -> bool:
            rests = self._refusals.rests(tier.path, item.thing, now_ms=now_ms)
            return rests or item.is_locked(now_ms)

        due = trash.due(now_ms, items_max=limit)
        is_long = len(trash.data) > TRASH_BYTES_MAX and self._early_ms > 0
        free = [item for item in due if not stays(item)]
        if not is_long and not _is_worth_it(free, roots_min):
            return []
        # In this order: see the top of this file.
        pins = await self._pins_of(tier.path)
        limit = None if pins else limit
        due = trash.due(now_ms, items_max=limit)
        gone = deletable(due, pins, stays=stays, items_max=ITEMS_MAX)
        if not gone and is_long:
            due = trash.due(min(now_ms + self._early_ms, LONG_MAX - 1), items_max=limit)
            gone = deletable(due, pins, stays=stays, items_max=ITEMS_MAX)
            self._tell_early(tier, [due[place] for place in gone], now_ms)
        if not _is_worth_it([due[place] for place in gone], roots_min):
            return []
        kept = await self._delete_items(tier, {place: due[place].thing for place in gone})
        for place in kept:
            self._refusals.note(tier.path, due[place].thing, now_ms=now_ms)
        return [place for place in gone if place not in kept]

    async def _delete_items(self, tier: PartitionTier, things: Mapping[int, Trashed]) -> set[int]:
        """Delete what items stand for; return the places of those that the store refuses."""
        kept: set[int] = set()
        places: dict[ObjectKey, int] = {}
        for place, thing in things.items():
            async for key in self._keys(tier, thing):
                places[key] = place
                # An item may stand for a million objects.
                if len(places) == LIST_OBJECTS_MAX:
                    kept |= {places[each] for each in await self._delete(list(places))}
                    places = {}
        kept |= {places[each] for each in await self._delete(list(places))}
        return kept

    def _tell_early(self, tier: PartitionTier, gone: Sequence[TrashItem], now_ms: int) -> None:
        if gone:
            _log.warning(
                "restore_window_cut",
                partition=tier.path.prefix,
                missing_ms=gone[-1].not_before_ms - now_ms,
                reason=f"its trash has more than {TRASH_BYTES_MAX} bytes",
                advice="archive.restore.window.ms is not reached there; for that, slices have to "
                "be fewer (remote.copy.lag.max.ms)",
            )

    async def remove_orphans(
        self,
        tier: PartitionTier,
        at: SearchPlace,
        *,
        now_ms: int,
        grace_ms: int,
        underway: Collection[Uid] = (),
    ) -> SearchPlace | None:
        """Look at some names and delete the orphans; return where to go on, None at the end.

        Call it between two commits of the tier, never beside one: a page that a commit has stored
        is named by nothing until the pointer has moved. What a rewrite is making beside it has to
        be ``underway``.

        Raises:
            TierFencedError: Somebody else owns the tier; nothing was deleted.
            TierBehindError: Nothing of the names at hand was deleted.
            RetriableError: A store did not answer; look again at the same place.
        """
        names = await self._store.list(
            at.prefix(tier.path), start_after=at.after, limit=LIST_OBJECTS_MAX
        )
        root = await tier.root()
        census = Census(
            tier.pointer,
            root,
            pins=await self._pins_of(tier.path),
            now_ms=now_ms,
            grace_ms=grace_ms,
            underway=underway,
        )
        orphans: list[Finding] = []
        for number, info in enumerate(names):
            if number % FINDINGS_PER_ROUND == 0:
                await asyncio.sleep(0)
            finding = await drive_async(census.finding(info), tier.page)
            if finding.standing is Standing.AHEAD:
                await tier.confirm()  # a new owner's commits are no surprise
                raise TierBehindError(finding)
            if finding.standing is Standing.ORPHAN:
                orphans.append(finding)
        if orphans:
            await self._remove(tier, orphans)
        return at.behind(names)

    async def _remove(self, tier: PartitionTier, orphans: Sequence[Finding]) -> None:
        # After the names were listed: whoever claims the tier later makes objects of its own, and
        # cannot commit any that were there before.
        await tier.confirm()
        # What is refused is an orphan still when the next search comes.
        kept = await self._delete([each.key for each in orphans])
        gone = [each for each in orphans if each.key not in kept]
        for each in gone:
            _log.info("orphan_removed", object=each.key, bytes=each.size, reason=each.reason)
        self._stats.orphan_objects += len(gone)
        self._stats.orphan_bytes += sum(each.size for each in gone)

    async def empty_prefix(self, prefix: str, *, pins: Sequence[Pin] = ()) -> Swept:
        """Delete every object whose name begins with ``prefix``, but for what is pinned.

        It goes through the names once, even if a store still lists what was deleted (TIER-30).
        """
        deleted, pinned, refused, after = 0, 0, 0, None
        while page := await self._store.list(prefix, start_after=after, limit=LIST_OBJECTS_MAX):
            keys = [info.key for info in page if not _stays(info.key, pins)]
            kept = len(await self._delete(keys))
            deleted, refused = deleted + len(keys) - kept, refused + kept
            pinned += len(page) - len(keys)
            after = page[-1].key
        return Swept(deleted, pinned, refused)

    async def _delete(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        """Delete objects; return those that the store refuses to delete, which is told.

        Raises:
            ObjectsNotDeletedError: Some are still there for another reason.
        """
        refused: dict[ObjectKey, EverlogError] = {}
        for first in range(0, len(keys), LIST_OBJECTS_MAX):
            some = keys[first : first + LIST_OBJECTS_MAX]
            try:
                await self._store.delete(some)
            except ObjectsNotDeletedError as error:
                if any(isinstance(why, RetriableError) for why in error.failures.values()):
                    raise
                refused.update(error.failures)
        self._stats.deleted_objects += len(keys) - len(refused)
        if refused:
            self._stats.refused_deletions += len(refused)
            key, why = next(iter(refused.items()))
            _log.warning("deletions_refused", objects=len(refused), first=key, reason=str(why))
        return set(refused)

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


def _is_worth_it(items: Sequence[TrashItem], roots_min: int) -> bool:
    only_roots = all(isinstance(each.thing, TrashedRoot) for each in items)
    return len(items) >= (roots_min if only_roots else 1)


def _stays(text: str, pins: Sequence[Pin]) -> bool:
    if not pins:
        return False
    key = parse_key(text)
    return isinstance(key, SegmentKey) and is_pinned(key, pins)


def _name(path: PartitionPath, thing: TrashedSegment | TrashedPage | TrashedRoot) -> str:
    match thing:
        case TrashedSegment(offsets=offsets, stamp=stamp, uid=uid):
            return SegmentKey(path=path, offsets=offsets, stamp=stamp, uid=uid).text
        case TrashedPage(offsets=offsets, uid=uid):
            return PageKey(path=path, offsets=offsets, uid=uid).text
        case TrashedRoot(stamp=stamp, uid=uid):
            return RootKey(path=path, stamp=stamp, uid=uid).text
