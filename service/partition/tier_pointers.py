"""Tier pointers in the metadata store: the port of `service.tiering.authority`, for real."""

from collections.abc import Sequence
from typing import cast

from everlog.model.ids import PartitionId
from service.coordination.metadata_store import MetadataStore, NodeError, Set, Stat
from service.coordination.znodes import TIER, tier_path
from service.tiering.authority import PointerConflictError, PointerWrite, StoredPointer


class TierPointers:
    """Reads and moves the nodes ``/tier/<topic id>/<partition>``, which topic creation makes."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    async def read(self, partitions: Sequence[PartitionId]) -> list[StoredPointer | None]:
        # Reads of a session may lag behind; an owner's view must not.
        await self._store.sync(TIER)
        found = await self._store.get_many([tier_path(each) for each in partitions])
        return [None if node is None else StoredPointer(node[0], node[1].version) for node in found]

    async def write(self, writes: Sequence[PointerWrite]) -> list[int]:
        ops = [Set(tier_path(each.partition), each.payload, each.version) for each in writes]
        try:
            results = await self._store.multi(ops)
        except NodeError as error:
            raise PointerConflictError(str(error)) from error
        return [cast(Stat, each).version for each in results]
