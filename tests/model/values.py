"""What a state of the model is made of: tuples, and the product's own values made of them."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch
from service.hot.leader_epochs import LeaderEpochs
from service.model.cluster import PartitionState
from tests.model.checker import Step

BROKERS = (NodeId(0), NodeId(1), NodeId(2))

DOWN, STARTING, PROVEN, UP = "down", "starting", "proven", "up"

UNREGISTERED = -1


class Stored(NamedTuple):
    """A `PartitionState` that can be hashed, and the topic whose it is."""

    topic: int
    replicas: tuple[NodeId, ...]
    leader: NodeId | None
    leader_epoch: int
    leader_broker_epoch: int
    isr: tuple[NodeId, ...]
    elr: tuple[NodeId, ...]
    version: int


class Record(NamedTuple):
    """A record; a process that leads writes one at an offset, so it says which one it is."""

    topic: int
    term: int
    writer: NodeId
    registration: int


Log = tuple[Record, ...]


class Known(NamedTuple):
    """A follower's `Progress`.

    Of times it is only told whether they are recent. When a follower has asked never is: what it
    can come to by having had what there was then, it comes to as well by having had everything.
    """

    follower: NodeId
    durable_end: int
    broker_epoch: int
    has_caught_up: bool


class Lead(NamedTuple):
    """A leader's `LeaderReplicas`, and its high watermark."""

    stored: Stored
    pending: Stored | None
    joiners: tuple[tuple[NodeId, int], ...]
    isr_min: int
    term_start: int
    followers: tuple[Known, ...]
    high_watermark: int


class Proof(NamedTuple):
    """What has happened to a disk since the broker was last registered."""

    stopped_clean: bool = False
    power_was_cut: bool = False
    was_wiped: bool = False


UNHARMED = Proof()


class Broker(NamedTuple):
    """A process, and its disk.

    Attributes:
        registration: The broker epoch that the process has.
        seen: Which of the world's states it has heard of; -1 while there is no process.
        topic: Whose log it has.
        synced: What a power cut leaves of the log.
        heard: The high watermark that its leader has told; 0 where nobody asks for it.
    """

    phase: str
    registration: int
    seen: int
    topic: int
    log: Log
    synced: int
    proof: Proof
    lead: Lead | None
    heard: int


class Fetch(NamedTuple):
    """A request of a follower."""

    follower: NodeId
    leader: NodeId
    topic: int
    term: int
    registration: int
    log: Log
    durable_end: int


class Counts(NamedTuple):
    """What has happened so often already; ``idle_cuts`` never may."""

    records: int = 0
    crashes: int = 0
    topics: int = 0
    settings: int = 0
    delays: int = 0
    drains: int = 0
    idle_cuts: int = 0


class World(NamedTuple):
    """Everything.

    Attributes:
        states: The partition's, as they were stored one after the other; the last one is true.
        epochs: By broker, the version of its epoch's node.
        registered: By broker, the epoch in its ephemeral node.
        draining: Those whose ephemeral nodes say that they are about to stop.
        isr_min: As the topic has it set.
        committed: What any leader has had below its high watermark.
        late: A fetch that is still on its way.
    """

    states: tuple[Stored, ...]
    epochs: tuple[int, ...]
    registered: tuple[int, ...]
    draining: frozenset[NodeId]
    brokers: tuple[Broker, ...]
    isr_min: int
    committed: Log
    late: Fetch | None
    counts: Counts


Outcomes = Iterator[tuple[Step, World]]
"""What can happen next."""


@cache
def thawed(stored: Stored) -> PartitionState:
    """Return the product's own value."""
    return PartitionState(
        replicas=stored.replicas,
        leader=stored.leader,
        leader_epoch=LeaderEpoch(stored.leader_epoch),
        leader_broker_epoch=stored.leader_broker_epoch,
        isr=stored.isr,
        elr=stored.elr,
        controller_epoch=0,
        version=stored.version,
    )


def frozen(state: PartitionState, topic: int) -> Stored:
    """Return what `thawed` makes the state of."""
    return Stored(
        topic,
        state.replicas,
        state.leader,
        state.leader_epoch,
        state.leader_broker_epoch,
        state.isr,
        state.elr,
        state.version,
    )


@cache
def epochs_of(log: Log) -> LeaderEpochs:
    """Return the history of a log's terms."""
    epochs = LeaderEpochs()
    for offset, record in enumerate(log):
        epochs.note(record.term, offset)
    return epochs
