"""Tier pointers in the metadata store: the port of `service.tiering.authority`, for real."""

from collections.abc import Sequence
from typing import cast

from everlog.format.object_keys import PartitionPath, RootKey
from everlog.format.pointer import decode_pointer
from everlog.model.errors import CorruptionError
from everlog.model.ids import PartitionId, TopicId, id_bytes
from service.coordination.metadata_store import MetadataStore, NodeError, Set, Stat
from service.coordination.znodes import DELETED_TOPICS, TIER, tier_path, tiers_path
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


async def any_committed_root(metadata: MetadataStore, cluster_id: str) -> RootKey | None:
    """Return an object that the archive's store must have; None while nothing was archived."""
    # Of these the objects may be half gone.
    deleted = set(await metadata.children(DELETED_TOPICS))
    for name in await metadata.children(TIER):
        if name in deleted:
            continue
        topic_id = TopicId(id_bytes(name))
        numbers = [int(each) for each in await metadata.children(tiers_path(topic_id))]
        paths = [tier_path(PartitionId(topic_id, number)) for number in numbers]
        for number, node in zip(numbers, await metadata.get_many(paths), strict=True):
            path = PartitionPath(cluster_id=cluster_id, topic_id=topic_id, partition=number)
            found = None if node is None else _root_of(node[0], path)
            if found is not None:
                return found
    return None


def _root_of(payload: bytes, path: PartitionPath) -> RootKey | None:
    if not payload:
        return None
    try:
        root = decode_pointer(payload).root
    except CorruptionError:
        return None  # that partition says so when it is opened
    return None if root is None else root.key(path)
