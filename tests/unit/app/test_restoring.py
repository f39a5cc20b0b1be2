"""A restore that ends anywhere can be repeated, and one that has ended well is a whole cluster."""

import random
from dataclasses import replace

import pytest

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.cut import Cut, CutTopic
from everlog.format.object_keys import ClusterKey, Uid
from everlog.format.owner_record import OwnerRecord
from everlog.format.pointer import decode_pointer
from everlog.model.errors import EverlogError, RetriableError
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from service.app.metadata import METADATA_DIR
from service.app.restoring import (
    DirectoryInUseError,
    RestoreOrder,
    RestorePlace,
    RestoreReport,
    restore_from,
)
from service.coordination.archive_record import read_archive_record
from service.coordination.deleted_topics import list_deleted_topics
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.image_reading import read_image
from service.coordination.znodes import tier_path
from service.partition.restoration import NothingToRestoreError, RestoreProgress, RestoreRequest
from service.tiering.cut_objects import CutObjects, written
from service.tiering.store_owner import (
    StoreTakenError,
    newest_owner,
    next_owner,
    read_owner,
    take_store,
)
from tests.contract.object_stores import FailingStore
from tests.simulation.clock import SeededIds
from tests.simulation.disk import SimDisk
from tests.unit.partition.test_restoration import CLUSTER, Bucket, topic_id

DATA = "/data"
ORDER = RestoreOrder(
    store_url="file:///store",
    data_dir=DATA,
    cluster_id=None,
    broker_id=NodeId(1),
    request=RestoreRequest(),
    is_trial=False,
)


async def a_bucket(*, cluster_id: str = CLUSTER) -> Bucket:
    bucket = Bucket()
    marker = encode_marker(ClusterMarker(cluster_id=cluster_id, store_id="first"))
    await bucket.store.create(object_key(ClusterKey(cluster_id=cluster_id).text), marker)
    await bucket.add("a")
    await bucket.add("b")
    for key in await bucket.keys(bucket.maker("b").path.roots):
        await bucket.store.delete([object_key(key)])  # so that a root has to be made
    return bucket


async def restored(
    bucket: Bucket, disk: SimDisk, *, order: RestoreOrder = ORDER, seed: int = 1
) -> RestoreReport:
    place = RestorePlace(store=bucket.failing, disk=disk, clock=bucket.clock, ids=SeededIds(seed))
    return await restore_from(place, order, RestoreProgress())


async def check_whole(bucket: Bucket, disk: SimDisk) -> None:
    """Look at a data directory as a broker will at its start."""
    server = await open_tree(disk=disk, directory=f"{DATA}/{METADATA_DIR}", executor=None)
    tree = await EmbeddedStore.connect(server)
    image = await read_image(tree, watch=lambda _: None)
    assert image.cluster_id == CLUSTER
    assert image.topics.keys() == {"a", "b"}
    record = await read_archive_record(tree)
    newest = await newest_owner(bucket.store, CLUSTER)
    assert record is not None
    assert newest is not None
    assert record[0].store_id == (await read_owner(bucket.store, newest)).store_id
    for name in "a", "b":
        content, _ = await tree.get(tier_path(PartitionId(topic_id(name), 0)))
        pointer = decode_pointer(content)
        assert pointer.tiered_end == 20
        assert pointer.root is not None
        path = bucket.maker(name).path
        assert await bucket.store.head(object_key(pointer.root.key(path).text))
    await server.close()


class OvertakenStore(FailingStore):
    """Is taken by another restore at the first reading."""

    def __init__(self, store: ObjectStore, other: OwnerRecord) -> None:
        super().__init__(store, lambda: (None, None))
        self._other: OwnerRecord | None = other

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        other, self._other = self._other, None
        if other is not None:
            await take_store(self.store, other, uid=Uid(bytes(16)))
        return await super().read_all(key, size_max=size_max)


def a_disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs(DATA)
    return disk


