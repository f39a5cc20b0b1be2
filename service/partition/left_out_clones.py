"""Clones that a restore leaves out, and of which nothing but their roots tells.

What a clone needs of its sources is in its record. Where that is lost, and the clone is not
restored, nobody else would look at its roots, and its sources would delete what they list.
"""

import asyncio
from collections.abc import Collection, Sequence

from everlog.format.errors import UnsupportedFormatError
from everlog.format.object_keys import PartitionPath
from everlog.format.origins import Origin
from everlog.model.errors import CorruptionError
from everlog.model.ids import TopicId
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_store import ObjectStore
from service.coordination.clone_pins import Cloned
from service.tiering.archive_listing import partitions_in, read_root, root_names

AT_ONCE_MAX = 16
"""Partitions whose roots are looked at side by side."""


async def left_out_clones(
    store: ObjectStore, *, cluster_id: str, passing_over: Collection[TopicId]
) -> list[Cloned]:
    """Return what the newest readable roots of topics list of others.

    Args:
        store: Of the archive.
        cluster_id: Whose topics are looked at.
        passing_over: Topics that others tell of.

    Raises:
        RetriableError: The store did not answer.
    """
    slots = asyncio.Semaphore(AT_ONCE_MAX)

    async def origins(path: PartitionPath) -> Sequence[Origin]:
        async with slots:
            return await _origins(store, path)

    paths = await partitions_in(
        store, lambda path: path.cluster_id == cluster_id and path.topic_id not in passing_over
    )
    partitions = {path.topic_id: path.partition + 1 for path in paths}  # they are in order
    found: dict[str, Cloned] = {}
    for path, some in zip(paths, await asyncio.gather(*map(origins, paths)), strict=True):
        for cloned in clonings_by(some, path.topic_id, partitions=partitions[path.topic_id]):
            found.setdefault(cloned.path, cloned)
    return list(found.values())


def clonings_by(origins: Sequence[Origin], clone: TopicId, *, partitions: int) -> list[Cloned]:
    """Return what a root's table of origins tells of its topic."""
    return [
        Cloned(source=each.path.topic_id, clone=clone, rank=rank, partitions=partitions)
        for rank, each in enumerate(origins)
    ]


async def _origins(store: ObjectStore, path: PartitionPath) -> Sequence[Origin]:
    names = await root_names(store, path)
    for key in names.keys:
        try:
            return (await read_root(store, names, key)).root.origins
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError):
            continue  # the one before lists what the clone has had, too
    return ()
