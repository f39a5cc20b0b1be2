"""How much of a topic an archive holds, by the newest root of each partition."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from everlog.format.object_keys import PartitionPath
from everlog.stores.object_store import ObjectStore
from service.tiering.archive_listing import read_root, root_names

PARTITIONS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSums:
    """What a root says of all its objects together.

    Attributes:
        max_timestamp_ms: No archived record has a greater one; None without any, or any with one.
    """

    objects: int
    bytes: int
    max_timestamp_ms: int | None


async def read_archive_sums(
    store: ObjectStore, paths: Sequence[PartitionPath]
) -> dict[int, ArchiveSums]:
    """Read the newest roots; partitions without one are left out.

    Raises:
        EverlogError: The store did not answer, or a root is damaged.
    """
    found: dict[int, ArchiveSums] = {}
    slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)

    async def read(path: PartitionPath) -> None:
        async with slots:
            names = await root_names(store, path)
            if names.newest is None:
                return
            root = (await read_root(store, names, names.newest)).root
            newest = root.max_timestamp
            found[path.partition] = ArchiveSums(
                objects=root.totals.entries,
                bytes=root.totals.bytes,
                max_timestamp_ms=None if newest is None or newest < 0 else newest,
            )

    async with asyncio.TaskGroup() as tasks:
        for path in paths:
            tasks.create_task(read(path))
    return found
