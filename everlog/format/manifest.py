"""How a root becomes the next one: a commit is a `successor` and then any number of changes.

`everlog.format.retention`, `everlog.format.replacing` and `everlog.format.folding` hold the changes
that may have to look into pages. Nothing here does I/O, and every change leaves a root whose
invariants hold.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from everlog.format.entries import Entry, Totals, entry_table, entry_totals
from everlog.format.object_keys import PartitionPath, Stamp, Uid
from everlog.format.page import NewPage
from everlog.format.page_refs import ref_table
from everlog.format.root import (
    INLINE_ENTRIES_MAX,
    INLINE_FORMAT,
    PAGED_FORMAT,
    Root,
    RootFullError,
    RootRef,
)
from everlog.format.trash import Trash, TrashedRoot
from everlog.model.errors import RejectedError
from everlog.model.offsets import LeaderEpoch, Offset


class NotContiguousError(RejectedError):
    """An object does not begin where the tier ends: the plan that made it is stale."""

    def __init__(self, *, tiered_end: int, base: int) -> None:
        super().__init__(f"the tier ends at {tiered_end}, the object begins at {base}")
        self.tiered_end = tiered_end
        self.base = base


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A root that was not stored yet, and the pages that have to be stored before it is."""

    root: Root
    pages: tuple[NewPage, ...] = ()


def first_root(
    path: PartitionPath,
    *,
    uid: Uid,
    stamp: Stamp,
    start: Offset,
    created_ms: int,
    root_format: int = PAGED_FORMAT,
) -> Root:
    """Return a root without entries for a partition whose tier begins at ``start``."""
    return checked(
        Root(
            format=root_format,
            path=path,
            stamp=stamp,
            uid=uid,
            previous=None,
            created_ms=created_ms,
            live_start=start,
            tiered_start=start,
            tiered_end=start,
            tiered_end_epoch=None,
            totals=Totals(),
            refs=ref_table(start, ()),
            entries=entry_table(start, ()),
            trash=Trash(),
        )
    )


def successor(
    root: Root,
    ref: RootRef,
    *,
    uid: Uid,
    stamp: Stamp,
    created_ms: int,
    not_before_ms: int,
) -> Root:
    """Return what the next commit starts from: the same content under a new name.

    Args:
        root: The committed root.
        ref: Its reference, as the pointer has it.
        uid: Of the new root.
        stamp: Of the new root; its ``ver`` is the next one.
        created_ms: The time now.
        not_before_ms: When the committed root may be deleted.
    """
    assert (ref.stamp, ref.uid) == (root.stamp, root.uid), "the reference is another root's"
    assert stamp > root.stamp, f"{stamp.text} does not follow {root.stamp.text}"
    assert stamp.ver == root.stamp.ver + 1, f"commit {stamp.ver} after {root.stamp.ver}"
    retired = TrashedRoot(stamp=root.stamp, uid=root.uid)
    return checked(
        replace(
            root,
            stamp=stamp,
            uid=uid,
            previous=ref,
            created_ms=created_ms,
            trash=root.trash.added((retired,), not_before_ms=not_before_ms),
        )
    )


def append(root: Root, entries: Sequence[Entry], *, end_epoch: LeaderEpoch) -> Root:
    """Add the entries of objects that continue the tier (TIER-8, TIER-15).

    Args:
        root: A root that was not stored yet.
        entries: Of uploaded and verified objects, in the order of their offsets.
        end_epoch: Leader epoch of the last offset that they cover.

    Raises:
        NotContiguousError: One does not begin where the one before it, or the tier, ends.
        RootFullError: They are more than a root of format 1 holds; one of format 2 has to be
            folded before it is stored.
    """
    at = root.tiered_end
    for entry in entries:
        if entry.offsets.start != at:
            raise NotContiguousError(tiered_end=at, base=entry.offsets.start)
        assert entry.stamp <= root.stamp, (
            f"an object of {entry.stamp.text} in a root of {root.stamp.text}"
        )
        at = entry.offsets.end
    count = len(root.entries) + len(entries)
    if root.format == INLINE_FORMAT and count > INLINE_ENTRIES_MAX:
        raise RootFullError(root_format=root.format, entries=count)
    assert end_epoch >= (root.tiered_end_epoch or 0), "the epoch at the end went back"
    added = entry_table(root.tiered_end, entries)
    return checked(
        replace(
            root,
            tiered_end=at,
            tiered_end_epoch=end_epoch,
            totals=root.totals + entry_totals(added),
            entries=root.entries.joined(added),
        )
    )


def skipped(root: Root, *, to: Offset, end_epoch: LeaderEpoch) -> Root:
    """Move an empty tier forward over records that expired before their upload (TIER-49).

    Args:
        root: A root all of whose entries have been dropped.
        to: Where the next object will begin.
        end_epoch: Leader epoch of the last offset below ``to``.
    """
    assert not root.totals.entries, "only a tier without live entries can skip offsets"
    assert to >= root.tiered_end, f"skipping back from {root.tiered_end} to {to}"
    assert end_epoch >= (root.tiered_end_epoch or 0), "the epoch at the end went back"
    return checked(
        replace(
            root,
            live_start=to,
            tiered_start=to,
            tiered_end=to,
            tiered_end_epoch=end_epoch,
            refs=ref_table(to, ()),
            entries=entry_table(to, ()),
        )
    )


def upgraded(root: Root) -> Root:
    """Return the root in the paged format; readers of format 1 alone will refuse it."""
    return checked(replace(root, format=max(root.format, PAGED_FORMAT)))


def settled(root: Root) -> Root:
    """Return the root without origins once nothing that it lists lies elsewhere."""
    if not root.origins or root.has_foreign:
        return root
    return checked(replace(root, format=PAGED_FORMAT, origins=()))


def without_trash(root: Root, gone: Collection[int]) -> Root:
    """Forget the items of trash at some places, whose objects are gone from the store."""
    return checked(replace(root, trash=root.trash.dropped(gone)))


def checked(root: Root) -> Root:
    """Return the root, whose invariants hold; those of its trash are seen to when it is encoded."""
    fault = root.list_fault()
    assert fault is None, fault
    return root
