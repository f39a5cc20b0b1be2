"""What is locked is added up, with no page read for what never was."""

from everlog.format.lock_sums import LockSums, lock_sums
from everlog.format.retention import Cut, expired
from everlog.format.walk import drive
from everlog.model.offsets import Offset
from tests.unit.format.samples import NOW_MS, Pages
from tests.unit.format.test_locked_objects import DAY_MS, DUE_MS, root_of, until


def test_live_and_retired_objects_are_added_up_until_their_locks_end() -> None:
    pages = Pages()
    locks = [until(9 * DAY_MS), None, None, None, until(5 * DAY_MS), until(1), until(DAY_MS)]
    root = root_of(locks, pages=pages)
    root = drive(expired(root, Cut(start=Offset(30)), not_before_ms=DUE_MS), pages.load)
    at = {
        NOW_MS: LockSums(bytes=3300, trash_bytes=1100, until_ms=NOW_MS + 9 * DAY_MS),
        NOW_MS + 1: LockSums(bytes=2200, trash_bytes=1100, until_ms=NOW_MS + 9 * DAY_MS),
        NOW_MS + 5 * DAY_MS: LockSums(trash_bytes=1100, until_ms=NOW_MS + 9 * DAY_MS),
        NOW_MS + 9 * DAY_MS: LockSums(),
    }
    for now_ms, expected in at.items():
        assert drive(lock_sums(root, now_ms=now_ms), pages.load) == expected


def test_what_was_never_locked_costs_no_page() -> None:
    pages = Pages()
    root = root_of([None] * 7, pages=pages)
    pages.loads = 0
    assert drive(lock_sums(root, now_ms=0), pages.load) == LockSums()
    assert pages.loads == 0
