"""What a request for a topic or for more partitions comes to: checked, placed, not yet written."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from everlog.model.ids import NodeId, TopicId, TopicName
from service.coordination.assignment import Racks, place_replicas
from service.coordination.elections import BrokerEpochs, first_term
from service.coordination.topic_errors import (
    InvalidPartitionsError,
    InvalidReplicaAssignmentError,
    InvalidReplicationFactorError,
    InvalidTopicRequestError,
)
from service.model.cluster import PartitionState, TopicImage

PARTITIONS_MAX = 10_000
"""Partitions of one topic; Kafka's controller makes no more in one request either."""

REPLICATION_FACTOR_DEFAULT_MAX = 3
"""Replicas of a topic where nobody says: one may be lost while another one restarts."""

CheckConfig = Callable[[Mapping[str, str]], None]
"""Raises a RejectedError when a topic cannot have these settings."""

AskStore = Callable[[Mapping[str, str], Mapping[str, str]], Awaitable[None]]
"""Given the settings before and after, raises a RejectedError if the archive's store lacks what
the new ones take."""

Assignment = tuple[tuple[NodeId, ...], ...]
"""Replicas of consecutive partitions, in order of preference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopic:
    """A topic to create.

    Attributes:
        partitions: None for the broker's default.
        replication_factor: None for the broker's default.
        assignment: Replicas by partition number, in place of the two numbers.
        config: Settings of its own, in Kafka's names.
        undelete: The deleted topic to bring back under this name; None for a new one.
    """

    name: TopicName
    partitions: int | None = None
    replication_factor: int | None = None
    assignment: Mapping[int, Sequence[NodeId]] | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    undelete: TopicId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MorePartitions:
    """A topic to enlarge.

    Attributes:
        partitions: How many it shall have altogether.
        assignment: Replicas of the new ones; None to have them placed.
    """

    name: TopicName
    partitions: int
    assignment: Sequence[Sequence[NodeId]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDefaults:
    """What holds for a topic that does not say.

    Attributes:
        replication_factor: None for as many as there are brokers, up to
            `REPLICATION_FACTOR_DEFAULT_MAX`.
    """

    partitions: int = 1
    replication_factor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The brokers that a decision is based on.

    Attributes:
        live: Those that are registered and not shutting down.
        racks: Of all that have ever registered.
        controller_epoch: Of the controller that decides.
    """

    live: BrokerEpochs
    racks: Racks
    controller_epoch: int

    def place(
        self, topic_id: TopicId, partitions: range, replication_factor: int
    ) -> tuple[PartitionState, ...]:
        """Choose replicas and first leaders; brokers that are down are used only if need be."""
        placed = place_replicas(
            {broker: self.racks.get(broker) for broker in self.live},
            partitions=partitions,
            replication_factor=replication_factor,
            start=int.from_bytes(topic_id[:4]),
            fallback=self.racks,
        )
        return self.begin(placed)

    def begin(self, assignment: Sequence[tuple[NodeId, ...]]) -> tuple[PartitionState, ...]:
        """Choose the first leaders."""
        return tuple(
            first_term(replicas, self.live, controller_epoch=self.controller_epoch)
            for replicas in assignment
        )

    def leaders(self, states: Sequence[PartitionState]) -> dict[NodeId, int]:
        """Return the epochs that must still hold when these first terms are written."""
        return {
            state.leader: state.leader_broker_epoch for state in states if state.leader is not None
        }


