"""Copies what a partition has in one store to another: a root only behind all that it names."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from hashlib import sha256

from everlog.format.entries import Entry, entry_of
from everlog.format.object_keys import PartitionPath, RootKey, Uid, parse_key
from everlog.format.page import decode_page
from everlog.format.page_refs import INDEX_PAGE, PageId, ref_of
from everlog.format.root import Root
from everlog.format.root_codec import decode_root
from everlog.format.span_table import SpanTable
from everlog.model.errors import CorruptionError
from everlog.stores.errors import ObjectExistsError, ObjectMissingError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore, list_all
from service.tiering.archive_listing import RootNames, root_names
from service.tiering.copy_classes import CopyClasses
from service.tiering.copy_outcome import CopyCounts, OnCount, PartitionCopy
from service.tiering.deleted_archives import was_deleted
from service.tiering.manifest_store import PAGE_BYTES_MAX, ROOT_BYTES_MAX, ManifestStore
from service.tiering.object_copying import ObjectCopier

OBJECTS_AT_ONCE = 8
"""Objects that are copied side by side, of all partitions."""

ATTEMPTS_MAX = 5
"""How often a partition is begun anew whose objects are retired faster than they are copied."""

_MISSING = "it is not there; put it back at the source, and copy again"
_DAMAGED = "put a sound one in its place at the source, and copy again"
_OTHER_SIZE = "remove it from the copy, and copy again"


class _MovedOnError(Exception):
    """The source has a newer root than the one that was copied."""


class PartitionCopier:
    """Copies partitions of one store to another, also several at a time.

    Args:
        objects: Copies segment objects.
        classes: Chooses what they are stored as.
        is_trial: Whether to count only what would be copied.
        on_count: Told of the counts as they change.
        objects_at_once: Copied side by side.

    Attributes:
        counts: Over all partitions.
        slots: One for each object on its way.
    """

    def __init__(
        self,
        source: ObjectStore,
        target: ObjectStore,
        *,
        objects: ObjectCopier,
        classes: CopyClasses,
        is_trial: bool = False,
        on_count: OnCount = lambda _: None,
        objects_at_once: int = OBJECTS_AT_ONCE,
    ) -> None:
        self.counts = CopyCounts()
        self._source = source
        self._target = target
        self._objects = objects
        self._classes = classes
        self._is_trial = is_trial
        self._on_count = on_count
        self.slots = asyncio.Semaphore(objects_at_once)

    async def copy(self, path: PartitionPath, *, is_thorough: bool) -> PartitionCopy:
        """Copy all that the roots of a partition name and the other store does not have.

        Args:
            path: Whose it is.
            is_thorough: Whether to look also at what the newest root names if the other store has
                that root: an earlier copy may have found objects missing.

        Raises:
            StoreUnavailableError: A store did not answer.
            StoreDeniedError: It refuses this process.
            UnsupportedFormatError: A newer Everlog wrote a root or page.
        """
        for attempt in range(ATTEMPTS_MAX):
            copy = PartitionCopy(path=path)
            try:
                await self._copy(copy, is_thorough=is_thorough or attempt > 0)
            except _MovedOnError:
                continue
            return copy
        copy = PartitionCopy(path=path)
        reason = "objects are retired faster than they are copied; copy again, or from nearer by"
        copy.add(path.prefix, reason)
        return copy

    async def _copy(self, copy: PartitionCopy, *, is_thorough: bool) -> None:
        path = copy.path
        names = await root_names(self._source, path)
        copy.root = names.newest
        held = await self.sizes(path.roots)
        if names.newest is None:
            await self._note_rootless(copy)
            return
        ahead = _ahead(held, names.newest)
        if ahead is not None:
            reason = "the source has no commit as new: the copy is in use, or the source lost it"
            copy.add(ahead.text, f"{reason}; nothing of this partition was copied")
            return
        wanted = [
            key
            for key in names.keys
            if key.text not in held or (is_thorough and key == names.newest)
        ]
        if wanted:
            for prefix in (path.segments, path.pages):
                held |= await self.sizes(prefix)
        work = _PartitionWork(self, copy, names, held)
        for key in wanted:
            await work.take(key)
        if names.hint is not None and wanted and not self._is_trial:
            await ManifestStore(self._target).hint(path, names.hint)
            self.counts.puts += 1

    async def _note_rootless(self, copy: PartitionCopy) -> None:
        """Tell a partition before its first commit, or that was deleted, from one without roots."""
        page = await self._source.list(copy.path.segments, limit=1)
        if page and not await was_deleted(self._source, copy.path):
            reason = "no root names it; see everlog tier gc and verify about the source"
            copy.add(page[0].key, reason)

    async def sizes(self, prefix: str) -> dict[str, int]:
        """Return the bytes of each object that the other store has below a prefix."""
        return {info.key: info.size async for info in list_all(self._target, prefix)}

    # ---- one object

    async def segment(self, entry: Entry, key: ObjectKey) -> None:
        """Copy a segment object.

        Raises:
            ObjectMissingError: It is not there.
            CorruptionError: It is damaged; the copy does not get it.
        """
        if not self._is_trial:
            size, crc32c = entry.size_bytes, entry.crc32c
            copy = partial(self._objects.copy, key, size=size, crc32c=crc32c)
            await self._classes.stored(entry, lambda chosen: copy(storage_class=chosen))
        self.counts.gets += 1
        self._count(entry.size_bytes)

    def find(self, entry: Entry) -> None:
        """Count an object that a root names."""
        self.counts.found_bytes += entry.size_bytes
        self.counts.class_bytes[self._classes.of(entry)] += entry.size_bytes

    def keep(self, entry: Entry) -> None:
        """Count an object that the other store has already."""
        self.counts.kept_objects += 1
        self.counts.kept_bytes += entry.size_bytes
        self._on_count(self.counts)

    async def read(self, key: ObjectKey, *, size_max: int) -> bytes:
        """Read a page or a root of the source."""
        self.counts.gets += 1
        return await self._source.read_all(key, size_max=size_max)

    async def store(self, key: ObjectKey, body: bytes) -> None:
        """Store a page or a root, which was verified."""
        if not self._is_trial:
            try:
                await self._target.create(key, body)
            except ObjectExistsError:
                # Another copy beside this one, or a listing that does not show it yet.
                if await self._target.read_all(key, size_max=ROOT_BYTES_MAX) != body:
                    raise
        self._count(len(body))

    async def has_moved_on(self, path: PartitionPath, newest: RootKey) -> bool:
        """Whether the source has another root by now."""
        return (await root_names(self._source, path)).newest != newest

    def _count(self, size: int) -> None:
        self.counts.objects += 1
        self.counts.bytes += size
        self.counts.puts += 1
        self._on_count(self.counts)


class _PartitionWork:
    """One pass over the roots of a partition.

    Args:
        held: Bytes of each object that the other store has, by name.
    """

    def __init__(
        self,
        copier: PartitionCopier,
        copy: PartitionCopy,
        names: RootNames,
        held: dict[str, int],
    ) -> None:
        self._copier = copier
        self._copy = copy
        self._names = names
        self._held = held
        self._seen: set[Uid] = set()
        self._listed: set[PartitionPath] = set()
        self._lost: list[str] = []

    async def take(self, key: RootKey) -> None:
        """Copy a root and, before it, what it names; a retired one only if all of that is there."""
        is_newest = key == self._names.newest
        self._lost = []
        found = await self._root(key)
        if found is not None:
            await self._copy_named(found[1])
        if self._lost and not is_newest:
            return  # nobody needs it any more: its objects go after their grace
        if self._lost:
            await self._explain_loss(key)
        if found is None:
            return
        body, root = found
        if is_newest:
            self._copy.created_ms = root.created_ms
        if key.text not in self._held:
            await self._copier.store(object_key(key.text), body)
        self._copier.counts.roots += 1

    async def _root(self, key: RootKey) -> tuple[bytes, Root] | None:
        try:
            body = await self._copier.read(object_key(key.text), size_max=ROOT_BYTES_MAX)
            return body, decode_root(body, key=key, digest=self._names.digest_of(key))
        except ObjectMissingError:
            self._lost.append(key.text)
        except CorruptionError as error:
            self._copy.add(key.text, f"{error}; {_DAMAGED}")
        return None

    async def _explain_loss(self, newest: RootKey) -> None:
        """Begin anew if the source has gone on without what is missing; else say so."""
        if await self._copier.has_moved_on(self._copy.path, newest):
            raise _MovedOnError
        for key in self._lost:
            self._copy.add(key, _MISSING)

    async def _copy_named(self, root: Root) -> None:
        """Copy the objects that a root names, and then its pages, those with entries first."""
        await self._list_origins(root)
        pages: list[PageId] = []
        async with asyncio.TaskGroup() as tasks:
            async for entry in self._entries(root.refs, root, pages):
                key = object_key(entry.key(root.home_of(entry)).text)
                if entry.uid in self._seen:
                    continue
                self._seen.add(entry.uid)
                self._copier.find(entry)
                if key in self._held:
                    self._check_held(entry, key)
                    continue
                await self._copier.slots.acquire()
                tasks.create_task(self._segment(entry, key))
        for page in pages:
            await self._store_page(page)

    async def _list_origins(self, root: Root) -> None:
        """Look what the other store has of the objects that a clone shares with its sources."""
        for origin in root.origins:
            if origin.path not in self._listed:
                self._listed.add(origin.path)
                self._held |= await self._copier.sizes(origin.path.segments)

    def _check_held(self, entry: Entry, key: ObjectKey) -> None:
        held, size = self._held[key], entry.size_bytes
        if held != size:
            self._copy.add(key, f"the copy has {held:,} bytes instead of {size:,}; {_OTHER_SIZE}")
        self._copier.keep(entry)

    async def _segment(self, entry: Entry, key: ObjectKey) -> None:
        try:
            await self._copier.segment(entry, key)
        except ObjectMissingError:
            self._lost.append(key)
        except CorruptionError as error:
            self._copy.add(key, f"{error}; {_DAMAGED}")
        finally:
            self._copier.slots.release()

    # ---- the manifest

    async def _entries(
        self, refs: SpanTable, root: Root, pages: list[PageId]
    ) -> AsyncIterator[Entry]:
        """Yield what is below references, and then the root's own; collect the pages."""
        for index in range(refs.index_after(root.live_start), len(refs)):
            page = ref_of(refs, index).page
            rows = None if page.uid in self._seen else await self._rows(page)
            if rows is None:
                continue
            async for entry in self._below(page, rows, root, pages):
                yield entry
            self._seen.add(page.uid)
            pages.append(page)
        if refs is root.refs:
            for entry in _live(root.entries, root):
                yield entry

    async def _below(
        self, page: PageId, rows: SpanTable, root: Root, pages: list[PageId]
    ) -> AsyncIterator[Entry]:
        if page.level == INDEX_PAGE:
            async for entry in self._entries(rows, root, pages):
                yield entry
        else:
            for entry in _live(rows, root):
                yield entry

    async def _rows(self, page: PageId) -> SpanTable | None:
        body = await self._page_body(page)
        try:
            return None if body is None else decode_page(body, page, path=self._copy.path).rows
        except CorruptionError as error:
            self._copy.add(page.key(self._copy.path).text, f"{error}; {_DAMAGED}")
            self._seen.add(page.uid)  # other roots name it, too
            return None

    async def _page_body(self, page: PageId) -> bytes | None:
        key = object_key(page.key(self._copy.path).text)
        try:
            return await self._copier.read(key, size_max=PAGE_BYTES_MAX)
        except ObjectMissingError:
            self._lost.append(key)
            return None

    async def _store_page(self, page: PageId) -> None:
        key = object_key(page.key(self._copy.path).text)
        if key in self._held:
            return
        # Read again rather than kept: a large partition has a thousand pages.
        body = await self._page_body(page)
        if body is not None and sha256(body).digest() == page.sha256:
            await self._copier.store(key, body)
            self._held[key] = len(body)


def _live(table: SpanTable, root: Root) -> Iterator[Entry]:
    for index in range(table.index_after(root.live_start), len(table)):
        yield entry_of(table, index)


def _ahead(held: Iterable[str], newest: RootKey) -> RootKey | None:
    """Return a root of the copy that is newer than the source's newest."""
    keys = (parse_key(each) for each in held)
    return next(
        (key for key in keys if isinstance(key, RootKey) and key.stamp > newest.stamp), None
    )
