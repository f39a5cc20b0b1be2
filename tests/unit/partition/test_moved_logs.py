"""What a start has put aside goes only when the cluster has all of it elsewhere."""

from dataclasses import replace

import pytest

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.hot.data_directory import stray_logs, tidy_logs
from service.hot.layout import partition_dir
from service.model.cluster import EMPTY_IMAGE, Broker, ClusterImage, PartitionState, TopicImage
from service.partition.moved_logs import Fate, MovedLogs, fate_of
from tests.simulation.disk import SimDisk

ME, TWO, THREE = NodeId(1), NodeId(2), NodeId(3)
TOPIC_ID = TopicId(bytes(range(16)))
PARTITION = PartitionId(TOPIC_ID, 0)
MOVED = PartitionState(
    replicas=(TWO, THREE),
    leader=TWO,
    leader_epoch=LeaderEpoch(3),
    leader_broker_epoch=5,
    isr=(TWO, THREE),
    controller_epoch=1,
    version=4,
)


def image_of(state: PartitionState, *, leader_epoch: int = 5) -> ClusterImage:
    topic = TopicImage(
        name=TopicName("t"), topic_id=TOPIC_ID, config={}, partitions=(state,), version=0
    )
    broker = Broker(
        id=TWO, epoch=leader_epoch, endpoints=(), directory_id=b"d", boot_id="b", rack=None
    )
    return replace(
        EMPTY_IMAGE,
        brokers={TWO: broker},
        topics={topic.name: topic},
        names={TOPIC_ID: topic.name},
    )


@pytest.mark.parametrize(
    ("image", "fate"),
    [
        (image_of(MOVED), Fate.GOES),
        (image_of(replace(MOVED, isr=(TWO,))), Fate.WAITS),
        (image_of(replace(MOVED, leader=None)), Fate.WAITS),
        (image_of(MOVED, leader_epoch=6), Fate.WAITS),
        (image_of(replace(MOVED, adding=(THREE,))), Fate.WAITS),
        (image_of(replace(MOVED, replicas=(TWO, ME), isr=(TWO, ME))), Fate.STAYS),
        (EMPTY_IMAGE, Fate.STAYS),
    ],
)
@pytest.mark.rule("REL-Y9")
def test_a_log_goes_only_when_all_replicas_that_there_are_have_everything(
    image: ClusterImage, fate: Fate
) -> None:
    assert fate_of(PARTITION, image, ME) is fate


def test_a_partition_that_the_topic_has_not_is_for_people_to_look_at() -> None:
    assert fate_of(PartitionId(TOPIC_ID, 1), image_of(MOVED), ME) is Fate.STAYS


def disk_with(*partitions: PartitionId) -> SimDisk:
    disk = SimDisk()
    for each in partitions:
        directory = partition_dir("/data", each)
        disk.make_dirs(directory)
        disk.write_file_atomically(f"{directory}/x", b"records")
    return disk


async def test_a_moved_log_is_removed_and_one_of_an_unknown_topic_is_not() -> None:
    unknown = PartitionId(TopicId(bytes(16)), 4)
    disk = disk_with(PARTITION, unknown)
    tidy_logs(disk, "/data", [])
    assert {*stray_logs(disk, "/data")} == {PARTITION, unknown}
    moved = MovedLogs(
        broker_id=ME, data_dir="/data", disk=disk, executor=None, image=lambda: image_of(MOVED)
    )
    await moved.run()
    assert stray_logs(disk, "/data") == [unknown]


def test_a_second_log_of_a_partition_is_put_beside_the_first() -> None:
    disk = disk_with(PARTITION)
    tidy_logs(disk, "/data", [])
    again = partition_dir("/data", PARTITION)
    disk.make_dirs(again)
    disk.write_file_atomically(f"{again}/x", b"other records")
    tidy_logs(disk, "/data", [])
    names = {name.rstrip("/") for name, _ in disk.list_dir(again.rpartition("/")[0])}
    assert names == {"0.stray", "0.1.stray"}
    assert stray_logs(disk, "/data") == [PARTITION]
