"""A restored tree is one that a broker joins: everything is there, the cluster's id came last."""

from collections.abc import AsyncIterator, Sequence

import pytest

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.coordination.archive_record import ArchiveRecord, read_archive_record
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.image_reading import read_image
from service.coordination.metadata_store import NodeError, Op, Result
from service.coordination.producer_ids import ProducerIds
from service.coordination.restored_tree import (
    PRODUCER_IDS_PER_OWNER,
    RestoredPartition,
    RestoredTopic,
    write_restored_tree,
)
from service.coordination.znodes import CLUSTER_ID, tier_path
from tests.simulation.disk import SimDisk

ARCHIVE = ArchiveRecord(store_id="s", url="file:///a")


class RecordingTree(EmbeddedStore):
    """Remembers the paths that were written."""

    def __init__(self, server: TreeServer) -> None:
        super().__init__(server)
        self.written: list[str] = []

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        self.written.extend(op.path for op in ops)
        return await super().multi(ops)


@pytest.fixture
async def store() -> AsyncIterator[EmbeddedStore]:
    disk = SimDisk()
    disk.make_dirs("/tree")
    server = await open_tree(disk=disk, directory="/tree", executor=None)
    yield await RecordingTree.connect(server)
    await server.close()


def topic(name: str, partitions: int) -> RestoredTopic:
    return RestoredTopic(
        name=TopicName(name),
        topic_id=TopicId(name.encode().ljust(16, b".")),
        config={"retention.ms": "5"},
        partitions=[
            RestoredPartition(epoch=LeaderEpoch(1000 + n), pointer=b"" if n % 2 else b"p%d" % n)
            for n in range(partitions)
        ],
        extra={"later": True},
    )


async def write(store: EmbeddedStore, *topics: RestoredTopic) -> None:
    await write_restored_tree(
        store,
        cluster_id="the-cluster",
        topics=topics,
        archive=ARCHIVE,
        owner=3,
        broker_id=NodeId(7),
        settings={None: {"retention.ms": "7"}, NodeId(2): {"a": "b"}},
    )


async def test_topics_come_back_with_ids_settings_epochs_and_pointers(store: EmbeddedStore) -> None:
    topics = [topic("small", 3), topic("large", 700), topic("last", 1)]
    await write(store, *topics)
    image = await read_image(store, watch=lambda _: None)
    assert image.cluster_id == "the-cluster"
    assert image.topics.keys() == {"small", "large", "last"}
    for each in topics:
        found = image.topics[each.name]
        assert (found.topic_id, found.config, found.extra) == (
            each.topic_id,
            each.config,
            each.extra,
        )
        epochs = [state.leader_epoch for state in found.partitions]
        assert epochs == [part.epoch for part in each.partitions]
        assert all(state.replicas == state.isr == (7,) for state in found.partitions)
        assert all(state.leader is None for state in found.partitions)
        paths = [tier_path(PartitionId(each.topic_id, n)) for n in range(len(each.partitions))]
        nodes = await store.get_many(paths)
        assert [node and node[0] for node in nodes] == [part.pointer for part in each.partitions]
    found_record = await read_archive_record(store)
    assert found_record is not None
    assert found_record[0] == ARCHIVE


async def test_producer_ids_begin_above_those_of_the_clusters_before(store: EmbeddedStore) -> None:
    await write(store)
    ids = ProducerIds(store=store, broker_id=NodeId(7))
    assert await ids.next_id() == 3 * PRODUCER_IDS_PER_OWNER


async def test_the_clusters_id_comes_last(store: RecordingTree) -> None:
    await write(store, topic("a", 2))
    assert store.written[-1] == CLUSTER_ID


async def test_a_tree_that_has_a_cluster_is_not_written_over(store: EmbeddedStore) -> None:
    await write(store, topic("a", 2))
    with pytest.raises(NodeError):
        await write(store, topic("a", 2))


async def test_settings_of_brokers_come_back(store: EmbeddedStore) -> None:
    await write(store, topic("a", 1))
    image = await read_image(store, watch=lambda _: None)
    assert image.broker_configs == {None: {"retention.ms": "7"}, 2: {"a": "b"}}
