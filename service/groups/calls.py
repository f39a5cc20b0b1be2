"""What members ask of their group, as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset


@dataclass(frozen=True, slots=True)
class MemberProtocol:
    """A way of assigning that a member knows, with what it has to say about itself for it."""

    name: str
    metadata: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """Who the caller says it is.

    Attributes:
        member_id: Empty for one that has none yet.
        instance_id: ``group.instance.id`` of a static member (KIP-345).
    """

    member_id: str
    instance_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinCall:
    """A member wants to be part of the next generation.

    Attributes:
        new_member_id: Unused by anybody; the member gets it if it needs one.
        rebalance_timeout_ms: How long it may take to join again; None for its session timeout.
        protocols: In order of preference.
        member_id_required: Whether a dynamic member has to come back with its id (KIP-394).
        may_skip_assignment: Whether the leader can be told to leave the assignment as it is
            (KIP-814).
        reason: Why it joins, in its own words (KIP-800); empty when it does not say.
    """

    claim: Claim
    new_member_id: str
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int | None
    protocol_type: str
    protocols: tuple[MemberProtocol, ...]
    member_id_required: bool
    may_skip_assignment: bool
    reason: str = ""

    @property
    def patience_ms(self) -> int:
        """How long the others wait for this member in a rebalance."""
        return self.rebalance_timeout_ms or self.session_timeout_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCall:
    """A member wants its assignment; the leader brings those of all.

    Attributes:
        protocol_type: What the member takes the group for; None where it does not say (KIP-559).
        protocol: Likewise.
        assignments: By member id.
    """

    claim: Claim
    generation: int
    protocol_type: str | None
    protocol: str | None
    assignments: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetCommit:
    """One offset that a group wants to keep; the attributes are those of `CommittedOffset`."""

    topic: TopicName
    partition: int
    offset: Offset
    leader_epoch: LeaderEpoch | None = None
    metadata: str = ""
    topic_id: TopicId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitCall:
    """Offsets are to be kept.

    Attributes:
        generation: None from somebody who does not take part in the group.
        retention_ms: How long they are wanted, where the client says so (OffsetCommit 2 to 4).
    """

    claim: Claim
    generation: int | None
    retention_ms: int | None = None
    offsets: tuple[OffsetCommit, ...]
