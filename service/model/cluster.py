"""The cluster as one broker knows it: immutable values, replaced as a whole and cheap to replace.

Nothing in here is changed once made, mappings included, so whoever holds an image can go on
reading it across awaits; it is as old as the moment it was taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from everlog.model.ids import NodeId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch

INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state"})
"""Topics that brokers keep for themselves, as in Kafka; every other name is the users'."""

NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one listener of a broker is reached.

    Attributes:
        listener: Its name, such as ``PLAINTEXT`` or ``INTERNAL``.
        host: As clients shall dial it; never a wildcard address.
        port: TCP port.
        security: Kafka's security protocol: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT``,
            ``SASL_SSL``.
    """

    listener: str
    host: str
    port: int
    security: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker that is registered at the moment.

    Attributes:
        epoch: Of this registration; rises with each one.
        directory_id: Names the data directory; another one holds none of the old one's logs.
        boot_id: Of the operating system's start: while it is the same, no power was cut.
        rack: Where it stands, as the operator calls it.
        draining: Whether it is about to stop: it leads on until others can, and is not elected.
    """

    id: NodeId
    epoch: int
    endpoints: tuple[Endpoint, ...]
    directory_id: bytes
    boot_id: str
    rack: str | None
    draining: bool = False

    @property
    def stored_epoch(self) -> int:
        """What the node of its epoch is at while this registration holds.

        Draining raises it, so that nothing is stored any more that relies on a broker that stays
        (KIP-841).
        """
        return self.epoch + 1 if self.draining else self.epoch

    def endpoint(self, listener: str) -> Endpoint | None:
        """Return where the broker is reached by the listener of that name."""
        return next((each for each in self.endpoints if each.listener == listener), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """Who has a partition, and who leads it.

    Attributes:
        replicas: In order of preference; the first is the preferred leader. While they are being
            reassigned, the new ones, followed by those that are to go.
        leader: None while no eligible replica is alive.
        leader_epoch: The term; every election raises it.
        leader_broker_epoch: The leader's registration that this term is meant for. The broker
            leads only while it is registered with that epoch; -1 while there has been no leader.
        isr: In-sync replicas; empty only when the last one has come back without its records.
        elr: Eligible leaders that have left the ISR below its minimum (KIP-966).
        controller_epoch: Of the controller that wrote it.
        version: Of the stored node: what the next write of it must expect. Kafka's partition epoch.
        unclean_epoch: The last term whose leader was not in sync; what was known to be committed
            before it no longer is. None if there has been no such term.
        adding: Those of the replicas that the reassignment under way brings (KIP-455).
        removing: Those that go when all others are in sync.
        extra: Keys written by a newer version; a rewrite keeps them.
    """

    replicas: tuple[NodeId, ...]
    leader: NodeId | None
    leader_epoch: LeaderEpoch
    leader_broker_epoch: int
    isr: tuple[NodeId, ...]
    elr: tuple[NodeId, ...] = ()
    controller_epoch: int
    version: int
    unclean_epoch: LeaderEpoch | None = None
    adding: tuple[NodeId, ...] = ()
    removing: tuple[NodeId, ...] = ()
    extra: Mapping[str, object] = field(default_factory=lambda: NOTHING)

    @property
    def is_moving(self) -> bool:
        """Whether its replicas are being reassigned."""
        return bool(self.adding or self.removing)

    @property
    def target(self) -> tuple[NodeId, ...]:
        """The replicas that are to stay."""
        return tuple(each for each in self.replicas if each not in self.removing)

    @property
    def original(self) -> tuple[NodeId, ...]:
        """The replicas as they were before the reassignment under way.

        So many can be asked to be in sync: those that it brings have nothing yet.
        """
        return tuple(each for each in self.replicas if each not in self.adding)

    def is_led_by(self, broker_id: NodeId, broker_epoch: int) -> bool:
        """Whether this term is that registration's: a start is a new term."""
        return self.leader == broker_id and self.leader_broker_epoch == broker_epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicImage:
    """A topic and its partitions.

    Attributes:
        config: What was set for this topic, in Kafka's names; defaults are not in it.
        partitions: By number, without a gap.
        version: Of the stored topic node, which holds id, config and partition count.
        versions_before: How many versions it had before it was last brought back from deletion.
        extra: Keys written by a newer version; a rewrite keeps them.
    """

    name: TopicName
    topic_id: TopicId
    config: Mapping[str, str]
    partitions: tuple[PartitionState, ...]
    version: int
    versions_before: int = 0
    extra: Mapping[str, object] = field(default_factory=lambda: NOTHING)

    @property
    def revision(self) -> int:
        """Rises with each change of the topic, also where a deletion lies in between."""
        return self.versions_before + self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterImage:
    """Everything that a broker knows of the cluster, as of one change.

    Attributes:
        cluster_id: Stable for the life of the cluster.
        controller_id: Who writes elections and topics; None while nobody does.
        brokers: Those registered at the moment.
        racks: Of every broker that has ever registered, those that are down included.
        topics: By name.
        names: Of the topics, by id.
        broker_configs: Dynamic settings by broker; under None those that hold for all.
    """

    cluster_id: str
    controller_id: NodeId | None
    brokers: Mapping[NodeId, Broker]
    racks: Mapping[NodeId, str | None]
    topics: Mapping[TopicName, TopicImage]
    names: Mapping[TopicId, TopicName]
    broker_configs: Mapping[NodeId | None, Mapping[str, str]]

    def topic(self, name: TopicName) -> TopicImage | None:
        """Return the topic of that name."""
        return self.topics.get(name)

    def topic_by_id(self, topic_id: TopicId) -> TopicImage | None:
        """Return the topic of that id."""
        name = self.names.get(topic_id)
        return None if name is None else self.topics[name]

    def partition(self, name: TopicName, partition: int) -> PartitionState | None:
        """Return the state of one partition."""
        topic = self.topics.get(name)
        if topic is None or not 0 <= partition < len(topic.partitions):
            return None
        return topic.partitions[partition]


EMPTY_IMAGE = ClusterImage(
    cluster_id="",
    controller_id=None,
    brokers={},
    racks={},
    topics={},
    names={},
    broker_configs={},
)
"""What is known before the first load."""
