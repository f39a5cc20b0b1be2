"""Locks as they travel between the broker and its transfer process."""

from everlog.model.object_lock import LockMode, ObjectLock

LockFields = tuple[str, int] | None


def lock_fields(lock: ObjectLock | None) -> LockFields:
    """Write a lock down."""
    return None if lock is None else (lock.mode.name, lock.until_ms)


def read_lock(fields: LockFields) -> ObjectLock | None:
    """Read what `lock_fields` wrote."""
    return None if fields is None else ObjectLock(LockMode[fields[0]], fields[1])
