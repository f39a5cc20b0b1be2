"""Paths, there and back."""

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from service.coordination import znodes
from service.coordination.metadata_store import check_path

TOPIC_ID = TopicId(bytes(range(16)))
PARTITION = PartitionId(TOPIC_ID, 12)
TEXT = "AAECAwQFBgcICQoLDA0ODw"


def test_the_paths_are_the_documented_ones() -> None:
    paths = [
        znodes.broker_path(NodeId(3)),
        znodes.broker_epoch_path(NodeId(3)),
        znodes.topic_path(TopicName("a.b")),
        znodes.partitions_path(TOPIC_ID),
        znodes.partition_path(PARTITION),
        znodes.state_path(PARTITION),
        znodes.tiers_path(TOPIC_ID),
        znodes.tier_path(PARTITION),
        znodes.deleted_topic_path(TOPIC_ID),
        znodes.broker_config_path(NodeId(3)),
        znodes.broker_config_path(None),
        znodes.change_path(7),
    ]
    assert paths == [
        "/brokers/ids/3",
        "/brokers/epochs/3",
        "/topics/a.b",
        f"/partitions/{TEXT}",
        f"/partitions/{TEXT}/12",
        f"/partitions/{TEXT}/12/state",
        f"/tier/{TEXT}",
        f"/tier/{TEXT}/12",
        f"/deleted_topics/{TEXT}",
        "/config/brokers/3",
        "/config/brokers/default",
        "/changes/seq-0000000007",
    ]
    for path in paths:
        check_path(path)


def test_what_a_change_names_is_found_again() -> None:
    assert znodes.topic_of_path("/topics/a.b") == "a.b"
    assert znodes.topic_of_path("/topics/a/b") is None
    assert znodes.partition_of_path(znodes.state_path(PARTITION)) == PARTITION
    assert znodes.partition_of_path(znodes.partition_path(PARTITION)) is None
    assert znodes.config_broker_of_path("/config/brokers/default") is None
    assert znodes.config_broker_of_path("/config/brokers/3") == 3
    assert znodes.change_sequence(znodes.change_path(1234567890123)) == 1234567890123
