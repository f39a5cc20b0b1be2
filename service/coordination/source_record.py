"""Whose archive a read-only broker follows: the node ``/source``, made at its first start."""

from service.coordination.archive_record import read_archive_record
from service.coordination.identity import StartRefusedError
from service.coordination.metadata_store import MetadataStore
from service.coordination.payloads import pack, unpack
from service.coordination.znodes import SOURCE


async def read_source(store: MetadataStore) -> str | None:
    """Return the id of the followed cluster; None if this one follows nobody."""
    (found,) = await store.get_many([SOURCE])
    return None if found is None else str(unpack(found[0], SOURCE)["cluster_id"])


async def keep_source(store: MetadataStore, cluster_id: str) -> None:
    """Take note at the first start whose archive is followed, and check it at each later one.

    Raises:
        StartRefusedError: The directory follows another cluster, or has an archive of its own.
    """
    known = await read_source(store)
    if known == cluster_id:
        return
    if known is not None:
        raise StartRefusedError(
            f"this data directory follows the archive of cluster {known}, and its groups have "
            f"offsets there; for the archive of {cluster_id} give another --data-dir"
        )
    if await read_archive_record(store) is not None:
        raise StartRefusedError(
            "this data directory has an archive of its own: give --read-only another --data-dir"
        )
    await store.create(SOURCE, pack({"cluster_id": cluster_id}))


async def refuse_follower(store: MetadataStore) -> None:
    """Refuse to write from a directory that only reads.

    Raises:
        StartRefusedError: It follows another cluster.
    """
    known = await read_source(store)
    if known is not None:
        raise StartRefusedError(
            f"this data directory only reads the archive of cluster {known}: start with "
            "everlog broker --read-only, or give another --data-dir"
        )
