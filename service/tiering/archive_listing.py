"""What a bucket holds, found without a broker: whose partitions, and the newest root of each.

Nothing here is the authority: the pointer is, in the metadata store. But roots are never changed,
stamps only rise, and what a root names was verified before it was stored.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from everlog.format.errors import UnsupportedFormatError
from everlog.format.object_keys import (
    ForeignKey,
    LatestKey,
    PartitionPath,
    RootKey,
    parse_key,
)
from everlog.format.pointer import POINTER_BYTES_MAX, Pointer, decode_pointer
from everlog.format.root import Root, RootRef
from everlog.format.root_codec import decode_root
from everlog.model.errors import CorruptionError
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectInfo, ObjectStore, list_all
from service.tiering.manifest_store import ROOT_BYTES_MAX

Wanted = Callable[[PartitionPath], bool]
"""Which partitions are looked for."""

_FIRST_DIGITS = "0123456789abcdef"
_BEHIND_ALL_NAMES = "~"
"""Sorts behind every character that a name may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootNames:
    """The roots of a partition by name, and what ``root/LATEST`` says.

    Attributes:
        keys: Newest first.
        hint: None if there is none, or no sound one.
    """

    keys: tuple[RootKey, ...]
    hint: Pointer | None

    @property
    def newest(self) -> RootKey | None:
        """The newest root; None without any."""
        return self.keys[0] if self.keys else None

    def digest_of(self, key: RootKey) -> bytes | None:
        """Return the SHA-256 that a root must have, if the hint is about that one."""
        ref = None if self.hint is None else self.hint.root
        return ref.sha256 if ref is not None and ref.uid == key.uid else None


@dataclass(frozen=True, slots=True)
class FoundRoot:
    """A root that was read, and its reference as a pointer would have it."""

    root: Root
    ref: RootRef


async def partitions_in(store: ObjectStore, wanted: Wanted = lambda _: True) -> list[PartitionPath]:
    """Return the partitions that have objects in a store, by topic and number.

    Takes a LIST for each first digit of a name, and one or two for each partition with more than
    a page of objects: those are skipped.
    """
    found: set[PartitionPath] = set()
    async with asyncio.TaskGroup() as tasks:
        for digit in _FIRST_DIGITS:
            tasks.create_task(_find(store, digit, found))
    mine = (path for path in found if wanted(path))
    return sorted(mine, key=lambda path: (path.cluster_id, path.topic_id, path.partition))


async def _find(store: ObjectStore, prefix: str, found: set[PartitionPath]) -> None:
    after: str | None = None
    while True:
        page = await store.list(prefix, start_after=after)
        last = _note(page, found)
        if len(page) < LIST_OBJECTS_MAX:
            return
        after = page[-1].key
        if last is not None:
            # Its segment objects come last, and there may be millions of them.
            after = max(after, last.segments + _BEHIND_ALL_NAMES)


def _note(page: Iterable[ObjectInfo], found: set[PartitionPath]) -> PartitionPath | None:
    """Take note of whose objects are on a page; return whose the last is."""
    path: PartitionPath | None = None
    before = ""
    for info in page:
        if path is not None and info.key.startswith(before):
            continue
        key = parse_key(info.key)
        path = None if isinstance(key, ForeignKey) else key.path
        if path is not None:
            before = path.prefix
            found.add(path)
    return path


async def root_names(store: ObjectStore, path: PartitionPath) -> RootNames:
    """Return the names of a partition's roots."""
    # The hint first: one that is newer than all roots then tells of roots that are gone.
    hint = await read_hint(store, path)
    keys = [key async for key in _root_keys(store, path)]
    named = None if hint is None or hint.root is None else hint.root.uid
    # A commit that was tried twice has two roots; the hint tells which one it became.
    keys.sort(key=lambda key: (key.stamp, key.uid == named), reverse=True)
    return RootNames(keys=tuple(keys), hint=hint)


async def read_root(store: ObjectStore, names: RootNames, key: RootKey) -> FoundRoot:
    """Read one of them.

    Raises:
        ObjectMissingError: It is gone.
        CorruptObjectError: It is damaged.
        UnsupportedFormatError: A newer Everlog wrote it.
    """
    body = await store.read_all(object_key(key.text), size_max=ROOT_BYTES_MAX)
    root = decode_root(body, key=key, digest=names.digest_of(key))
    return FoundRoot(root, RootRef(stamp=root.stamp, uid=root.uid, sha256=sha256(body).digest()))


async def read_hint(store: ObjectStore, path: PartitionPath) -> Pointer | None:
    """Return what ``root/LATEST`` says; None if there is none, or no sound one."""
    key = object_key(LatestKey(path=path).text)
    try:
        return decode_pointer(await store.read_all(key, size_max=POINTER_BYTES_MAX))
    except (ObjectMissingError, CorruptionError, UnsupportedFormatError):
        return None  # nobody depends on it


async def _root_keys(store: ObjectStore, path: PartitionPath) -> AsyncIterator[RootKey]:
    async for info in list_all(store, path.roots):
        key = parse_key(info.key)
        if isinstance(key, RootKey):
            yield key
