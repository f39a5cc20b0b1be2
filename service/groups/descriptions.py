"""Groups as administrators see them."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.groups.group import Group
from service.groups.member import Member
from service.groups.state import GroupState

GROUP_TYPE = "classic"
"""What ListGroups calls the groups of this package (KIP-848)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupListing:
    """One line of a list of groups."""

    group_id: str
    protocol_type: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDescription:
    """A member; metadata and assignment are empty while the group is not stable."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    metadata: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDescription:
    """A group; one that does not exist is ``Dead``, as Kafka calls it."""

    group_id: str
    state: str
    protocol_type: str
    protocol: str
    members: tuple[MemberDescription, ...]


def list_group(group: Group) -> GroupListing:
    """Return the line for a group."""
    return GroupListing(
        group_id=group.group_id,
        protocol_type=group.protocol_type or "",
        state=group.state.value,
    )


def describe_group(group: Group) -> GroupDescription:
    """Return everything there is to say about a group."""
    is_stable = group.state is GroupState.STABLE
    return GroupDescription(
        group_id=group.group_id,
        state=group.state.value,
        protocol_type=group.protocol_type or "",
        protocol=(group.protocol or "") if is_stable else "",
        members=tuple(_describe_member(group, member) for member in group.members),
    )


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups are asked for, as lower-case words; no words at all ask for all of them."""

    states: frozenset[str]
    types: frozenset[str]

    @classmethod
    def of(cls, states: Sequence[str], types: Sequence[str]) -> "GroupFilter":
        """Return the filter for words as a user may write them."""
        return cls(_words(states), _words(types))

    def takes(self, group: Group) -> bool:
        """Return whether the group is asked for."""
        if self.types and GROUP_TYPE not in self.types:
            return False
        return not self.states or group.state.value.lower() in self.states


def _words(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in words)


def _describe_member(group: Group, member: Member) -> MemberDescription:
    is_stable = group.state is GroupState.STABLE
    return MemberDescription(
        member_id=member.member_id,
        instance_id=member.instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        metadata=member.metadata(group.protocol) if is_stable else b"",
        assignment=member.assignment if is_stable else b"",
    )
