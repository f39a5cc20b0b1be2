"""Pure: whether the tier of a partition accounts for an object that is in the store.

A kill between the upload of an object and the commit that was to name it leaves the object behind,
and a retry under a new name leaves the one before. Such an *orphan* may go once no commit can name
it any more, which its name tells: commits are fenced by the claim in it, and continue the tier
exactly where it ends. What a rewrite makes may also take the place of what is there; only its maker
knows that it is still to be committed. Where that is not certain, the object stays.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from everlog.format.lookup import entry_at
from everlog.format.object_keys import (
    ArchiveKey,
    ForeignKey,
    LatestKey,
    PageKey,
    RootKey,
    SegmentKey,
    Uid,
    parse_key,
)
from everlog.format.page_refs import INDEX_PAGE, ref_of
from everlog.format.pins import Pin, is_pinned
from everlog.format.pointer import Pointer
from everlog.format.root import Root
from everlog.format.trash import Trash, TrashedRange
from everlog.format.walk import Walk
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectInfo
from service.tiering.partition_names import RESTORE_EPOCH_STEP

RESTORE_EPOCHS = RESTORE_EPOCH_STEP // 2
"""Only a restore lies between epochs that are so far apart.

It begins `RESTORE_EPOCH_STEP` above all that the names show, and who had the store may have been
elected some hundred times since it made the last of those.
"""


class Standing(Enum):
    """What an object is to the tier."""

    LIVE = "the committed root leads to it"
    TRASH = "it is retired and goes after its grace"
    OPEN = "a commit may still name it"
    YOUNG = "it is too young to be judged"
    PINNED = "nothing here leads to it, and a clone needs it"
    ORPHAN = "it never became part of the tier and cannot any more"
    AHEAD = "it belongs to commits that the tier does not know"
    FOREIGN = "Everlog did not write it"


@dataclass(frozen=True, slots=True)
class Finding:
    """An object of the store, what it is to the tier, and why."""

    key: ObjectKey
    size: int
    standing: Standing
    reason: str


class Census:
    """What a tier names at one commit, for the names of the store to be held against.

    Args:
        pointer: As the metadata store has it, or as the next owner will have it.
        root: The root that it names; None before the first commit.
        now_ms: The time.
        grace_ms: Younger objects are left alone.
        underway: Objects that the owner is making to take the place of others.
        pins: What clones need, read after the root.
    """

    def __init__(
        self,
        pointer: Pointer,
        root: Root | None,
        *,
        now_ms: int,
        grace_ms: int,
        underway: Collection[Uid] = (),
        pins: Sequence[Pin] = (),
    ) -> None:
        named = pointer.root and pointer.root.uid
        assert named == (root and root.uid), "the root is not the pointer's"
        self._pointer = pointer
        self._root = root
        self._before_ms = now_ms - grace_ms
        self._underway = underway
        self._pins = pins
        trash = Trash() if root is None else root.trash
        self._trash = trash.uids()
        things = (item.thing for item in trash.items())
        self._ranges = [each.offsets for each in things if isinstance(each, TrashedRange)]

    def finding(self, info: ObjectInfo) -> Walk[Finding]:
        """Say what an object of the partition is to the tier."""
        standing, reason = yield from self._standing(info)
        return Finding(info.key, info.size, standing, reason or standing.value)

    def _standing(self, info: ObjectInfo) -> Walk[tuple[Standing, str]]:
        key = parse_key(info.key)
        if isinstance(key, ForeignKey):
            return Standing.FOREIGN, key.reason
        if isinstance(key, RootKey) and self._is_ahead(key):
            return Standing.AHEAD, f"it is commit {key.stamp.ver}, {self._place}"
        if info.modified_ms > self._before_ms:
            return Standing.YOUNG, ""
        return (yield from self._standing_of(key))

    def _standing_of(self, key: ArchiveKey) -> Walk[tuple[Standing, str]]:
        match key:
            case LatestKey():
                return Standing.LIVE, "it is the hint where the newest root is"
            case RootKey():
                return self._root_standing(key)
            case PageKey():
                return (yield from self._page_standing(key))
            case SegmentKey():
                return (yield from self._segment_standing(key))

    def _root_standing(self, key: RootKey) -> tuple[Standing, str]:
        ref = self._pointer.root
        if ref is not None and ref.key(key.path) == key:
            return Standing.LIVE, "it is the committed root"
        if key.uid in self._trash:
            return Standing.TRASH, ""
        if self._is_fenced(key):
            return Standing.ORPHAN, self._fenced(key)
        if key.stamp.ver <= self._pointer.stamp.ver:
            return Standing.ORPHAN, f"another root became commit {key.stamp.ver}"
        return Standing.OPEN, ""

    def _page_standing(self, key: PageKey) -> Walk[tuple[Standing, str]]:
        if self._is_trash(key):
            return Standing.TRASH, ""
        if (yield from _leads_to(self._root, key)):
            return Standing.LIVE, ""
        # Its name does not tell whose it is; but a page is made for one commit, which is over.
        return Standing.ORPHAN, "no page or root refers to it"

    def _segment_standing(self, key: SegmentKey) -> Walk[tuple[Standing, str]]:
        pinned = is_pinned(key, self._pins)
        if self._is_trash(key):
            return (Standing.PINNED if pinned else Standing.TRASH), ""
        root = self._root
        if root is not None:
            # Records may be deleted up to the middle of the first object.
            entry = yield from entry_at(root, max(key.offsets.start, root.tiered_start))
            if entry is not None and entry.key(root.home_of(entry)) == key:
                return Standing.LIVE, ""
        return (Standing.PINNED, "") if pinned else self._unnamed_standing(key)

    def _unnamed_standing(self, key: SegmentKey) -> tuple[Standing, str]:
        if self._is_fenced(key):
            return Standing.ORPHAN, self._fenced(key)
        if key.uid in self._underway:
            return Standing.OPEN, ""
        if key.offsets.start < self._pointer.tiered_end:
            return Standing.ORPHAN, f"it begins at {key.offsets.start}, {self._place}"
        return Standing.OPEN, ""

    def _is_trash(self, key: PageKey | SegmentKey) -> bool:
        """Whether it is retired, or perhaps is: what ends in a range counts, unopened."""
        end = key.offsets.end
        return key.uid in self._trash or any(each.start < end <= each.end for each in self._ranges)

    def _is_ahead(self, key: RootKey) -> bool:
        """Whether it tells of commits to this tier that the pointer does not know.

        A later claim explains nothing: every start makes one, also on a pointer that was set back.
        """
        owner = self._pointer.stamp
        if key.stamp.epoch + RESTORE_EPOCHS <= owner.epoch:
            # A restore has taken the store; whoever had it went on in metadata of its own.
            return False
        # Of the commits after the committed one, only the next can have been begun.
        return key.stamp.ver > owner.ver + 1

    def _is_fenced(self, key: RootKey | SegmentKey) -> bool:
        """Whether somebody else has claimed the tier since it was made."""
        owner = self._pointer.stamp
        return (key.stamp.epoch, key.stamp.claim) < (owner.epoch, owner.claim)

    def _fenced(self, key: RootKey | SegmentKey) -> str:
        return f"it was made under claim {key.stamp.claim} and not committed, {self._place}"

    @property
    def _place(self) -> str:
        at = self._pointer
        stamp = f"claim {at.stamp.claim}, commit {at.stamp.ver}"
        return f"the tier is at {stamp} and ends at {at.tiered_end}"


def _leads_to(root: Root | None, key: PageKey) -> Walk[bool]:
    """Look for a page where it would be."""
    rows = None if root is None else root.refs
    while rows is not None:
        row = rows.index_after(key.offsets.start)
        if row == len(rows):
            return False
        page = ref_of(rows, row).page
        if page.key(key.path) == key:
            return True
        rows = (yield page).rows if page.level == INDEX_PAGE else None
    return False
