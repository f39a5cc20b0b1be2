"""A group as it is written down, and back."""

from collections.abc import Mapping

from service.groups.calls import MemberProtocol
from service.groups.group import Group
from service.groups.group_record import StoredGroup, StoredMember
from service.groups.member import Member
from service.groups.moment import Moment
from service.groups.state import GroupState


def snapshot(group: Group, assignments: Mapping[str, bytes] | None = None) -> StoredGroup:
    """Return what is to be stored: with these assignments, or those that the members have."""
    return StoredGroup(
        protocol_type=group.protocol_type,
        generation=group.generation,
        protocol=group.protocol,
        leader=group.members.leader,
        state_changed_ms=group.state_changed_ms,
        members=tuple(
            StoredMember(
                member_id=member.member_id,
                instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout_ms=member.rebalance_timeout_ms,
                session_timeout_ms=member.session_timeout_ms,
                subscription=member.metadata(group.protocol),
                assignment=(
                    member.assignment
                    if assignments is None
                    else assignments.get(member.member_id, b"")
                ),
            )
            for member in group.members
        ),
    )


def restore(group_id: str, stored: StoredGroup, now: Moment) -> Group:
    """Return the group as it was stored; each member has a whole session to be heard of.

    It knows of its members' metadata only what they said for the protocol that was chosen.
    """
    group = Group(group_id, state_changed_ms=stored.state_changed_ms)
    group.is_stored = True
    group.generation = stored.generation
    group.protocol_type = stored.protocol_type
    group.protocol = stored.protocol
    for record in stored.members:
        group.members.add(_restore_member(record, stored.protocol or ""))
    if stored.leader in group.members:
        group.members.leader = stored.leader
    if stored.members:
        group.state = GroupState.STABLE
    group.subscribed = group.compute_subscribed()
    for member in group.members:
        group.expect(member, now)
    return group


def _restore_member(record: StoredMember, protocol: str) -> Member:
    return Member(
        member_id=record.member_id,
        instance_id=record.instance_id,
        client_id=record.client_id,
        client_host=record.client_host,
        session_timeout_ms=record.session_timeout_ms,
        # A rebalance that waits for no time at all would come back at once, for ever.
        rebalance_timeout_ms=max(record.rebalance_timeout_ms, 1),
        protocols=(MemberProtocol(protocol, record.subscription),),
        assignment=record.assignment,
    )
