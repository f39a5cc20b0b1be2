"""How brokers hear of a change: it is published in the very transaction that makes it.

Each such multi also creates the next ``/changes/seq-`` node, which carries path, version and value
of what it wrote, so a reader who follows the numbers needs no other read and no listing. The last
`CHANGES_KEPT` nodes stay; the node ``/changes`` names the oldest of them, and a reader who is
further behind reads everything again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName, id_bytes, id_text
from service.coordination.metadata_store import (
    Check,
    Create,
    MetadataStore,
    Op,
)
from service.coordination.payloads import (
    Payload,
    TopicNode,
    broker_payload,
    encode_json,
    read_broker,
    read_state,
    read_topic,
    state_payload,
    topic_payload,
    unpack,
)
from service.coordination.znodes import (
    BROKER_CONFIGS,
    CHANGE_PREFIX,
    CHANGES,
    broker_config_path,
    broker_of_path,
    broker_path,
    change_sequence,
    config_broker_of_path,
    partition_of_path,
    state_path,
    topic_of_path,
    topic_path,
)
from service.model.cluster import Broker, PartitionState

CHANGES_KEPT = 1000
"""So far may a reader fall behind, as after a pause, and still go on without reading it all."""
CHANGE_PARTITIONS_MAX = 256
"""Partitions in one change, and so in one transaction, which must not hold up the store."""
LAST_REVISION = 1 << 62
"""Of a topic that does not come back."""
CHANGE_BYTES_MAX = 256 * 1024
"""With what it describes, a change stays well below `NODE_BYTES_MAX`."""


@dataclass(frozen=True, slots=True)
class TopicChange:
    """A topic was created, or its node was written."""

    name: TopicName
    node: TopicNode


@dataclass(frozen=True, slots=True)
class TopicDeletion:
    """The topic of that id is gone; another one may have its name.

    Attributes:
        revision: Its last one; the topic may have been brought back since, with greater ones.
    """

    name: TopicName
    topic_id: TopicId
    revision: int


@dataclass(frozen=True, slots=True)
class PartitionChange:
    """A partition has a new state."""

    partition: PartitionId
    state: PartitionState


@dataclass(frozen=True, slots=True)
class BrokerConfigChange:
    """Dynamic settings of one broker, or of all (None), were written."""

    broker_id: NodeId | None
    config: Mapping[str, str]
    version: int


@dataclass(frozen=True, slots=True)
class BrokerChange:
    """A registered broker says something else of itself; that it comes or goes is not published."""

    broker: Broker


Change = TopicChange | TopicDeletion | PartitionChange | BrokerConfigChange | BrokerChange


@dataclass(frozen=True, slots=True)
class Edit:
    """Operations that belong together, and how they are told to everybody.

    Attributes:
        rows: The changes, each as it stands in the change node.
        partitions: How many partitions it counts for.
    """

    ops: tuple[Op, ...]
    rows: tuple[bytes, ...]
    partitions: int = 1

    @property
    def row_bytes(self) -> int:
        """How much of a change node it takes."""
        return sum(map(len, self.rows))


def encode_row(change: Change) -> bytes:
    """Write one change as ``[path, version, value]``."""
    return encode_json(_row(change))


def decode_changes(content: bytes, path: str) -> list[Change]:
    """Read a change node; kinds that this version does not know are passed over."""
    rows = unpack(content, path)["changes"]
    decoded = (_decode_row(*row) for row in rows)
    return [change for change in decoded if change is not None]


def batches(edits: Iterable[Edit]) -> Iterator[list[Edit]]:
    """Group edits, in order, by what one change may carry; a large one stands alone."""
    batch: list[Edit] = []
    partitions = size_bytes = 0
    for edit in edits:
        partitions += edit.partitions
        size_bytes += edit.row_bytes
        if batch and (partitions > CHANGE_PARTITIONS_MAX or size_bytes > CHANGE_BYTES_MAX):
            yield batch
            batch, partitions, size_bytes = [], edit.partitions, edit.row_bytes
        batch.append(edit)
    if batch:
        yield batch


async def publish(store: MetadataStore, *, checks: Sequence[Check], edits: Sequence[Edit]) -> int:
    """Make edits and tell everybody, in one transaction; return the number of the change.

    Raises:
        NodeError: A check or an operation failed; nothing was changed.
        ConnectionLostError: Whether it was done is unknown.
    """
    rows = b",".join(row for edit in edits for row in edit.rows)
    change = Create(CHANGE_PREFIX, b'{"v":1,"changes":[' + rows + b"]}", sequential=True)
    ops = [op for edit in edits for op in edit.ops]
    path = (await store.multi([*checks, *ops, change]))[-1]
    assert isinstance(path, str), "a create returns its path"
    return change_sequence(path)


async def last_sequence(store: MetadataStore) -> int:
    """Return the number of the newest change, -1 before the first."""
    names = await store.children(CHANGES)
    return change_sequence(f"{CHANGES}/{names[-1]}") if names else -1


async def oldest_sequence(store: MetadataStore) -> int:
    """Return the number of the oldest change that is kept."""
    content, _ = await store.get(CHANGES)
    return int(unpack(content, CHANGES)["oldest"])


def _row(change: Change) -> tuple[str, int | None, Payload]:
    match change:
        case TopicChange():
            return topic_path(change.name), change.node.version, topic_payload(change.node)
        case TopicDeletion():
            value = {"deleted": id_text(change.topic_id), "revision": change.revision}
            return topic_path(change.name), None, value
        case PartitionChange():
            path = state_path(change.partition)
            return path, change.state.version, state_payload(change.state)
        case BrokerConfigChange():
            path = broker_config_path(change.broker_id)
            return path, change.version, {"config": dict(change.config)}
        case BrokerChange():
            return broker_path(change.broker.id), None, broker_payload(change.broker)


def _decode_row(path: str, version: int, value: Payload) -> Change | None:
    if (name := topic_of_path(path)) is not None:
        if "deleted" in value:
            # Older versions bring nothing back, and do not say.
            revision = value.get("revision", LAST_REVISION)
            return TopicDeletion(name, TopicId(id_bytes(value["deleted"])), revision)
        return TopicChange(name, read_topic(value, version))
    if (partition := partition_of_path(path)) is not None:
        return PartitionChange(partition, read_state(value, version))
    if (broker_id := broker_of_path(path)) is not None:
        return BrokerChange(read_broker(value, broker_id))
    if path.startswith(f"{BROKER_CONFIGS}/"):
        return BrokerConfigChange(config_broker_of_path(path), value["config"], version)
    return None