def plan_topic(
    new: NewTopic, *, topic_id: TopicId, placement: Placement, defaults: TopicDefaults
) -> TopicImage:
    """Work out a new topic; its name and config are checked elsewhere.

    Raises:
        InvalidTopicRequestError: Both numbers and an assignment are given.
        InvalidPartitionsError: The number of partitions is not possible.
        InvalidReplicationFactorError: There cannot be that many replicas.
        InvalidReplicaAssignmentError: The assignment makes no sense.
    """
    if new.assignment is not None:
        if new.partitions is not None or new.replication_factor is not None:
            raise InvalidTopicRequestError(
                "a replica assignment already says how many partitions and replicas there are: "
                "leave both numbers out"
            )
        states = placement.begin(_checked(_in_a_row(new.assignment), placement.racks))
    else:
        count = _first_of(new.partitions, defaults.partitions)
        factor = _first_of(
            new.replication_factor,
            defaults.replication_factor,
            min(REPLICATION_FACTOR_DEFAULT_MAX, len(placement.racks)),
        )
        _check_count(count)
        _check_factor(factor, placement.racks)
        states = placement.place(topic_id, range(count), factor)
    return TopicImage(
        name=new.name, topic_id=topic_id, config=dict(new.config), partitions=states, version=0
    )


def plan_growth(
    more: MorePartitions, topic: TopicImage, *, placement: Placement
) -> tuple[PartitionState, ...]:
    """Work out the partitions that a topic gets in addition.

    Raises:
        InvalidPartitionsError: There are as many already, or that many are not possible.
        InvalidReplicaAssignmentError: The assignment makes no sense.
    """
    held = len(topic.partitions)
    if more.partitions <= held:
        raise InvalidPartitionsError(
            f"the number of partitions of topic {topic.name!r} is {held} and can only rise: "
            f"{more.partitions} is not more"
        )
    _check_count(more.partitions)
    added = range(held, more.partitions)
    factor = len(topic.partitions[0].target)
    if more.assignment is None:
        return placement.place(topic.topic_id, added, factor)
    if len(more.assignment) != len(added):
        raise InvalidReplicaAssignmentError(
            f"replicas are given for {len(more.assignment)} partitions, but {len(added)} are new"
        )
    assignment = _checked(more.assignment, placement.racks, first=held, factor=factor)
    return placement.begin(assignment)


def _first_of(*choices: int | None) -> int:
    return next(choice for choice in choices if choice is not None)


def _check_count(partitions: int) -> None:
    if not 0 < partitions <= PARTITIONS_MAX:
        raise InvalidPartitionsError(
            f"{partitions} is no possible number of partitions: choose 1 to {PARTITIONS_MAX}"
        )


def _check_factor(factor: int, racks: Racks) -> None:
    if factor <= 0:
        raise InvalidReplicationFactorError(f"the replication factor is {factor}: choose 1 or more")
    if factor > len(racks):
        raise InvalidReplicationFactorError(
            f"a replication factor of {factor} needs as many brokers, and {len(racks)} are "
            "registered: lower it, or start more brokers"
        )


def _in_a_row(assignment: Mapping[int, Sequence[NodeId]]) -> list[Sequence[NodeId]]:
    if sorted(assignment) != list(range(len(assignment))) or not assignment:
        raise InvalidReplicaAssignmentError(
            f"the assignment is for partitions {sorted(assignment)}: number them from 0, in a row"
        )
    _check_count(len(assignment))
    return [assignment[number] for number in range(len(assignment))]


def _checked(
    assignment: Sequence[Sequence[NodeId]],
    racks: Racks,
    *,
    first: int = 0,
    factor: int | None = None,
) -> Assignment:
    """Check the replicas of partitions from number ``first`` on."""
    wanted = len(assignment[0]) if factor is None else factor
    for number, replicas in enumerate(assignment, first):
        if not replicas or len(set(replicas)) != len(replicas):
            raise InvalidReplicaAssignmentError(
                f"partition {number} has the replicas {list(replicas)}: name each broker once"
            )
        if len(replicas) != wanted:
            raise InvalidReplicaAssignmentError(
                f"partition {number} has {len(replicas)} replicas, but each of the topic's "
                f"partitions has {wanted}"
            )
        if strangers := sorted(set(replicas) - racks.keys()):
            raise InvalidReplicaAssignmentError(
                f"partition {number} has replicas on the brokers {strangers}, which do not exist"
            )
    return tuple(tuple(replicas) for replicas in assignment)
