"""Where everything is in the metadata tree; what the nodes hold is in `payloads`.

Topics are found by name, everything about their partitions by topic id: a topic that is created
again is another one, and nothing written for the old one can touch it.
"""

from functools import lru_cache

from everlog.model import ids
from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName, id_bytes

CLUSTER_ID = "/cluster/id"
CONTROLLER = "/controller"
CONTROLLER_EPOCH = "/controller_epoch"
BROKER_IDS = "/brokers/ids"
BROKER_EPOCHS = "/brokers/epochs"
TOPICS = "/topics"
PARTITIONS = "/partitions"
TIER = "/tier"
ARCHIVE = "/archive"
SOURCE = "/source"
DELETED_TOPICS = "/deleted_topics"
CLONES = "/clones"
BROKER_CONFIGS = "/config/brokers"
CHANGES = "/changes"
CHANGE_PREFIX = "/changes/seq-"
PRODUCER_IDS = "/pid_block"

_DEFAULT_CONFIG = "default"

TEXTS_KEPT = 256
"""Ids written lately: a topic's partitions come one after the other."""

id_text = lru_cache(TEXTS_KEPT)(ids.id_text)


def broker_path(broker_id: NodeId) -> str:
    """Ephemeral: the broker is registered while it exists."""
    return f"{BROKER_IDS}/{broker_id}"


def broker_epoch_path(broker_id: NodeId) -> str:
    """Its version is the broker epoch. Never deleted, so an epoch never comes again."""
    return f"{BROKER_EPOCHS}/{broker_id}"


def topic_path(name: TopicName) -> str:
    """Id, config and partition count of a topic."""
    return f"{TOPICS}/{name}"


def partitions_path(topic_id: TopicId) -> str:
    """Parent of a topic's partitions."""
    return f"{PARTITIONS}/{id_text(topic_id)}"


def partition_path(partition: PartitionId) -> str:
    """Parent of whatever is known of one partition."""
    return f"{partitions_path(partition.topic_id)}/{partition.partition}"


def state_path(partition: PartitionId) -> str:
    """Leader, epochs, replicas and ISR of a partition. Its version is the partition epoch."""
    return f"{partition_path(partition)}/state"


def tiers_path(topic_id: TopicId) -> str:
    """Parent of a topic's tier pointers."""
    return f"{TIER}/{id_text(topic_id)}"


def tier_path(partition: PartitionId) -> str:
    """The tier's authority; its bytes are tiering's own. Empty until the first claim."""
    return f"{tiers_path(partition.topic_id)}/{partition.partition}"


def deleted_topic_path(topic_id: TopicId) -> str:
    """Proof that a topic was deleted: its tier may be collected."""
    return f"{DELETED_TOPICS}/{id_text(topic_id)}"


def broker_config_path(broker_id: NodeId | None) -> str:
    """Dynamic settings of one broker, or of all (None)."""
    return f"{BROKER_CONFIGS}/{_DEFAULT_CONFIG if broker_id is None else broker_id}"


def change_path(sequence: int) -> str:
    """The node that published one change."""
    return f"{CHANGE_PREFIX}{sequence:010d}"


def change_sequence(path: str) -> int:
    """Return the number of a change node."""
    return int(path.removeprefix(CHANGE_PREFIX))


def topic_of_path(path: str) -> TopicName | None:
    """Return the topic whose node that is, or None if it is no such node."""
    match path.split("/"):
        case ["", "topics", name]:
            return TopicName(name)
        case _:
            return None


def partition_of_path(path: str) -> PartitionId | None:
    """Return the partition whose state that is, or None if it is no such node."""
    match path.split("/"):
        case ["", "partitions", topic_id, number, "state"]:
            return PartitionId(TopicId(id_bytes(topic_id)), int(number))
        case _:
            return None


def broker_of_path(path: str) -> NodeId | None:
    """Return the broker whose registration that is, or None if it is no such node."""
    match path.split("/"):
        case ["", "brokers", "ids", broker_id]:
            return NodeId(int(broker_id))
        case _:
            return None


def config_broker_of_path(path: str) -> NodeId | None:
    """Return whose settings a node below `BROKER_CONFIGS` holds; None for everybody's."""
    owner = path.removeprefix(f"{BROKER_CONFIGS}/")
    return None if owner == _DEFAULT_CONFIG else NodeId(int(owner))
