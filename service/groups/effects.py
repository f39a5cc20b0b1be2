"""What a group wants done after an event: answers to be sent, records to be written."""

from collections.abc import Mapping
from dataclasses import dataclass

from everlog.model.errors import EverlogError
from service.groups.group_record import StoredGroup


@dataclass(frozen=True, slots=True)
class JoinedMember:
    """What the leader of a group is told of each member."""

    member_id: str
    instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinResult:
    """A member is part of a generation.

    Attributes:
        members: All of them for the leader, none for the others.
        skip_assignment: The leader leaves the assignment as it is (KIP-814).
    """

    member_id: str
    generation: int
    protocol_type: str | None
    protocol: str | None
    leader: str
    members: tuple[JoinedMember, ...] = ()
    skip_assignment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What a member was given; empty bytes if the leader gave it nothing."""

    protocol_type: str | None
    protocol: str | None
    assignment: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A waiting call is to be answered; each ticket is answered exactly once."""

    ticket: int
    result: JoinResult | SyncResult | EverlogError


@dataclass(frozen=True, slots=True)
class AssignmentStored:
    """The leader's assignment of this generation is durable."""

    generation: int
    assignments: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementStored:
    """A static member that came back is durable under its new id.

    Attributes:
        ticket: Of the join that brought it back.
        leader_before: Who led the group until then.
    """

    member_id: str
    ticket: int
    leader_before: str
    may_skip_assignment: bool


@dataclass(frozen=True, slots=True)
class EmptiedStored:
    """That the group has become empty is durable."""


Purpose = AssignmentStored | ReplacementStored | EmptiedStored


@dataclass(frozen=True, slots=True)
class Persist:
    """The group is to be written down; the purpose comes back with the outcome."""

    stored: StoredGroup
    purpose: Purpose


Effect = Answer | Persist