async def test_a_restored_directory_is_a_whole_cluster() -> None:
    bucket, disk = await a_bucket(), a_disk()
    report = await restored(bucket, disk)
    assert report.cluster_id == CLUSTER
    assert disk.list_dir(DATA) == [(f"{METADATA_DIR}/", 0)]
    await check_whole(bucket, disk)


@pytest.mark.parametrize("is_answer_lost", [False, True])
async def test_a_restore_that_ends_at_any_call_to_the_store_can_be_repeated(
    *, is_answer_lost: bool
) -> None:
    ends = 0
    for call in range(1, 100):
        bucket, disk = await a_bucket(), a_disk()
        away = StoreUnavailableError("call", "", "away")

        def plan(
            bucket: Bucket = bucket, call: int = call, away: Exception = away
        ) -> tuple[Exception | None, Exception | None]:
            if len(bucket.failing.calls) != call:
                return None, None
            return (None, away) if is_answer_lost else (away, None)

        bucket.failing.plan = plan
        try:
            await restored(bucket, disk)
        except RetriableError:
            ends += 1
        else:
            break
        assert (f"{METADATA_DIR}/", 0) not in disk.list_dir(DATA)
        bucket.failing.plan = lambda: (None, None)
        after = disk.after_crash(random.Random(call))
        await restored(bucket, after, seed=2)
        await check_whole(bucket, after)
    assert ends > 20


@pytest.mark.parametrize("operation", ["write", "sync", "rename", "sync_dir"])
async def test_a_power_cut_while_the_directory_is_made_leaves_nothing_half_done(
    operation: str,
) -> None:
    for seed in range(8):
        bucket, disk = await a_bucket(), a_disk()
        disk.fail(operation)
        with pytest.raises(EverlogError):
            await restored(bucket, disk)
        after = disk.after_crash(random.Random(seed))
        if (f"{METADATA_DIR}/", 0) not in after.list_dir(DATA):
            await restored(bucket, after, seed=2)
        await check_whole(bucket, after)


async def test_a_directory_that_has_metadata_is_left_alone() -> None:
    bucket, disk = await a_bucket(), a_disk()
    await restored(bucket, disk)
    before = await bucket.keys()
    with pytest.raises(DirectoryInUseError, match="give another --data-dir"):
        await restored(bucket, disk, seed=2)
    assert await bucket.keys() == before


async def test_logs_that_are_there_go_on_but_not_behind_an_earlier_time() -> None:
    bucket, disk = await a_bucket(), a_disk()
    disk.make_dirs(f"{DATA}/logs/{topic_id('a').hex()}/0")
    order = replace(ORDER, request=RestoreRequest(at_ms=bucket.clock.now_ms))
    with pytest.raises(DirectoryInUseError, match="holds logs"):
        await restored(bucket, disk, order=order)
    await restored(bucket, disk)
    await check_whole(bucket, disk)


async def test_a_trial_writes_nothing_anywhere() -> None:
    bucket, disk = await a_bucket(), a_disk()
    before = await bucket.keys()
    report = await restored(bucket, disk, order=replace(ORDER, is_trial=True))
    assert len(report.topics) == 2
    assert await bucket.keys() == before
    assert disk.list_dir(DATA) == []


async def test_which_cluster_has_to_be_said_where_there_are_several() -> None:
    bucket = await a_bucket()
    with pytest.raises(NothingToRestoreError, match="holds no archive"):
        await restored(Bucket(), a_disk())
    other = object_key(ClusterKey(cluster_id="another").text)
    await bucket.store.create(other, b"{}")
    with pytest.raises(NothingToRestoreError, match="say which with --cluster"):
        await restored(bucket, a_disk())
    disk = a_disk()
    await restored(bucket, disk, order=replace(ORDER, cluster_id=CLUSTER))
    await check_whole(bucket, disk)


