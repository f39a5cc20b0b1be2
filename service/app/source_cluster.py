"""Which cluster's archive is meant, where a store may have several."""

from everlog.stores.object_store import ObjectStore
from service.partition.restoration import NothingToRestoreError, clusters_in


async def source_cluster(store: ObjectStore, url: str, cluster_id: str | None) -> str:
    """Return the cluster that is asked for, or the only one there is.

    Raises:
        RejectedError: There is none, or there are several; what to do is said.
        RetriableError: The store did not answer.
    """
    if cluster_id is not None:
        return cluster_id
    found = await clusters_in(store)
    if not found:
        raise NothingToRestoreError(
            f"{url} holds no archive (no meta/*/cluster.json): give the --store that brokers had; "
            "if only that object is lost, say which cluster it is with --cluster"
        )
    if len(found) > 1:
        raise NothingToRestoreError(
            f"{url} holds the archives of {len(found)} clusters: say which with --cluster "
            f"({', '.join(found)})"
        )
    return found[0]
