"""Pure: which object of a tier is moved to another storage class next."""

from collections.abc import Iterable
from dataclasses import dataclass

from everlog.format.entries import Entry, entry_of
from everlog.format.lookup import entries_at
from everlog.format.root import Root
from everlog.format.walk import Walk
from everlog.model.offsets import Offset
from everlog.model.storage_class import StorageClass, class_numbered
from service.tiering.class_rules import ClassRules
from service.tiering.merging import MergePlan

MOVED_BYTES_MIN = 128 << 10
"""Smaller objects stay: most classes bill them as so large, and a merge may make them larger."""

ENTRIES_LOOKED_AT_MAX = 1024
"""Of one search, which takes some milliseconds of the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveSearch:
    """What a search has found.

    Attributes:
        plan: The object to move; None when none is due among what was looked at.
        resume: Nothing before it will ever be due while the rules stay.
        next_ms: Wall time at which something that was looked at is due; None if nothing will be.
        is_over: Whether there is no more to search before then, or before the tier changes.
    """

    plan: MergePlan | None
    resume: Offset
    next_ms: int | None
    is_over: bool


def find_move(root: Root, start: Offset, rules: ClassRules, *, now_ms: int) -> Walk[MoveSearch]:
    """Search a tier from ``start`` on for an object that is to be in the class for later.

    What lies behind `ENTRIES_LOOKED_AT_MAX` objects, the first of them too young, is looked at when
    that one has been moved: it is younger as a rule.
    """
    at = min(max(start, root.tiered_start), root.tiered_end)
    resume: Offset | None = None
    next_ms: int | None = None
    left = ENTRIES_LOOKED_AT_MAX
    while at < root.tiered_end and left > 0:
        table = yield from entries_at(root, at)
        first = table.index_after(at)
        for row in range(first, min(len(table), first + left)):
            entry = entry_of(table, row)
            left -= 1
            at = entry.offsets.end
            if not _may_move(entry, rules):
                continue
            due_ms = newest_ms([entry], now_ms=now_ms) + rules.later_ms + 1
            if entry.lock is not None:  # until then both would be billed
                due_ms = max(due_ms, entry.lock.until_ms)
            resume = entry.offsets.start if resume is None else resume
            if due_ms <= now_ms:
                plan = MergePlan((entry,))
                return MoveSearch(plan=plan, resume=resume, next_ms=None, is_over=False)
            next_ms = due_ms if next_ms is None else min(next_ms, due_ms)
    is_over = at == root.tiered_end or resume is not None
    return MoveSearch(
        plan=None, resume=at if resume is None else resume, next_ms=next_ms, is_over=is_over
    )


def newest_ms(entries: Iterable[Entry], *, now_ms: int) -> int:
    """Return the time of the newest record; where that is none or to come, of the upload."""
    return max(
        each.max_timestamp if 0 <= each.max_timestamp <= now_ms else each.created_ms
        for each in entries
    )


def class_of(entries: Iterable[Entry], rules: ClassRules, *, now_ms: int) -> StorageClass:
    """Return the class of what is made of some objects."""
    return rules.class_at(now_ms - newest_ms(entries, now_ms=now_ms))


def _may_move(entry: Entry, rules: ClassRules) -> bool:
    known = class_numbered(entry.class_number)
    is_own = entry.origin == 0
    return is_own and known not in {None, rules.later} and entry.size_bytes >= MOVED_BYTES_MIN
