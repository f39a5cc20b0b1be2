"""What the names of a store tell of partitions: a listing of them all, a partition at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from everlog.format.cover import SegmentFile
from everlog.format.object_keys import (
    CLAIM_MAX,
    EPOCH_MAX,
    VER_MAX,
    ForeignKey,
    LatestKey,
    PageKey,
    PartitionPath,
    RootKey,
    SegmentKey,
    Stamp,
    Uid,
    parse_key,
)
from everlog.model.errors import RejectedError
from everlog.model.offsets import LeaderEpoch
from everlog.stores.object_store import ObjectStore, list_all

ALL_PREFIXES: Sequence[str] = "0123456789abcdef"
"""Together they begin the names of all partitions, and may be listed side by side."""

RESTORE_EPOCH_STEP = 1000
"""So far above the epochs that are seen a restored partition begins.

Every start is a term, and many leave nothing behind in the store; clients have seen them, and pass
over what comes from an earlier one.
"""


@dataclass(slots=True, kw_only=True)
class PartitionNames:
    """The objects of one partition by their names.

    Attributes:
        roots: In the order of the listing.
        segments: Those that are there, by uid: a set of a million takes 600 MB.
        pages: Uids of those that are there.
        has_hint: Whether there is a copy of the pointer.
    """

    path: PartitionPath
    roots: list[RootKey] = field(default_factory=list)
    segments: dict[Uid, SegmentFile] = field(default_factory=dict)
    pages: set[Uid] = field(default_factory=set)
    has_hint: bool = False

    def newest_first(self) -> list[RootKey]:
        """Return the roots, the one with the greatest stamp first."""
        return sorted(self.roots, key=lambda root: (root.stamp, root.uid), reverse=True)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a log could be made of."""
        return not self.roots and not self.segments

    def stamp_above(self, *others: Stamp) -> Stamp:
        """Return a stamp above all that the partition has, and above others.

        Raises:
            RejectedError: There is none: a name has the greatest numbers that there are.
        """
        stamps = [*others, *(root.stamp for root in self.roots)]
        stamps += [each.key.stamp for each in self.segments.values()]
        epoch = max((stamp.epoch for stamp in stamps), default=-1) + RESTORE_EPOCH_STEP
        claim = max((stamp.claim for stamp in stamps), default=0) + 1
        ver = max((stamp.ver for stamp in stamps), default=0) + 1
        # The first election and the first claim add one, and commits go on from there.
        if epoch >= EPOCH_MAX or claim >= CLAIM_MAX or ver >= VER_MAX:
            raise RejectedError(
                f"{self.path.prefix} has an object whose epoch, claim or commit is the greatest "
                "possible: Everlog did not write it; move it away"
            )
        return Stamp(LeaderEpoch(epoch), claim, ver)

    def take(self, key: RootKey | PageKey | SegmentKey | LatestKey, size: int) -> None:
        """Add a name."""
        match key:
            case RootKey():
                self.roots.append(key)
            case PageKey():
                self.pages.add(key.uid)
            case SegmentKey():
                self.segments[key.uid] = SegmentFile(key=key, size=size)
            case LatestKey():
                self.has_hint = True


async def partitions_below(
    store: ObjectStore, prefix: str, *, cluster_id: str
) -> AsyncIterator[PartitionNames]:
    """Go through the names that begin with ``prefix``; those of a partition come in a row."""
    found: PartitionNames | None = None
    async for info in list_all(store, prefix):
        key = parse_key(info.key)
        if isinstance(key, ForeignKey) or key.path.cluster_id != cluster_id:
            continue
        if found is None or key.path != found.path:
            if found is not None:
                yield found
            found = PartitionNames(path=key.path)
        found.take(key, info.size)
    if found is not None:
        yield found


async def names_below(store: ObjectStore, path: PartitionPath, prefix: str) -> PartitionNames:
    """Return the objects of one partition whose names begin with ``prefix``."""
    names = PartitionNames(path=path)
    async for info in list_all(store, prefix):
        key = parse_key(info.key)
        if not isinstance(key, ForeignKey) and key.path == path:
            names.take(key, info.size)
    return names
