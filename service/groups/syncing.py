"""Rules of SyncGroup: the leader's assignment is stored first, and then handed out."""

from collections.abc import Mapping

from everlog.model.errors import EverlogError
from service.groups import rebalance
from service.groups.calls import SyncCall
from service.groups.effects import Answer, AssignmentStored, Effect, Persist
from service.groups.errors import (
    CoordinatorUnavailableError,
    IllegalGenerationError,
    InconsistentProtocolError,
    RebalanceInProgressError,
)
from service.groups.group import Group
from service.groups.limits import GroupLimits
from service.groups.member import Member
from service.groups.moment import Moment
from service.groups.snapshot import snapshot
from service.groups.state import GroupState


def sync(group: Group, call: SyncCall, ticket: int, now: Moment) -> list[Effect]:
    """Take a member's request for its assignment, and the leader's assignment of all."""
    try:
        member = _admit(group, call)
    except EverlogError as error:
        return [Answer(ticket, error)]
    rebalance.synced(group, member.member_id)
    if group.state is GroupState.STABLE:
        group.expect(member, now)
        return [Answer(ticket, group.sync_result(member))]
    # A member that asks twice no longer listens to its first request.
    effects = group.answer_sync(member, RebalanceInProgressError())
    member.sync_ticket = ticket
    if group.members.leader == member.member_id:
        purpose = AssignmentStored(group.generation, call.assignments)
        effects.append(Persist(snapshot(group, call.assignments), purpose))
    return effects


def assignment_stored(group: Group, purpose: AssignmentStored, now: Moment) -> list[Effect]:
    """Hand out an assignment that has become durable, unless a rebalance has overtaken it."""
    if not _is_current(group, purpose):
        return []
    return _hand_out(group, purpose.assignments, now)


def assignment_failed(
    group: Group,
    purpose: AssignmentStored,
    error: EverlogError,
    now: Moment,
    limits: GroupLimits,
) -> list[Effect]:
    """Tell all who wait that the assignment could not be stored, and begin again."""
    if not _is_current(group, purpose):
        return []
    effects: list[Effect] = []
    for member in group.members:
        if member.sync_ticket is not None:
            effects += group.answer_sync(member, error)
            group.expect(member, now)
    return effects + rebalance.prepare(group, now, limits)


def _admit(group: Group, call: SyncCall) -> Member:
    if group.state is GroupState.DEAD:
        raise CoordinatorUnavailableError
    member = group.members.identify(call.claim)
    if call.generation != group.generation:
        raise IllegalGenerationError
    if _differ(call.protocol_type, group.protocol_type) or _differ(call.protocol, group.protocol):
        raise InconsistentProtocolError
    if group.state is GroupState.PREPARING_REBALANCE:
        raise RebalanceInProgressError
    return member


def _differ(said: str | None, known: str | None) -> bool:
    return said is not None and known is not None and said != known


def _is_current(group: Group, purpose: AssignmentStored) -> bool:
    return group.state is GroupState.COMPLETING_REBALANCE and group.generation == purpose.generation


def _hand_out(group: Group, assignments: Mapping[str, bytes], now: Moment) -> list[Effect]:
    effects: list[Effect] = []
    group.enter(GroupState.STABLE, now)
    for member in group.members:
        member.assignment = assignments.get(member.member_id, b"")
        if member.sync_ticket is not None:
            effects += group.answer_sync(member, group.sync_result(member))
            group.expect(member, now)
    return effects
