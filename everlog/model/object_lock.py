"""A lock that a store keeps on an object: until it ends nobody deletes it (S3 Object Lock)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

_SECOND_MS = 1000


class LockMode(IntEnum):
    """Who can end a lock early, by S3's name; the greater is the stricter."""

    GOVERNANCE = 1
    """Whoever has the permission to bypass it."""

    COMPLIANCE = 2
    """Nobody, the owner of the account included."""


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """A mode, and the time (ms since 1970) at which the lock ends."""

    mode: LockMode
    until_ms: int

    def covers(self, other: "ObjectLock") -> bool:
        """Whether whatever the other one keeps from going is kept by this one."""
        return self.mode >= other.mode and self.until_ms >= other.until_ms


@dataclass(frozen=True, slots=True)
class LockRule:
    """How objects are locked when they are stored, and for how long."""

    mode: LockMode
    length_ms: int

    def at(self, now_ms: int) -> ObjectLock:
        """Return the lock of now; it ends at a whole second, which is all that S3 knows."""
        until_ms = now_ms + self.length_ms
        return ObjectLock(self.mode, -(-until_ms // _SECOND_MS) * _SECOND_MS)


def strictest(locks: Iterable[ObjectLock | None], *, now_ms: int) -> ObjectLock | None:
    """Return the least lock that covers all those that have not ended; None if all have."""
    held = [each for each in locks if each is not None and each.until_ms > now_ms]
    if not held:
        return None
    return ObjectLock(max(each.mode for each in held), max(each.until_ms for each in held))
