"""Locks: how long they last, and which one covers others."""

from everlog.model.object_lock import LockMode, LockRule, ObjectLock, strictest

GOVERNANCE, COMPLIANCE = LockMode.GOVERNANCE, LockMode.COMPLIANCE


def test_a_lock_lasts_no_shorter_than_asked_and_ends_at_a_whole_second() -> None:
    assert LockRule(GOVERNANCE, 5_000).at(1_000) == ObjectLock(GOVERNANCE, 6_000)
    assert LockRule(COMPLIANCE, 5_000).at(1_001) == ObjectLock(COMPLIANCE, 7_000)


def test_what_covers_several_locks_has_the_strictest_mode_and_the_latest_end() -> None:
    locks = [ObjectLock(GOVERNANCE, 9_000), None, ObjectLock(COMPLIANCE, 5_000)]
    found = strictest(locks, now_ms=4_000)
    assert found == ObjectLock(COMPLIANCE, 9_000)
    assert all(found.covers(each) for each in locks if each is not None)


def test_what_has_ended_does_not_count() -> None:
    locks = [ObjectLock(GOVERNANCE, 9_000), ObjectLock(COMPLIANCE, 5_000)]
    assert strictest(locks, now_ms=5_000) == ObjectLock(GOVERNANCE, 9_000)
    assert strictest(locks, now_ms=9_000) is None


def test_neither_a_weaker_mode_nor_an_earlier_end_covers_a_lock() -> None:
    lock = ObjectLock(COMPLIANCE, 9_000)
    assert not ObjectLock(GOVERNANCE, 9_000).covers(lock)
    assert not ObjectLock(COMPLIANCE, 8_000).covers(lock)
