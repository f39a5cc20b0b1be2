"""The cuts of a cluster in the object store: written by brokers, read by a restore."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from everlog.format.cut import Cut
from everlog.format.cut_codec import (
    CUT_BYTES_MAX,
    cut_head,
    cut_pieces,
    decode_cut,
    seal_cut,
)
from everlog.format.meta_keys import CutKey, cuts_prefix, parse_meta_key
from everlog.format.object_keys import Uid
from everlog.model.clock import IdSource
from everlog.stores.object_key import object_key
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectInfo, ObjectStore, list_all

BYTES_PER_TURN = 32 << 10
"""Of text that is written before other work gets its turn; some 2 ms."""


@dataclass(frozen=True, slots=True)
class WrittenCut:
    """A cut as text, before it is sealed.

    Attributes:
        digest: Of all that was in it but the time at which it was made.
    """

    body: bytes
    digest: bytes


async def written(cut: Cut) -> WrittenCut:
    """Write a cut, in slices between which others get their turn."""
    head = cut_head(cut)
    digest, pieces, size = sha256(b"%d" % cut.owner), [head], 0
    for piece in cut_pieces(cut):
        digest.update(piece)
        pieces.append(piece)
        size += len(piece)
        if size >= BYTES_PER_TURN:
            size = 0
            await asyncio.sleep(0)
    return WrittenCut(b"".join(pieces), digest.digest())


class CutObjects:
    """Reads and writes them. Every method raises what the store raises.

    Args:
        executor: Where cuts are compressed; None for the loop's own threads.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        cluster_id: str,
        ids: IdSource,
        executor: Executor | None = None,
    ) -> None:
        self._store = store
        self._cluster_id = cluster_id
        self._ids = ids
        self._executor = executor

    async def all(self) -> list[CutKey]:
        """Return the names of all cuts there are, oldest first."""
        return [key for key, _ in await self.listed()]

    async def listed(self) -> list[tuple[CutKey, ObjectInfo]]:
        """Return the same, with what the store says of each."""
        found: list[tuple[CutKey, ObjectInfo]] = []
        async for info in list_all(self._store, cuts_prefix(self._cluster_id)):
            key = parse_meta_key(info.key)
            if isinstance(key, CutKey):
                found.append((key, info))
        return sorted(found, key=lambda each: each[0].order)

    async def read(self, key: CutKey) -> Cut:
        """Return a cut.

        Raises:
            ObjectMissingError: It is gone.
            CorruptObjectError: It is damaged.
            UnsupportedFormatError: A newer Everlog wrote it.
        """
        body = await self._store.read_all(object_key(key.text), size_max=CUT_BYTES_MAX)
        return decode_cut(body, cluster_id=self._cluster_id)

    async def put(self, cut: Cut, text: WrittenCut) -> CutKey:
        """Store a cut.

        Args:
            cut: Names the object.
            text: The same, written.

        Raises:
            CutTooLargeError: It has more than fits into one object.
        """
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(self._executor, seal_cut, text.body)
        key = CutKey(
            cluster_id=self._cluster_id,
            created_ms=cut.created_ms,
            owner=cut.owner,
            uid=Uid(self._ids.uuid()),
            is_packed=not content.startswith(b"{"),
        )
        await self._store.create(object_key(key.text), content)
        return key

    async def prune(self, *, before_ms: int) -> int:
        """Delete the cuts that were not the newest at that time or since; return how many.

        The newest one always stays.
        """
        gone = surplus(await self.listed(), before_ms=before_ms)
        for first in range(0, len(gone), LIST_OBJECTS_MAX):
            some = gone[first : first + LIST_OBJECTS_MAX]
            await self._store.delete([object_key(each.text) for each in some])
        return len(gone)


def surplus(found: Sequence[tuple[CutKey, ObjectInfo]], *, before_ms: int) -> list[CutKey]:
    """Return the cuts that have had a successor since before a time, as the store has seen it.

    Args:
        found: All there are, oldest first.
        before_ms: Nobody wants to go back further.
    """
    return [key for (key, _), (_, after) in pairwise(found) if after.modified_ms < before_ms]


def newest_by(keys: Iterable[CutKey], at_ms: int | None) -> list[CutKey]:
    """Return the cuts that were made by a time, the newest first; None for all."""
    made = [each for each in keys if at_ms is None or each.created_ms <= at_ms]
    return sorted(made, key=lambda each: each.order, reverse=True)
