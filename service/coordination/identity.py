"""Which cluster and which broker a data directory belongs to: ``meta.json``, checked at first.

A directory that meets the wrong cluster, or one that has lost its memory, would throw its logs
away as those of unknown topics. So the start is refused, and nothing is renamed or removed.
"""

import asyncio
import json
from concurrent.futures import Executor
from dataclasses import dataclass, field

from everlog.model.clock import IdSource
from everlog.model.errors import CorruptionError, RejectedError
from everlog.model.ids import NodeId, id_bytes, id_text
from service.coordination.metadata_store import MetadataStore, NodeExistsError
from service.coordination.payloads import pack, unpack
from service.coordination.tree_layout import lay_out_tree
from service.coordination.znodes import CLUSTER_ID
from service.model.disk import Disk

META_FILE = "meta.json"
FORMAT = 1


class StartRefusedError(RejectedError):
    """This data directory must not be used here and now; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose data directory it is.

    Attributes:
        directory_id: Sixteen bytes that name the directory for as long as it exists.
        is_new: Whether this start has made the directory.
    """

    cluster_id: str
    broker_id: NodeId
    directory_id: bytes
    is_new: bool = field(default=False, compare=False)


async def establish_identity(
    *,
    store: MetadataStore,
    disk: Disk,
    data_dir: str,
    broker_id: NodeId,
    ids: IdSource,
    executor: Executor | None,
) -> Identity:
    """Check the data directory against the cluster; at the first start, found or join one.

    Raises:
        StartRefusedError: They do not belong together.
        CorruptionError: ``meta.json`` cannot be read.
    """
    loop = asyncio.get_running_loop()
    path = f"{data_dir}/{META_FILE}"
    found = await loop.run_in_executor(executor, _read, disk, path)
    cluster_id = await _read_cluster_id(store)
    if found is not None:
        _check(found, path=path, cluster_id=cluster_id, broker_id=broker_id)
    # Only now: a tree that looks founded must not come of a refused start.
    await lay_out_tree(store)
    if found is not None:
        return found
    if cluster_id is None:
        # Before meta.json: a crash in between leaves a directory that joins what it has founded.
        cluster_id = await _found_cluster(store, ids)
    identity = Identity(
        cluster_id=cluster_id, broker_id=broker_id, directory_id=ids.uuid(), is_new=True
    )
    await loop.run_in_executor(executor, disk.write_file_atomically, path, _encode(identity))
    return identity


def _check(found: Identity, *, path: str, cluster_id: str | None, broker_id: NodeId) -> None:
    if cluster_id is None:
        raise StartRefusedError(
            f"{path} belongs to cluster {found.cluster_id}, but the metadata store is empty. "
            "Connect to the metadata that belongs to this directory (is its address right?), or "
            "bring it back from a backup; to found a new cluster, use an empty data directory"
        )
    if cluster_id != found.cluster_id:
        raise StartRefusedError(
            f"{path} belongs to cluster {found.cluster_id}, but the metadata store to cluster "
            f"{cluster_id}. Connect to the other metadata store, or use another data directory"
        )
    if broker_id != found.broker_id:
        raise StartRefusedError(
            f"{path} belongs to broker {found.broker_id}, but this one is configured as broker "
            f"{broker_id}. Set broker.id={found.broker_id}, or use another data directory"
        )


async def _read_cluster_id(store: MetadataStore) -> str | None:
    (found,) = await store.get_many([CLUSTER_ID])
    return None if found is None else str(unpack(found[0], CLUSTER_ID)["id"])


async def _found_cluster(store: MetadataStore, ids: IdSource) -> str:
    cluster_id = id_text(ids.uuid())
    try:
        await store.create(CLUSTER_ID, pack({"id": cluster_id}))
    except NodeExistsError:
        # Another broker of the new cluster was first.
        content, _ = await store.get(CLUSTER_ID)
        return str(unpack(content, CLUSTER_ID)["id"])
    return cluster_id


def _read(disk: Disk, path: str) -> Identity | None:
    try:
        content = disk.read_file(path)
    except FileNotFoundError:
        return None
    try:
        payload = json.loads(content)
        if payload["format"] > FORMAT:
            raise StartRefusedError(
                f"{path} has format {payload['format']}, and this version reads {FORMAT}: "
                "start a newer version"
            )
        return Identity(
            cluster_id=payload["cluster_id"],
            broker_id=NodeId(payload["broker_id"]),
            directory_id=id_bytes(payload["directory_id"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptionError(
            f"{path} cannot be read ({error}). Bring it back from a backup; without it nobody can "
            "tell whose logs these are"
        ) from error


def _encode(identity: Identity) -> bytes:
    payload = {
        "format": FORMAT,
        "cluster_id": identity.cluster_id,
        "broker_id": identity.broker_id,
        "directory_id": id_text(identity.directory_id),
    }
    return json.dumps(payload, indent=2).encode() + b"\n"
