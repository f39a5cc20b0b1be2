"""What manifests know of locks: in entries, in pages, in roots and in the trash."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from everlog.format.entries import EntryFlag, entry_of, entry_table, has_locks, with_origins
from everlog.format.folding import Folding, folded
from everlog.format.manifest import append, first_root, upgraded
from everlog.format.object_keys import RootKey
from everlog.format.page import decode_page, new_page
from everlog.format.page_refs import ENTRY_PAGE, all_flags
from everlog.format.replacing import Replacement, replaced
from everlog.format.retention import Cut, expired
from everlog.format.root import CLONE_FORMAT, INLINE_FORMAT, LOCK_FORMAT, PAGED_FORMAT, Root
from everlog.format.root_codec import decode_root, encode_root
from everlog.format.trash import Trash, TrashedRange, TrashedRoot, TrashedSegment, TrashLock
from everlog.format.walk import drive
from everlog.model.object_lock import LockMode, ObjectLock
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import (
    GRACE_MS,
    NOW_MS,
    PATH,
    Pages,
    entry,
    given,
    next_root,
    stamp,
    uid,
    uids,
)

DAY_MS = 86_400_000
DUE_MS = NOW_MS + GRACE_MS
LOCKS = st.none() | st.builds(ObjectLock, st.sampled_from(LockMode), st.integers(1, 1 << 60))


def until(after_ms: int, mode: LockMode = LockMode.GOVERNANCE) -> ObjectLock:
    return ObjectLock(mode, NOW_MS + after_ms)


def root_of(locks: list[ObjectLock | None], *, pages: Pages | None = None) -> Root:
    """Ten offsets and 1,100 bytes for each object; with ``pages``, three go below each."""
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    made = [entry(at * 10, at * 10 + 10, lock=lock) for at, lock in enumerate(locks)]
    root = append(root, made, end_epoch=LeaderEpoch(3))
    if pages is None:
        return root
    folding = Folding(entries=3, small_pages=9, large_pages=2)
    fold = drive(folded(root, uids=uids(), not_before_ms=0, folding=folding), pages.load)
    pages.put(fold.pages)
    return fold.root


def again(root: Root) -> Root:
    stored = encode_root(root)
    key = RootKey(path=PATH, stamp=root.stamp, uid=root.uid)
    return decode_root(stored.body, key=key, digest=stored.ref.sha256)


def locks_of(root: Root) -> list[ObjectLock | None]:
    return [entry_of(root.entries, row).lock for row in range(len(root.entries))]


def things(trash: Trash) -> Iterator[TrashedSegment | TrashedRange]:
    for item in trash.items():
        assert not isinstance(item.thing, TrashedRoot)
        assert isinstance(item.thing, TrashedSegment | TrashedRange)
        yield item.thing


@given(st.lists(LOCKS, min_size=1, max_size=9))
def test_locks_come_back_from_pages_as_they_were_stored(locks: list[ObjectLock | None]) -> None:
    rows = root_of(locks).entries
    page = new_page(PATH, rows, level=ENTRY_PAGE, uid=uid(9))
    found = decode_page(page.body, page.ref.page, path=PATH)
    assert found.rows == rows
    assert [entry_of(found.rows, row).lock for row in range(len(rows))] == locks


@given(st.lists(LOCKS, min_size=1, max_size=9))
def test_locks_come_back_from_roots_as_they_were_stored(locks: list[ObjectLock | None]) -> None:
    root = root_of(locks)
    assert again(root) == root
    assert locks_of(again(root)) == locks
    assert again(root).format == root.format == PAGED_FORMAT


def test_what_was_never_locked_is_stored_as_it_always_was() -> None:
    """Whatever reads archives today goes on reading those that have no locks."""
    root = root_of([None, None])
    page = new_page(PATH, root.entries, level=ENTRY_PAGE, uid=uid(9))
    assert page.body[8:10] == b"\1\0"
    assert encode_root(root).body[8:10] == b"\2\0"
    assert not has_locks(root.entries)


def test_what_was_locked_asks_for_a_reader_that_knows_locks() -> None:
    root = root_of([None, until(DAY_MS)])
    page = new_page(PATH, root.entries, level=ENTRY_PAGE, uid=uid(9))
    assert page.body[8:10] == b"\2\0"
    assert encode_root(root).body[8:10] == bytes([LOCK_FORMAT, 0])


def test_a_page_knows_that_some_object_was_locked() -> None:
    strict = until(DAY_MS, LockMode.COMPLIANCE)
    assert all_flags(root_of([None, until(DAY_MS)]).entries) == EntryFlag.LOCKED
    assert all_flags(root_of([strict]).entries) == EntryFlag.LOCKED | EntryFlag.COMPLIANCE


def test_a_lock_stays_with_its_object_in_a_clone() -> None:
    rows = with_origins(entry_table(0, [entry(0, 9, lock=until(DAY_MS))]), [3])
    found = entry_of(rows, 0)
    assert (found.origin, found.lock) == (3, until(DAY_MS))


def test_a_root_of_format_1_has_no_locks() -> None:
    root = first_root(
        PATH,
        uid=uid(-1),
        stamp=stamp(1),
        start=Offset(0),
        created_ms=NOW_MS,
        root_format=INLINE_FORMAT,
    )
    made = [entry(0, 9, lock=until(DAY_MS))]
    with pytest.raises(AssertionError, match="format 1 has no locks"):
        append(root, made, end_epoch=LeaderEpoch(0))
    assert append(upgraded(root), made, end_epoch=LeaderEpoch(0)).format == PAGED_FORMAT


def test_what_expires_locked_says_in_the_trash_until_when() -> None:
    root = root_of([until(DAY_MS), until(GRACE_MS), None, until(DAY_MS)])
    root = drive(expired(root, Cut(start=Offset(30)), not_before_ms=DUE_MS), Pages().load)
    locks = [thing.lock for thing in things(root.trash)]
    # The second lock is over before its object may go anyway.
    assert locks == [TrashLock(NOW_MS + DAY_MS, 1100), None, None]
    assert again(root).trash == root.trash
    assert again(root).trash.locked == root.trash.locked == 1


def test_the_range_of_a_page_is_locked_for_as_long_as_anything_in_it() -> None:
    pages = Pages()
    locks = [until(DAY_MS), None, until(3 * DAY_MS), None, None, None, until(9 * DAY_MS)]
    root = root_of([*locks, None, None, until(7 * DAY_MS)], pages=pages)
    pages.loads = 0
    root = drive(expired(root, Cut(start=Offset(80)), not_before_ms=DUE_MS), pages.load)
    assert [thing.lock for thing in things(root.trash)] == [
        TrashLock(NOW_MS + 3 * DAY_MS, 2200),
        None,
        TrashLock(NOW_MS + 9 * DAY_MS, 1100),
    ]
    assert encode_root(root).body[8:10] == bytes([LOCK_FORMAT, 0])


def test_a_page_without_locks_is_not_read_to_be_dropped() -> None:
    pages = Pages()
    root = root_of([None] * 9, pages=pages)
    pages.loads = 0
    drive(expired(root, Cut(start=Offset(90)), not_before_ms=DUE_MS), pages.load)
    assert pages.loads == 0


def test_what_is_below_an_index_page_counts_too() -> None:
    pages = Pages()
    fold = Folding(entries=2, small_pages=2, large_pages=2)
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    fresh = uids()
    for at in range(12):
        made = entry(at * 10, at * 10 + 10, lock=until(DAY_MS * at) if at % 5 == 3 else None)
        root = append(root, [made], end_epoch=LeaderEpoch(3))
        walk = folded(root, uids=fresh, not_before_ms=0, folding=fold)
        draft = drive(walk, pages.load)
        pages.put(draft.pages)
        root = replace(draft.root, trash=Trash())
    assert 2 in list(root.refs.rows.ints("level"))
    root = drive(expired(root, Cut(start=Offset(80)), not_before_ms=DUE_MS), pages.load)
    (only,) = things(root.trash)
    assert only.lock == TrashLock(NOW_MS + 3 * DAY_MS, 1100)


def test_what_is_replaced_stays_locked_in_the_trash() -> None:
    root = next_root(root_of([until(DAY_MS), until(2 * DAY_MS)]), 1)
    old = [entry_of(root.entries, row) for row in range(2)]
    made = replace(entry(0, 20, number=77, ver=2), lock=until(2 * DAY_MS))
    change = Replacement(old=old, new=[made])
    draft = drive(replaced(root, change, uids=uids(), not_before_ms=DUE_MS), Pages().load)
    found = [item.lock for item in draft.root.trash.items()]
    assert found[1:] == [TrashLock(NOW_MS + days * DAY_MS, 1100) for days in (1, 2)]
    assert locks_of(draft.root) == [until(2 * DAY_MS)]


SEGMENT = TrashedSegment(offsets=entry(0, 9).offsets, stamp=stamp(4), uid=uid(1))


def test_trash_is_worth_a_commit_when_the_first_lock_ends_and_not_before() -> None:
    late = replace(SEGMENT, lock=TrashLock(900, 1))
    early = replace(SEGMENT, uid=uid(2), lock=TrashLock(800, 1))
    trash = Trash().added([late, TrashedRoot(stamp=stamp(5), uid=uid(3)), early], not_before_ms=7)
    assert trash.worth_from_ms == 800
    assert trash.added([replace(SEGMENT, uid=uid(4))], not_before_ms=50).worth_from_ms == 50
    assert trash.dropped([0, 2]).worth_from_ms is None


def test_the_trash_counts_what_is_locked_as_items_come_and_go() -> None:
    locked = replace(SEGMENT, lock=TrashLock(900, 5))
    trash = Trash().added([SEGMENT, locked, locked], not_before_ms=7)
    assert (trash.locked, list(trash.locks())) == (2, [TrashLock(900, 5)] * 2)
    assert trash.dropped([1]).locked == 1
    assert trash.dropped([0]).locked == 2
    assert Trash.of_bytes(trash.data, len(trash)).locked == 2
    assert Trash().added([locked], not_before_ms=900).locked == 0


def test_a_root_whose_trash_alone_is_locked_comes_back_with_its_origins() -> None:
    locked = replace(SEGMENT, lock=TrashLock(900, 5))
    root = root_of([None])
    root = replace(root, trash=root.trash.added([locked], not_before_ms=7))
    found = again(root)
    assert found == root
    assert found.format == PAGED_FORMAT != CLONE_FORMAT
