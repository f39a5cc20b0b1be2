"""What of a copy the source does not account for any more, partition by partition."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from everlog.format.object_keys import PageKey, PartitionPath, RootKey, SegmentKey, parse_key
from everlog.format.pointer import pointer_to
from everlog.format.walk import drive_async
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectInfo, ObjectStore, list_all
from service.tiering.archive_listing import FoundRoot, read_root, root_names
from service.tiering.gc_preview import DueTimes
from service.tiering.manifest_store import ManifestStore
from service.tiering.orphans import Census, Standing
from service.tiering.verification import LATE_MS

_ROOT, _PAGE, _SEGMENT = 0, 1, 2
"""The order in which objects go: no root may name what is gone."""

_KINDS: dict[type, int] = {RootKey: _ROOT, PageKey: _PAGE, SegmentKey: _SEGMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """An object of the copy that may go, and why."""

    key: ObjectKey
    size: int
    reason: str


@dataclass(slots=True, kw_only=True)
class PartitionSurplus:
    """What may go of one partition.

    Attributes:
        objects: In the order in which they have to go.
        young: How many would go and are not old enough.
        kept_because: Why nothing of it may go; None if it may.
    """

    path: PartitionPath
    objects: list[Surplus] = field(default_factory=list)
    young: int = 0
    kept_because: str | None = None


async def surplus_of(
    source: ObjectStore, target: ObjectStore, path: PartitionPath, *, now_ms: int, grace_ms: int
) -> PartitionSurplus:
    """Return what of a partition the copy has and the source neither has nor names.

    Args:
        source: What is copied.
        target: The copy.
        path: Of the partition.
        now_ms: The time.
        grace_ms: What has been in the copy for less stays.

    Raises:
        CorruptObjectError: The source's newest root is damaged, and says nothing.
        StoreUnavailableError: A store did not answer.
    """
    surplus = PartitionSurplus(path=path)
    held = [info async for info in list_all(target, path.prefix)]
    # Listed before the root is read: what is stored in between is too young, and no candidate.
    names = await root_names(source, path)
    surplus.kept_because = _kept_because(held, names.newest)
    if names.newest is None or surplus.kept_because is not None:
        return surplus
    found = await read_root(source, names, names.newest)
    there = {info.key async for info in list_all(source, path.prefix)}
    judge = _Judge(source, path, found, now_ms=now_ms)
    for info in held:
        reason = None if info.key in there else await judge.reason(info)
        if reason is None:
            continue
        if info.modified_ms > now_ms - grace_ms:
            surplus.young += 1
        else:
            surplus.objects.append(Surplus(key=info.key, size=info.size, reason=reason))
    surplus.objects.sort(key=lambda each: _kind(each.key))
    return surplus


class _Judge:
    """What the source's newest root says of objects that the source does not have any more."""

    def __init__(
        self, source: ObjectStore, path: PartitionPath, found: FoundRoot, *, now_ms: int
    ) -> None:
        pointer = pointer_to(found.root, found.ref)
        self._census = Census(pointer, found.root, now_ms=LATE_MS, grace_ms=0)
        self._page = partial(ManifestStore(source).page, path)
        self._due = DueTimes(found.root.trash)
        self._now_ms = now_ms

    async def reason(self, info: ObjectInfo) -> str | None:
        """Return why an object may go; None if it may not."""
        finding = await drive_async(self._census.finding(info), self._page)
        # What was removed stays in the trash of the root until the next commit.
        due_ms = self._due.of(info) if finding.standing is Standing.TRASH else None
        if finding.standing is Standing.ORPHAN or (due_ms is not None and due_ms < self._now_ms):
            return f"the source has removed it; {finding.reason}"
        return None


async def remove(target: ObjectStore, surplus: PartitionSurplus) -> None:
    """Delete what may go, roots before what they name.

    Raises:
        ObjectsNotDeletedError: Some are still there; repeat.
    """
    for kind in (_ROOT, _PAGE, _SEGMENT):
        keys = [each.key for each in surplus.objects if _kind(each.key) == kind]
        if keys:
            await target.delete(keys)


def _kept_because(held: Sequence[ObjectInfo], newest: RootKey | None) -> str | None:
    """Return why nothing of a partition may go, if nothing may."""
    if newest is None:
        return "the source has no root of it: lost, or deleted; remove it by hand"
    keys = [parse_key(info.key) for info in held]
    if any(isinstance(key, RootKey) and key.stamp > newest.stamp for key in keys):
        return "the copy has commits that the source has not: it is in use"
    if newest not in keys:
        return "the copy does not have the source's newest root: copy first"
    return None


def _kind(text: str) -> int:
    return _KINDS[type(parse_key(text))]
