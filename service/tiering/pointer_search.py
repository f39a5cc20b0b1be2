"""Where a partition's tier stands, by the bucket alone: by the hint, or by the names of roots.

A hint is written behind each commit, and may be lost; a root may be there that no commit names.
What both name was verified before it was stored, and was committed by a leader before it went up.
"""

from dataclasses import replace

import structlog

from everlog.format.errors import UnsupportedFormatError
from everlog.format.object_keys import PartitionPath, RootKey, parse_key
from everlog.format.pointer import Pointer, pointer_to
from everlog.model.errors import CorruptionError, EverlogError
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_store import ObjectStore, list_all
from service.tiering.archive_listing import RootNames, read_hint, read_root

_NO_HINT = RootNames(keys=(), hint=None)

_log = structlog.get_logger(__name__)


class PointerSearch:
    """The search, for all partitions of a store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def newest(
        self, path: PartitionPath, known: Pointer | None, *, is_thorough: bool = False
    ) -> Pointer | None:
        """Return a pointer that is newer than the known one; None if there is none.

        One GET while the hint is there. A LIST behind the known root follows where the hint is
        gone, or has nothing new in a thorough search.

        Raises:
            CorruptObjectError: There are newer roots, and none of them can be read.
            UnsupportedFormatError: A newer Everlog wrote the newest root.
            RetriableError: The store did not answer.
        """
        hint = await read_hint(self._store, path)
        if hint is not None and _is_newer(hint, known):
            return hint
        if hint is not None and not is_thorough:
            return None
        return await self._newest_root(path, known)

    async def _newest_root(self, path: PartitionPath, known: Pointer | None) -> Pointer | None:
        after = None if known is None or known.root is None else known.root.key(path).text
        keys = await self._roots_behind(path, after)
        fault: EverlogError | None = None
        for key in sorted(keys, key=lambda each: (each.stamp, each.uid), reverse=True):
            if known is not None and key.stamp <= known.stamp:
                break
            try:
                found = await read_root(self._store, _NO_HINT, key)
            except UnsupportedFormatError:
                raise  # what comes before it would be a step back that nobody has asked for
            except (ObjectMissingError, CorruptionError) as error:
                _log.warning("root_passed_over", object=key.text, reason=str(error))
                fault = fault or error
                continue
            return pointer_to(found.root, found.ref)
        if fault is not None:
            raise fault
        return None

    async def _roots_behind(self, path: PartitionPath, after: str | None) -> list[RootKey]:
        if after is None:
            infos = [info async for info in list_all(self._store, path.roots)]
        else:
            infos = list(await self._store.list(path.roots, start_after=after))
        keys = [parse_key(info.key) for info in infos]
        return [key for key in keys if isinstance(key, RootKey)]


def followed(known: Pointer | None, found: Pointer, *, has_new_owner: bool) -> Pointer | None:
    """Return the pointer to go on with after a newer one was found; None to wait for another.

    What readers have seen stays: a root that was stored and never committed may end behind the
    one that was committed in its place, which has the same records and gets there in time. Only a
    restore to an earlier time takes the end back, and that gives the store a new owner.
    """
    if known is None or has_new_owner:
        return found
    if found.tiered_end < known.tiered_end:
        return None
    return replace(found, tiered_start=max(known.tiered_start, found.tiered_start))


def _is_newer(found: Pointer, known: Pointer | None) -> bool:
    return known is None or found.stamp > known.stamp
