"""What a bucket holds besides live objects, and what becomes of it, told from the bucket alone.

The newest root stands for the pointer here, which is in the metadata store. It can be the root of a
commit that never came to be, and somebody may have claimed the tier since; so whatever the pointer
decides is told as what the broker would judge, and nothing is ever deleted by what is said here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from everlog.format.object_keys import (
    ForeignKey,
    LatestKey,
    PageKey,
    PartitionPath,
    RootKey,
    SegmentKey,
    parse_key,
)
from everlog.format.pins import Pin
from everlog.format.pointer import pointer_to, unclaimed
from everlog.format.root import Root
from everlog.format.trash import Trash, TrashedRange
from everlog.format.walk import drive_async
from everlog.model.offsets import Offset, OffsetRange
from everlog.stores.object_store import ObjectInfo, ObjectStore, list_all
from service.tiering.archive_listing import FoundRoot, read_root, root_names
from service.tiering.manifest_store import ManifestStore
from service.tiering.orphans import Census, Finding, Standing
from service.tiering.verification import LATE_MS

JUDGED_BY_BROKER = frozenset({Standing.OPEN, Standing.ORPHAN, Standing.AHEAD})
"""Only the pointer tells what really becomes of these."""

HOLDINGS_MAX = 10_000
"""Objects of one partition that are kept one by one; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An object that the newest root does not lead to.

    Attributes:
        due_ms: From when on the broker may delete it; None if it is not in the trash.
    """

    key: str
    size: int
    standing: Standing
    reason: str
    due_ms: int | None


@dataclass(slots=True, kw_only=True)
class PartitionHoldings:
    """All objects of a partition.

    Attributes:
        root: The newest; None without any.
        objects: How many there are, by what they are to the tier.
        sizes: Their bytes.
        others: The first `HOLDINGS_MAX` of those that are not live.
    """

    path: PartitionPath
    root: RootKey | None
    objects: Counter[Standing] = field(default_factory=Counter)
    sizes: Counter[Standing] = field(default_factory=Counter)
    others: list[Holding] = field(default_factory=list)


async def holdings_of(
    store: ObjectStore,
    path: PartitionPath,
    *,
    now_ms: int,
    grace_ms: int,
    pins: Sequence[Pin] = (),
) -> PartitionHoldings:
    """Go through the names of a partition and say what each is.

    Args:
        store: Where they are.
        path: Whose they are.
        now_ms: The time.
        grace_ms: Younger objects are not judged.
        pins: What clones need.

    Raises:
        CorruptObjectError: The newest root is damaged.
        StoreUnavailableError: The store did not answer.
    """
    names = await root_names(store, path)
    found = None if names.newest is None else await read_root(store, names, names.newest)
    judge = _Judge(store, path, found, before_ms=now_ms - grace_ms, pins=pins)
    held = PartitionHoldings(path=path, root=names.newest)
    async for info in list_all(store, path.prefix):
        each = await judge.holding(info)
        held.objects[each.standing] += 1
        held.sizes[each.standing] += each.size
        if each.standing is not Standing.LIVE and len(held.others) < HOLDINGS_MAX:
            held.others.append(each)
    return held


class _Judge:
    """What the broker would say, as far as the newest root goes."""

    def __init__(
        self,
        store: ObjectStore,
        path: PartitionPath,
        found: FoundRoot | None,
        *,
        before_ms: int,
        pins: Sequence[Pin],
    ) -> None:
        self._path = path
        self._manifests = ManifestStore(store)
        self._root: Root | None = None if found is None else found.root
        pointer = unclaimed(Offset(0)) if found is None else pointer_to(found.root, found.ref)
        self._owner = pointer.stamp
        self._before_ms = before_ms
        # Age counts for what nothing names, and only there.
        self._census = Census(pointer, self._root, now_ms=LATE_MS, grace_ms=0, pins=pins)
        self._due = DueTimes(Trash() if self._root is None else self._root.trash)

    async def holding(self, info: ObjectInfo) -> Holding:
        finding = await drive_async(
            self._census.finding(info), lambda page: self._manifests.page(self._path, page)
        )
        standing, reason = self._offline(finding, info)
        is_trash = standing is Standing.TRASH
        return Holding(
            key=info.key,
            size=info.size,
            standing=standing,
            reason=reason,
            due_ms=self._due.of(info) if is_trash else None,
        )

    def _offline(self, finding: Finding, info: ObjectInfo) -> tuple[Standing, str]:
        if finding.standing is not Standing.ORPHAN:
            return finding.standing, finding.reason
        key = parse_key(finding.key)
        if isinstance(key, RootKey | SegmentKey):
            made = (key.stamp.epoch, key.stamp.claim)
            if made > (self._owner.epoch, self._owner.claim):
                # Its maker may be about to commit it, if the newest root was never committed.
                return Standing.OPEN, "it was made under a later claim than the newest root"
        if info.modified_ms > self._before_ms:
            return Standing.YOUNG, f"{Standing.YOUNG.value}; {finding.reason}"
        return finding.standing, finding.reason


class DueTimes:
    """When what is in a root's trash may go."""

    def __init__(self, trash: Trash) -> None:
        self._by_uid: dict[bytes, int] = {}
        self._ranges: list[tuple[OffsetRange, int]] = []
        for item in trash.items():
            if isinstance(item.thing, TrashedRange):
                self._ranges.append((item.thing.offsets, item.free_ms))
            else:
                self._by_uid[item.thing.uid] = item.free_ms

    def of(self, info: ObjectInfo) -> int | None:
        """Return from when on an object may be deleted; None if it is not in the trash."""
        key = parse_key(info.key)
        if isinstance(key, ForeignKey | LatestKey):
            return None
        due_ms = self._by_uid.get(key.uid)
        if due_ms is not None or isinstance(key, RootKey):
            return due_ms
        return next((due for within, due in self._ranges if _ends_in(key, within)), None)


def _ends_in(key: PageKey | SegmentKey, within: OffsetRange) -> bool:
    return within.start < key.offsets.end <= within.end
