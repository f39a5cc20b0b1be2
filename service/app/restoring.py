"""Puts a restore together: the store that is read, and the data directory that is made."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from everlog.format.cut import Cut
from everlog.format.object_keys import Uid
from everlog.format.owner_record import OwnerRecord
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import RejectedError, RetriableError
from everlog.model.ids import NodeId, TopicId
from everlog.stores.object_store import ObjectStore
from everlog.stores.retrying import RetryingObjectStore
from everlog.stores.url import open_store
from service.app.data_lock import DataLock
from service.app.metadata import METADATA_DIR
from service.app.restored_cluster import RestoredCluster, restored_cluster
from service.app.source_cluster import source_cluster
from service.app.system import SystemClock, SystemIds
from service.app.system_disk import SystemDisk
from service.coordination.archive_record import ArchiveRecord
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.restored_tree import RestoredClones, write_restored_tree
from service.hot.first_segment import write_first_segment
from service.hot.layout import topic_dir
from service.model.disk import Disk
from service.partition.restoration import (
    Restoration,
    RestoreProgress,
    RestoreRequest,
)
from service.partition.restored_topics import TopicOutcome
from service.tiering.cut_choice import choose_cut, greatest_epochs
from service.tiering.cut_objects import CutObjects, written
from service.tiering.store_owner import newest_owner, next_owner, take_store

RESTORING_DIR = "metadata.restoring"
"""The metadata until the store is taken; what a restore that was broken off has left goes first."""


class DirectoryInUseError(RejectedError):
    """The data directory belongs to a cluster already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOrder:
    """From where and to where.

    Attributes:
        store_url: Absolute.
        cluster_id: None if the store has one alone.
        broker_id: Will have all partitions.
        is_trial: Whether to write nothing.
    """

    store_url: str
    data_dir: str
    cluster_id: str | None
    broker_id: NodeId
    request: RestoreRequest
    is_trial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlace:
    """The world as a restore sees it; the store repeats what fails."""

    store: ObjectStore
    disk: Disk
    clock: Clock
    ids: IdSource


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What was restored.

    Attributes:
        cluster: Groups and settings, and the cut that they are from.
        seconds: How long it took.
    """

    cluster_id: str
    store_url: str
    topics: list[TopicOutcome]
    cluster: RestoredCluster
    seconds: float


def restore_cluster(order: RestoreOrder, progress: RestoreProgress) -> RestoreReport:
    """Restore, or with a trial only find out; nobody else may use the data directory meanwhile.

    Raises:
        EverlogError: Nothing was restored; the message says what to do.
    """
    if order.is_trial:
        return asyncio.run(_open_and_restore(order, progress))
    with DataLock(order.data_dir):
        return asyncio.run(_open_and_restore(order, progress))


async def _open_and_restore(order: RestoreOrder, progress: RestoreProgress) -> RestoreReport:
    clock, ids = SystemClock(), SystemIds()
    store = RetryingObjectStore(open_store(order.store_url, clock=clock), clock=clock, ids=ids)
    try:
        place = RestorePlace(store=store, disk=SystemDisk(), clock=clock, ids=ids)
        return await restore_from(place, order, progress)
    finally:
        await store.close()


async def restore_from(
    place: RestorePlace, order: RestoreOrder, progress: RestoreProgress
) -> RestoreReport:
    """Restore from a store that is open; raises as `restore_cluster` does."""
    store, clock, ids = place.store, place.clock, place.ids
    started = clock.monotonic()
    _check_directory(place.disk, order)
    cluster_id = await source_cluster(store, order.store_url, order.cluster_id)
    # Before anything is read: who takes the store from now on is a reason to give up.
    seen = await newest_owner(store, cluster_id)
    cuts = CutObjects(store, cluster_id=cluster_id, ids=ids)
    chosen = await choose_cut(cuts, at_ms=order.request.at_ms)
    restoration = Restoration(
        store,
        cluster_id=cluster_id,
        request=order.request,
        clock=clock,
        ids=ids,
        progress=progress,
        cut=chosen.cut,
        epochs=await greatest_epochs(cuts),
    )
    outcomes = await restoration.work_out()
    cluster = restored_cluster(
        chosen,
        outcomes,
        local_logs=_local_logs(place.disk, order, outcomes),
        new_id=TopicId(ids.uuid()),
    )
    if cluster.topics and not order.is_trial:
        owner = next_owner(seen, cluster_id, clock=clock, ids=ids)
        _write_offsets(place, order, cluster)
        await _write_aside(place.disk, order, owner, cluster, restoration.clones)
        await take_store(store, owner, uid=Uid(ids.uuid()))
        await _finish(restoration, outcomes)
        await _begin_cuts(cuts, cluster.cut(owner, now_ms=clock.wall_ms()))
        place.disk.rename(_aside(order), f"{order.data_dir}/{METADATA_DIR}")
        place.disk.sync_dir(order.data_dir)
    return RestoreReport(
        cluster_id=cluster_id,
        store_url=order.store_url,
        topics=outcomes,
        cluster=cluster,
        seconds=clock.monotonic() - started,
    )


async def _finish(restoration: Restoration, outcomes: list[TopicOutcome]) -> None:
    with _advised():
        await restoration.finish(outcomes)


async def _begin_cuts(cuts: CutObjects, cut: Cut | None) -> None:
    if cut is not None:
        text = await written(cut)
        with _advised():
            await cuts.put(cut, text)


@contextmanager
def _advised() -> Iterator[None]:
    """Say what to do when something fails after the store was taken."""
    try:
        yield
    except RetriableError as error:
        advice = "the store is taken already: restore again, in the same way"
        raise RetriableError(f"{error}; {advice}") from error


def _check_directory(disk: Disk, order: RestoreOrder) -> None:
    """Refuse a directory that is in use by a cluster."""
    directory = order.data_dir
    if _has(disk, f"{directory}/{METADATA_DIR}"):
        raise DirectoryInUseError(
            f"{directory} has the metadata of a cluster ({directory}/{METADATA_DIR}): give another "
            "--data-dir; or, if that metadata is lost anyway, move it away first"
        )


def _local_logs(disk: Disk, order: RestoreOrder, outcomes: Sequence[TopicOutcome]) -> set[TopicId]:
    """Return the restored topics of which the directory has logs.

    Raises:
        DirectoryInUseError: An earlier time is to be restored, and the logs may go beyond it.
    """
    found = {
        each.topic_id: topic_dir(order.data_dir, each.topic_id)
        for each in outcomes
        if each.restored is not None and _has(disk, topic_dir(order.data_dir, each.topic_id))
    }
    if found and order.request.at_ms is not None:
        raise DirectoryInUseError(
            f"{next(iter(found.values()))} holds logs, perhaps later ones than the archive had at "
            "that time: give another --data-dir"
        )
    return set(found)


def _has(disk: Disk, path: str) -> bool:
    try:
        return bool(disk.list_dir(path))
    except FileNotFoundError:
        return False


def _write_offsets(place: RestorePlace, order: RestoreOrder, cluster: RestoredCluster) -> None:
    """Write the log of the offsets topic; without metadata that names the topic it is nobody's."""
    topic = cluster.offsets_topic
    for partition, batches in cluster.offsets_logs(now_ms=place.clock.wall_ms()).items():
        assert topic is not None, "without it there is nothing to write"
        write_first_segment(
            place.disk,
            order.data_dir,
            partition,
            batches,
            leader_epoch=topic.partitions[partition.partition].epoch,
        )


def _aside(order: RestoreOrder) -> str:
    return f"{order.data_dir}/{RESTORING_DIR}"


async def _write_aside(
    disk: Disk,
    order: RestoreOrder,
    owner: OwnerRecord,
    cluster: RestoredCluster,
    clones: RestoredClones,
) -> None:
    """Write the metadata where no broker looks for it."""
    aside = _aside(order)
    disk.remove_tree(aside)
    disk.make_dirs(aside)
    with ThreadPoolExecutor(1, thread_name_prefix="metadata") as executor:
        server = await open_tree(disk=disk, directory=aside, executor=executor)
        try:
            await write_restored_tree(
                await EmbeddedStore.connect(server),
                cluster_id=owner.cluster_id,
                topics=cluster.topics,
                settings=cluster.settings,
                archive=ArchiveRecord(store_id=owner.store_id, url=order.store_url),
                owner=owner.number,
                broker_id=order.broker_id,
                clones=clones,
            )
        finally:
            await server.close()