async def test_a_restore_that_is_overtaken_while_it_reads_gives_up() -> None:
    bucket, disk = await a_bucket(), a_disk()
    overtaken = next_owner(None, CLUSTER, clock=bucket.clock, ids=SeededIds(9))
    reader = OvertakenStore(bucket.store, overtaken)
    place = RestorePlace(store=reader, disk=disk, clock=bucket.clock, ids=SeededIds(1))
    with pytest.raises(StoreTakenError):
        await restore_from(place, ORDER, RestoreProgress())
    assert (f"{METADATA_DIR}/", 0) not in disk.list_dir(DATA)
    newest = await newest_owner(bucket.store, CLUSTER)
    assert newest is not None
    assert (await read_owner(bucket.store, newest)).store_id == overtaken.store_id


async def epochs(disk: SimDisk) -> list[int]:
    """Leader epochs of the topics of a restored directory."""
    server = await open_tree(disk=disk, directory=f"{DATA}/{METADATA_DIR}", executor=None)
    tree = await EmbeddedStore.connect(server)
    image = await read_image(tree, watch=lambda _: None)
    await server.close()
    return [image.topics[TopicName(name)].partitions[0].leader_epoch for name in ("a", "b")]


async def write_cut(bucket: Bucket, *, owner: int, epoch: int, names: str = "ab") -> None:
    """Write the cut that a broker writes in some term, whatever it archives."""
    cut = Cut(
        cluster_id=CLUSTER,
        owner=owner,
        created_ms=bucket.clock.now_ms,
        settings={},
        topics=[
            CutTopic(
                name=TopicName(name),
                topic_id=topic_id(name),
                partitions=1,
                config={},
                epoch=LeaderEpoch(epoch),
                is_tiered=True,
            )
            for name in names
        ],
        groups={},
    )
    objects = CutObjects(bucket.store, cluster_id=CLUSTER, ids=SeededIds(epoch))
    await objects.put(cut, await written(cut))


@pytest.mark.parametrize("is_left_out", [False, True])
@pytest.mark.parametrize("goes_back", [False, True])
async def test_a_cluster_that_archived_nothing_since_its_restore_is_restored_above_its_terms(
    *, goes_back: bool, is_left_out: bool
) -> None:
    bucket, first, second, third = await a_bucket(), a_disk(), a_disk(), a_disk()
    await write_cut(bucket, owner=0, epoch=3)
    before_ms = bucket.clock.now_ms
    bucket.clock.now_ms += 60_000
    await restored(bucket, first)
    led = max(await epochs(first)) + 40  # clients have seen so many starts
    bucket.clock.now_ms += 60_000
    await write_cut(bucket, owner=1, epoch=led)
    if is_left_out:
        # Whoever has the store next knows nothing of a, and nor do its cuts.
        bucket.clock.now_ms += 60_000
        request = RestoreRequest(topics=frozenset("b"))
        await restored(bucket, second, order=replace(ORDER, request=request), seed=2)
    bucket.clock.now_ms += 60_000
    request = RestoreRequest(at_ms=before_ms if goes_back else None)
    await restored(bucket, third, order=replace(ORDER, request=request), seed=3)
    assert (await epochs(third))[0] > led


async def test_what_was_deleted_before_a_restore_goes_after_it_once_its_time_has_come() -> None:
    bucket, disk = await a_bucket(), a_disk()
    await bucket.add("gone", partitions=600)
    await bucket.mark_deleted("gone")
    deleted_ms = bucket.clock.now_ms
    bucket.clock.now_ms += 1000
    await restored(bucket, disk)
    server = await open_tree(disk=disk, directory=f"{DATA}/{METADATA_DIR}", executor=None)
    tree = await EmbeddedStore.connect(server)
    (proof,) = await list_deleted_topics(tree)
    assert (proof.name, proof.partitions, proof.deleted_ms) == ("gone", 600, deleted_ms)
    pointers = [tier_path(PartitionId(proof.topic_id, number)) for number in range(600)]
    assert all(node is not None and node[0] for node in await tree.get_many(pointers))
    await server.close()
