"""Static members that come back under a new id (KIP-345)."""

from dataclasses import replace

from everlog.model.errors import EverlogError
from service.groups import rebalance
from service.groups.calls import JoinCall
from service.groups.effects import Effect, Persist, ReplacementStored
from service.groups.errors import FencedInstanceError
from service.groups.group import Group
from service.groups.limits import GroupLimits
from service.groups.member import Member
from service.groups.moment import Moment
from service.groups.snapshot import snapshot
from service.groups.state import GroupState


def take_over(
    group: Group, member: Member, call: JoinCall, ticket: int, now: Moment, limits: GroupLimits
) -> list[Effect]:
    """Give a static member that has restarted its place under a new id; the old one is fenced.

    A stable group does not rebalance for it, unless another protocol would be chosen.
    """
    leader_before = group.members.leader
    assert leader_before is not None
    effects = group.answer_join(member, FencedInstanceError())
    effects += group.answer_sync(member, FencedInstanceError())
    group.rename(member, call.new_member_id)
    group.members.update(member, call)
    group.members.park_join(member, ticket)
    group.expect(member, now)
    if group.state is not GroupState.STABLE:
        # While the leader assigns, it does so for the old id, so the new one would get nothing
        # (KAFKA-9801).
        return effects + rebalance.prepare_or_advance(group, now, limits)
    if group.members.choose_protocol() != group.protocol:
        return effects + rebalance.prepare(group, now, limits)
    purpose = ReplacementStored(
        member_id=member.member_id,
        ticket=ticket,
        leader_before=leader_before,
        may_skip_assignment=call.may_skip_assignment,
    )
    return [*effects, Persist(snapshot(group), purpose)]


def replacement_stored(group: Group, purpose: ReplacementStored, now: Moment) -> list[Effect]:
    """Give a returned member the generation that it is part of, now that its new id is durable.

    If a rebalance has begun meanwhile, its join simply takes part in that.
    """
    member = _waiting(group, purpose)
    if member is None or group.state is not GroupState.STABLE:
        return []
    group.expect(member, now)
    result = group.join_result(member)
    if purpose.may_skip_assignment:
        leads = result.leader == member.member_id
        return group.answer_join(member, replace(result, skip_assignment=leads))
    # Told that it leads, it would assign, and a stable group would not listen. So an older client
    # hears of the leader that was (KIP-345).
    told = replace(result, leader=purpose.leader_before, members=())
    return group.answer_join(member, told)


def replacement_failed(
    group: Group, purpose: ReplacementStored, error: EverlogError, now: Moment
) -> list[Effect]:
    """Tell a returned member to try again. The old id stays fenced: its process is gone."""
    member = _waiting(group, purpose)
    if member is None:
        return []
    group.expect(member, now)
    return group.answer_join(member, error)


def _waiting(group: Group, purpose: ReplacementStored) -> Member | None:
    member = group.members.get(purpose.member_id)
    return member if member is not None and member.join_ticket == purpose.ticket else None
