"""What retention may delete of a topic that is on hold no more, as far as its manifest tells."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from everlog.format.entries import Totals
from everlog.format.lookup import entry_at
from everlog.format.object_keys import PartitionPath
from everlog.format.retention import Cut, expired
from everlog.format.root import Root
from everlog.format.walk import Walk, drive_async
from everlog.model.offsets import Offset, OffsetRange
from everlog.stores.object_store import ObjectStore
from service.tiering.archive_listing import read_root, root_names
from service.tiering.manifest_cache import ManifestCache
from service.tiering.manifest_store import ManifestStore
from service.tiering.retention import Limits, tier_cut

PARTITIONS_AT_ONCE = 16
PAGE_BYTES = 4 << 20
"""Kept of manifests while they are looked at."""

_NO_TRASH_YET_MS = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPart:
    """What a leader tells of a partition.

    Attributes:
        log_start: Everything below it has been deleted.
        local_start: First offset on its disk.
        end: The high watermark.
        bytes: On its disk.
    """

    log_start: int
    local_start: int
    end: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What may go of one partition.

    Attributes:
        offsets: Which nobody could read any more; empty if nothing goes.
        objects: Sums over the objects that go.
    """

    offsets: OffsetRange
    objects: Totals


def may_expire(root: Root, limits: Limits, local: LocalPart, *, now_ms: int) -> Walk[Expiry]:
    """Return the most that retention takes of a tier now; reads as few pages as retention does."""
    untiered = yield from _untiered_bytes_max(root, local)
    cut = tier_cut(
        limits, log_start=Offset(local.log_start), untiered_bytes=untiered, now_ms=now_ms
    )
    left = yield from expired(root, cut, not_before_ms=_NO_TRASH_YET_MS)
    return Expiry(
        offsets=OffsetRange(root.tiered_start, left.tiered_start),
        objects=root.totals - left.totals,
    )


def _untiered_bytes_max(root: Root, local: LocalPart) -> Walk[int]:
    """Return how many local bytes retention counts besides the tier, at most."""
    if local.end <= root.tiered_end:
        return 0
    start = Offset(min(local.local_start, root.tiered_end))
    both = yield from expired(root, Cut(start=start), not_before_ms=_NO_TRASH_YET_MS)
    first = yield from entry_at(both, both.tiered_start)
    in_both = both.totals.data_bytes
    if first is not None and first.offsets.start < start:
        in_both -= first.data_bytes  # the disk may have but the end of it
    return max(0, local.bytes - in_both)


async def read_expiries(
    store: ObjectStore,
    parts: Mapping[PartitionPath, LocalPart],
    limits: Limits,
    *,
    now_ms: int,
) -> dict[int, Expiry]:
    """Read the newest roots, and what of their pages it takes; partitions without one are left out.

    Raises:
        EverlogError: The store did not answer, or a root is damaged.
    """
    found: dict[int, Expiry] = {}
    manifests = ManifestStore(store, cache=ManifestCache(bytes_max=PAGE_BYTES))
    slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)

    async def read(path: PartitionPath, local: LocalPart) -> None:
        async with slots:
            names = await root_names(store, path)
            if names.newest is None:
                return
            root = (await read_root(store, names, names.newest)).root
            walk = may_expire(root, limits, local, now_ms=now_ms)
            found[path.partition] = await drive_async(walk, partial(manifests.page, path))

    async with asyncio.TaskGroup() as tasks:
        for path, local in parts.items():
            tasks.create_task(read(path, local))
    return found
