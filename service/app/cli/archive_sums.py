"""How much of a topic an archive holds, by the newest root of each partition."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from everlog.format.class_sums import class_sums
from everlog.format.lock_sums import LockSums, lock_sums
from everlog.format.object_keys import PartitionPath
from everlog.format.walk import drive_async
from everlog.model.storage_class import class_numbered
from everlog.stores.object_store import ObjectStore
from service.tiering.archive_listing import read_root, root_names
from service.tiering.manifest_cache import ManifestCache
from service.tiering.manifest_store import ManifestStore

PARTITIONS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSums:
    """What a root says of all its objects together.

    Attributes:
        bytes_by_class: By the name of a storage class, as the manifest has it; what is missing is
            in the default one.
        locks: What of them, and of what is retired, cannot be deleted.
        max_timestamp_ms: No archived record has a greater one; None without any, or any with one.
    """

    objects: int
    bytes: int
    max_timestamp_ms: int | None
    bytes_by_class: Mapping[str, int] = field(default_factory=dict)
    locks: LockSums = field(default_factory=LockSums)


async def read_archive_sums(
    store: ObjectStore, paths: Sequence[PartitionPath], *, now_ms: int = 0
) -> dict[int, ArchiveSums]:
    """Read the newest roots; partitions without one are left out.

    Locks that have ended by ``now_ms`` do not count.

    Raises:
        EverlogError: The store did not answer, or a root is damaged.
    """
    found: dict[int, ArchiveSums] = {}
    manifests = ManifestStore(store, cache=ManifestCache(bytes_max=0))
    slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)

    async def read(path: PartitionPath) -> None:
        async with slots:
            names = await root_names(store, path)
            if names.newest is None:
                return
            root = (await read_root(store, names, names.newest)).root
            sums = await drive_async(class_sums(root), partial(manifests.page, path))
            locks = await drive_async(lock_sums(root, now_ms=now_ms), partial(manifests.page, path))
            newest = root.max_timestamp
            found[path.partition] = ArchiveSums(
                objects=root.totals.entries,
                bytes=root.totals.bytes,
                bytes_by_class={_class_name(number): size for number, size in sums.items()},
                locks=locks,
                max_timestamp_ms=None if newest is None or newest < 0 else newest,
            )

    async with asyncio.TaskGroup() as tasks:
        for path in paths:
            tasks.create_task(read(path))
    return found


def _class_name(number: int) -> str:
    known = class_numbered(number)
    return f"class {number}" if known is None else known.name
