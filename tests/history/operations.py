"""What clients did and saw: the operations that a history is made of.

Times are seconds of one monotonic clock, that of the process that all clients run in.
"""

from array import array
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

DAMAGED = -1
"""The value of a record whose bytes are not what any producer sends."""


class Partition(NamedTuple):
    topic: str
    number: int


class Outcome(Enum):
    OK = auto()
    UNKNOWN = auto()
    """It may have been done: no answer came, or one that does not say."""
    FAILED = auto()
    """It was not done, and will not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One record that a producer was given.

    Attributes:
        value: What no other record says.
        is_promised: Whether an acknowledgement is a promise: of an idempotent producer, with
            ``acks=all``. Others may lose, repeat and reorder records.
        offset: Where it is, as the acknowledgement says; None of any other outcome.
    """

    process: str
    partition: Partition
    value: int
    is_promised: bool
    invoked: float
    completed: float
    outcome: Outcome
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What a consumer was given of a partition at a time, in the order that it was given.

    Attributes:
        assignment: Number of the place that the process has last gone to by itself: with an
            assignment, a seek, or a rebalance. Within one its reads follow each other.
        is_final: Whether it is of those that read everything when all faults are over.
        epochs: Leader epochs of the records' batches, -1 where the client does not tell.
    """

    process: str
    partition: Partition
    assignment: int
    offsets: "array[int]"
    values: "array[int]"
    epochs: "array[int]"
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where a partition begins and ends for its clients, as one of them was told."""

    process: str
    partition: Partition
    log_start: int
    high_watermark: int
    leader_epoch: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A member of a group was given partitions, all that it has from then on."""

    process: str
    group: str
    generation: int
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A member committed where it has got to: the offset of the next record."""

    process: str
    group: str
    partition: Partition
    offset: int
    invoked: float
    completed: float
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A member asked where its group has got to.

    Attributes:
        offset: None where nothing is committed.
    """

    process: str
    group: str
    partition: Partition
    offset: int | None
    invoked: float
    completed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfRange:
    """A consumer was told that its log has no such place any more, where it had just read."""

    process: str
    partition: Partition
    what: str


class StoredBatch(NamedTuple):
    """One batch on a disk, by its offsets, both inclusive, and a digest of all its bytes."""

    base: int
    last: int
    digest: bytes


class Written(NamedTuple):
    """What the batch at an offset says of its producer: no other batch says the same.

    Attributes:
        sequence: Of its first record, among those that the producer sends in an epoch.
    """

    producer_id: int
    producer_epoch: int
    sequence: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaLog:
    """What one broker has on its disk of a partition, when all brokers have stopped."""

    broker: int
    partition: Partition
    high_watermark: int
    batches: tuple[StoredBatch, ...]


@dataclass(slots=True, kw_only=True)
class History:
    """All operations of a run; those of one process are in their order.

    Lists are appended to by the threads of many clients.

    Attributes:
        batches: All that idempotent producers have written, by base offset.
        disturbed: Producers that have met an error which they do not repeat a request after. They
            go on in a new epoch, in which the broker cannot tell what it has already.
    """

    sends: list[Send] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    bounds: list[Bounds] = field(default_factory=list)
    assigned: list[Assigned] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    resumed: list[Resumed] = field(default_factory=list)
    out_of_range: list[OutOfRange] = field(default_factory=list)
    replicas: list[ReplicaLog] = field(default_factory=list)
    batches: dict[Partition, dict[int, Written]] = field(default_factory=dict)
    disturbed: set[str] = field(default_factory=set)
