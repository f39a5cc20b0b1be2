"""Roots for a restore: one made of the objects themselves, or an older one made the newest again.

Both get a stamp above all that the bucket has, so that whoever looks next finds them first, and
what was committed after an older root counts as an orphan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from everlog.format.entries import Entry
from everlog.format.folding import folded
from everlog.format.manifest import Draft, append, checked, first_root, upgraded
from everlog.format.object_keys import PartitionPath, Stamp, Uid
from everlog.format.page import NewPage, Page, decode_page
from everlog.format.page_refs import PageId
from everlog.format.root import INLINE_ENTRIES_MAX, INLINE_FORMAT, Root, RootRef
from everlog.format.trash import TrashedRoot
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPlan:
    """How a new root is to be called, and when it is made.

    Attributes:
        stamp: Above that of every root and object of the partition.
        uids: Gives a fresh uid for the root, and for each new page.
        not_before_ms: When what the root replaces may be deleted.
    """

    path: PartitionPath
    stamp: Stamp
    uids: Iterator[Uid]
    created_ms: int
    not_before_ms: int


def rebuilt_root(entries: Sequence[Entry], *, end_epoch: LeaderEpoch, plan: RootPlan) -> Draft:
    """Make a root, and its pages, of objects that follow each other.

    Args:
        entries: At least one, in the order of their offsets.
        end_epoch: Leader epoch of the last offset that they cover.
        plan: Of the root.
    """
    root = first_root(
        plan.path,
        uid=next(plan.uids),
        stamp=plan.stamp,
        start=entries[0].offsets.start,
        created_ms=plan.created_ms,
        root_format=INLINE_FORMAT,
    )
    if len(entries) > INLINE_ENTRIES_MAX:
        root = upgraded(root)
    pages: dict[PageId, NewPage] = {}

    def load(page: PageId) -> Page:
        return decode_page(pages[page].body, page, path=plan.path)

    for first in range(0, len(entries), INLINE_ENTRIES_MAX):
        root = append(root, entries[first : first + INLINE_ENTRIES_MAX], end_epoch=end_epoch)
        step = drive(folded(root, uids=plan.uids, not_before_ms=plan.not_before_ms), load)
        pages.update({page.ref.page: page for page in step.pages})
        root = step.root
    return Draft(root=root, pages=tuple(pages.values()))


def renewed_root(root: Root, ref: RootRef, *, plan: RootPlan) -> Root:
    """Make a root the newest one again, though there are later ones.

    Args:
        root: An earlier root.
        ref: Its reference.
        plan: Of the new root.
    """
    assert plan.stamp > root.stamp, f"{plan.stamp.text} is not above {root.stamp.text}"
    retired = TrashedRoot(stamp=root.stamp, uid=root.uid)
    return checked(
        replace(
            root,
            stamp=plan.stamp,
            uid=next(plan.uids),
            previous=ref,
            created_ms=plan.created_ms,
            trash=root.trash.added((retired,), not_before_ms=plan.not_before_ms),
        )
    )
