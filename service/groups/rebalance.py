"""How a group goes from one generation to the next.

`prepare` opens the list of members, `advance` closes it once everybody has joined, and the join
deadline closes it without those who have not. After that each member has until the sync deadline to
ask for its assignment.
"""

from service.groups.effects import Effect, EmptiedStored, Persist
from service.groups.errors import RebalanceInProgressError, UnknownMemberError
from service.groups.group import Group, InitialDelay
from service.groups.limits import GroupLimits
from service.groups.moment import Moment
from service.groups.snapshot import snapshot
from service.groups.state import GroupState


def prepare_or_advance(group: Group, now: Moment, limits: GroupLimits) -> list[Effect]:
    """Start a rebalance; if one is under way, see whether it can go on."""
    if group.state is GroupState.PREPARING_REBALANCE:
        return advance(group, now)
    return prepare(group, now, limits)


def prepare(group: Group, now: Moment, limits: GroupLimits) -> list[Effect]:
    """Open the list of members. Who waits for an assignment has to join again."""
    effects: list[Effect] = []
    if group.state is GroupState.COMPLETING_REBALANCE:
        effects += _abandon_assignment(group, now)
    _forget_sync_deadline(group)
    is_first = group.state is GroupState.EMPTY
    group.enter(GroupState.PREPARING_REBALANCE, now)
    if is_first:
        delay_ms = limits.initial_rebalance_delay_ms
        remaining_ms = max(group.members.rebalance_timeout_ms - delay_ms, 0)
        group.initial_delay = InitialDelay(delay_ms, remaining_ms)
        _set_join_deadline(group, now, delay_ms)
        return effects
    if group.members.all_joined:
        return effects + complete_join(group, now)
    _set_join_deadline(group, now, group.members.rebalance_timeout_ms)
    return effects


def advance(group: Group, now: Moment) -> list[Effect]:
    """Close the list of members if nobody is missing; a first rebalance waits its time."""
    if group.state is not GroupState.PREPARING_REBALANCE or group.initial_delay is not None:
        return []
    return complete_join(group, now) if group.members.all_joined else []


def complete_join(group: Group, now: Moment) -> list[Effect]:
    """Close the list of members and begin the next generation.

    Dynamic members that have not joined again are left behind. Static ones keep their place, but
    if nobody at all has joined, the list stays open until their sessions end.
    """
    effects: list[Effect] = []
    group.join_deadline_ms = None
    group.initial_delay = None
    for member in [absent for absent in group.members if absent.join_ticket is None]:
        if not member.is_static:
            effects += group.dismiss(member, UnknownMemberError())
    if not group.members.elect_leader() and group.members:
        _set_join_deadline(group, now, group.members.rebalance_timeout_ms)
        return effects
    group.begin_generation(now)
    if group.state is GroupState.EMPTY:
        return [*effects, Persist(snapshot(group), EmptiedStored())]
    for member in group.members:
        effects += group.answer_join(member, group.join_result(member))
        member.is_new = False
        group.expect(member, now)
    group.sync_deadline_ms = now.monotonic_ms + group.members.rebalance_timeout_ms
    group.wake_by(group.sync_deadline_ms)
    return effects


def join_deadline_passed(group: Group, now: Moment, limits: GroupLimits) -> list[Effect]:
    """Close the list of members, or give those of a first rebalance more time."""
    waited = group.initial_delay
    if waited is None or not waited.extended or waited.remaining_ms == 0:
        return complete_join(group, now)
    delay_ms = min(limits.initial_rebalance_delay_ms, waited.remaining_ms)
    remaining_ms = max(waited.remaining_ms - delay_ms, 0)
    group.initial_delay = InitialDelay(delay_ms, remaining_ms)
    _set_join_deadline(group, now, delay_ms)
    return []


def sync_deadline_passed(group: Group, now: Moment, limits: GroupLimits) -> list[Effect]:
    """Remove the members that have not asked for their assignment, and rebalance without them."""
    effects: list[Effect] = []
    for member in [late for late in group.members if late.member_id in group.unsynced]:
        effects += group.dismiss(member, UnknownMemberError())
    return effects + prepare(group, now, limits)


def synced(group: Group, member_id: str) -> None:
    """Note that a member has asked for its assignment."""
    group.unsynced.discard(member_id)
    if not group.unsynced:
        group.sync_deadline_ms = None


def _abandon_assignment(group: Group, now: Moment) -> list[Effect]:
    effects: list[Effect] = []
    for member in group.members:
        member.assignment = b""
        if member.sync_ticket is not None:
            effects += group.answer_sync(member, RebalanceInProgressError())
            group.expect(member, now)
    return effects


def _forget_sync_deadline(group: Group) -> None:
    group.unsynced.clear()
    group.sync_deadline_ms = None


def _set_join_deadline(group: Group, now: Moment, wait_ms: int) -> None:
    group.join_deadline_ms = now.monotonic_ms + wait_ms
    group.wake_by(group.join_deadline_ms)
