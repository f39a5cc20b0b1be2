"""What a store has refused to delete: kept for a while from being tried again and again.

Locks that Everlog has asked for are in the manifest. An operator may have put one on an object, or
a hold, or made one longer; and credentials may lack the permission.
"""

from everlog.format.object_keys import PartitionPath
from everlog.format.trash import Trashed

REFUSED_REST_MS = 3_600_000
"""Before a refused deletion is tried again."""

REFUSED_MAX = 1000
"""Items of one partition that are remembered; more are tried again with the next commit."""


class Refusals:
    """Items of trash that rest, by partition. Lost with the process: then each is tried once."""

    def __init__(self) -> None:
        self._until: dict[PartitionPath, dict[Trashed, int]] = {}

    def has(self, path: PartitionPath) -> bool:
        """Whether any item of a partition may rest."""
        return path in self._until

    def note(self, path: PartitionPath, thing: Trashed, *, now_ms: int) -> None:
        """Let an item rest."""
        known = self._until.setdefault(path, {})
        if len(known) < REFUSED_MAX or thing in known:
            known[thing] = now_ms + REFUSED_REST_MS

    def rests(self, path: PartitionPath, thing: Trashed, *, now_ms: int) -> bool:
        """Whether an item is not to be tried yet; forgets it once it is."""
        known = self._until.get(path, {})
        until_ms = known.get(thing)
        if until_ms is None or until_ms > now_ms:
            return until_ms is not None
        del known[thing]
        if not known:
            del self._until[path]
        return False
