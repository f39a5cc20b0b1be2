"""Offsets of groups come back in a log like any other, wherever a restore was broken off before."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.cut import Cut, CutOffset
from everlog.format.object_keys import ClusterKey
from everlog.model.errors import EverlogError, RetriableError
from everlog.model.ids import NodeId, PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.object_key import object_key
from service.app.metadata import METADATA_DIR
from service.app.offsets_topic import _records_of
from service.app.restoring import DirectoryInUseError, RestorePlace, RestoreReport, restore_from
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.image_reading import read_image
from service.groups.offset_record import decode_offset_key, decode_offset_value
from service.groups.partitioning import OFFSETS_TOPIC, group_partition
from service.hot.layout import topic_dir
from service.hot.recovery import recover_log
from service.model.cluster import ClusterImage
from service.partition.restoration import RestoreProgress, RestoreRequest
from service.tiering.cut_choice import choose_cut
from service.tiering.cut_objects import CutObjects, written
from tests.simulation.clock import SeededIds
from tests.simulation.disk import SimDisk
from tests.unit.app.test_restoring import DATA, ORDER, a_disk
from tests.unit.partition.test_restoration import CLUSTER, Bucket, topic_id
from tests.unit.partition.test_restored_from_cut import cut_topic

PARTITIONS = 5
Place = tuple[str, str, int]


def row(partition: int, offset: int) -> CutOffset:
    return CutOffset(partition, Offset(offset), LeaderEpoch(1), "noted", None)


GROUPS: Mapping[str, Mapping[TopicId, Sequence[CutOffset]]] = {
    "readers": {topic_id("a"): [row(0, 7)], topic_id("b"): [row(0, 99)]},
    "of a cache": {topic_id("cache"): [row(0, 1)]},
    "others": {topic_id("b"): [row(0, 20)]},
}
RESTORED = {
    ("readers", "a", 0): 7,
    ("readers", "b", 0): 20,
    ("others", "b", 0): 20,
}


class Scene:
    """A store with the archives of two topics and a cut, and a disk."""

    def __init__(self) -> None:
        self.bucket = Bucket()
        self.disk = a_disk()
        self.at_ms = 0
        self.cuts = CutObjects(self.bucket.store, cluster_id=CLUSTER, ids=SeededIds(3))

    async def fill(self) -> None:
        bucket = self.bucket
        marker = encode_marker(ClusterMarker(cluster_id=CLUSTER, store_id="first"))
        await bucket.store.create(object_key(ClusterKey(cluster_id=CLUSTER).text), marker)
        for name in "ab":
            await bucket.add(name)
        await self.cut()
        self.at_ms = bucket.clock.now_ms
        bucket.clock.now_ms += 1000

    async def cut(
        self, groups: Mapping[str, Mapping[TopicId, Sequence[CutOffset]]] = GROUPS
    ) -> None:
        cut = Cut(
            cluster_id=CLUSTER,
            owner=0,
            created_ms=self.bucket.clock.now_ms,
            settings={None: {"log.retention.ms": "5", "num.partitions": "many"}, NodeId(2): {}},
            topics=[
                cut_topic("a", is_tiered=True),
                cut_topic("b", is_tiered=True),
                cut_topic("cache"),
                cut_topic(OFFSETS_TOPIC, partitions=PARTITIONS),
            ],
            groups=groups,
        )
        await self.cuts.put(cut, await written(cut))

    async def restore(
        self, *, seed: int = 1, at_ms: int | None = None, is_trial: bool = False
    ) -> RestoreReport:
        bucket = self.bucket
        place = RestorePlace(
            store=bucket.failing, disk=self.disk, clock=bucket.clock, ids=SeededIds(seed)
        )
        order = replace(ORDER, request=RestoreRequest(at_ms=at_ms), is_trial=is_trial)
        return await restore_from(place, order, RestoreProgress())

    async def image(self) -> ClusterImage:
        directory = f"{DATA}/{METADATA_DIR}"
        server = await open_tree(disk=self.disk, directory=directory, executor=None)
        image = await read_image(await EmbeddedStore.connect(server), watch=lambda _: None)
        await server.close()
        return image

    async def offsets(self) -> dict[Place, int]:
        """Read the log of the offsets topic as a start does."""
        image = await self.image()
        topic = image.topic(OFFSETS_TOPIC)
        assert topic is not None
        found: dict[Place, int] = {}
        for number, state in enumerate(topic.partitions):
            partition = PartitionId(topic.topic_id, number)
            directory = f"{topic_dir(DATA, topic.topic_id)}/{number}"
            log = recover_log(self.disk, partition, directory, now_ms=0)
            for segment in log.segments:
                records, end = _records_of(memoryview(self.disk.read_file(segment.path)))
                assert end == len(records)
                assert all(epoch <= state.leader_epoch for epoch, _ in log.epochs)
                for key, value in records:
                    place = decode_offset_key(key)
                    assert group_partition(place.group_id, PARTITIONS) == number
                    found[place.group_id, place.topic, place.partition] = decode_offset_value(
                        value or b""
                    ).offset
        return found


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.fill()
    return scene


async def test_offsets_come_back_as_far_as_the_records_do(scene: Scene) -> None:
    report = await scene.restore()
    assert await scene.offsets() == RESTORED
    offsets = report.cluster.offsets
    assert (offsets.restored, offsets.clamped, offsets.dropped) == (3, 1, 1)
    image = await scene.image()
    assert image.topics.keys() == {"a", "b", "cache", OFFSETS_TOPIC}
    # What no broker could read would keep all of them from starting.
    assert image.broker_configs == {None: {"log.retention.ms": "5"}, 2: {}}
    assert any("num.partitions=many is left out" in note for note in report.cluster.notes)


async def test_a_restored_cluster_begins_with_a_cut_of_its_own(scene: Scene) -> None:
    await scene.restore(at_ms=scene.at_ms)
    # The cluster that had the store before has gone on for a minute.
    scene.bucket.clock.now_ms += 60_000
    await scene.cut({"readers": {topic_id("a"): [row(0, 20)]}})
    chosen = await choose_cut(scene.cuts, at_ms=None)
    assert chosen.cut is not None
    assert chosen.cut.owner == 1
    assert chosen.cut.offsets == len(RESTORED)
    scene.disk = a_disk()
    await scene.restore(seed=2)
    assert await scene.offsets() == RESTORED


async def test_a_trial_tells_the_same_and_writes_nothing(scene: Scene) -> None:
    before = await scene.bucket.keys()
    report = await scene.restore(is_trial=True)
    assert report.cluster.offsets.restored == len(RESTORED)
    assert await scene.bucket.keys() == before
    assert scene.disk.list_dir(DATA) == []


@pytest.mark.parametrize("is_earlier", [False, True])
async def test_a_restore_that_ends_at_any_call_to_the_store_can_be_repeated(
    *, is_earlier: bool
) -> None:
    ends = 0
    for call in range(1, 100):
        scene = Scene()
        await scene.fill()
        at_ms = scene.at_ms if is_earlier else None
        failing, away = scene.bucket.failing, StoreUnavailableError("call", "", "away")
        failing.plan = lambda f=failing, c=call, a=away: (  # type: ignore[misc]
            (None, a) if len(f.calls) == c else (None, None)
        )
        try:
            await scene.restore(at_ms=at_ms)
        except RetriableError:
            ends += 1
        else:
            break
        failing.plan = lambda: (None, None)
        scene.disk = scene.disk.after_crash(random.Random(call))
        await scene.restore(seed=2, at_ms=at_ms)
        assert await scene.offsets() == RESTORED
    assert ends > 10


@pytest.mark.parametrize("operation", ["write", "sync", "rename", "sync_dir"])
async def test_a_power_cut_at_any_step_leaves_all_offsets_or_can_be_repeated(
    operation: str,
) -> None:
    outcomes = set()
    for step in range(40):
        scene = Scene()
        await scene.fill()
        disk = SteppingDisk(operation, step)
        disk.make_dirs(DATA)
        scene.disk = disk
        try:
            await scene.restore()
        except EverlogError:
            outcomes.add("ended")
        else:
            outcomes.add("done")
        scene.disk = disk.after_crash(random.Random(step))
        if (f"{METADATA_DIR}/", 0) not in scene.disk.list_dir(DATA):
            await scene.restore(seed=2)
        assert await scene.offsets() == RESTORED
    assert outcomes == {"ended", "done"}


class SteppingDisk(SimDisk):
    """Refuses one operation when it comes for the n-th time, and all that follow."""

    def __init__(self, operation: str, step: int) -> None:
        super().__init__()
        self._operation = operation
        self._left = step

    def check(self, operation: str, path: str) -> None:
        if operation == self._operation:
            self._left -= 1
            if self._left < 0:
                self.fail(operation)
        super().check(operation, path)


async def test_logs_on_the_disk_go_on_with_their_own_offsets(scene: Scene) -> None:
    for name in ("a", "cache", OFFSETS_TOPIC):
        scene.disk.make_dirs(f"{topic_dir(DATA, topic_id(name))}/0")
    with pytest.raises(DirectoryInUseError, match="holds logs"):
        await scene.restore(at_ms=scene.at_ms)
    report = await scene.restore()
    assert report.cluster.has_local_offsets
    assert report.cluster.offsets.dropped == 0
    image = await scene.image()
    topic = image.topic(OFFSETS_TOPIC)
    assert topic is not None
    assert topic.topic_id == topic_id(OFFSETS_TOPIC)


async def test_without_a_cut_topics_come_back_as_ever() -> None:
    scene = Scene()
    await scene.fill()
    for key in await scene.cuts.all():
        await scene.bucket.store.delete([object_key(key.text)])
    report = await scene.restore()
    assert report.cluster.chosen.cut is None
    assert (await scene.image()).topics.keys() == {"a", "b"}
