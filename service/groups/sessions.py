"""Who is still there: heartbeats, members that leave, and members that fall silent."""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.model.errors import EverlogError
from service.groups import rebalance
from service.groups.calls import Claim
from service.groups.effects import Effect
from service.groups.errors import (
    CoordinatorUnavailableError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberError,
)
from service.groups.group import Group
from service.groups.limits import GroupLimits
from service.groups.member import Member
from service.groups.moment import Moment
from service.groups.state import GroupState


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of one member that was to leave; None if it has left."""

    claim: Claim
    error: EverlogError | None


def heartbeat(group: Group, claim: Claim, generation: int, now: Moment) -> None:
    """Note that a member is alive.

    Raises:
        RebalanceInProgressError: It is, and has to join again.
        UnknownMemberError: There is no such member.
        FencedInstanceError: A newer member has its instance id.
        IllegalGenerationError: It is of another generation.
        CoordinatorUnavailableError: The group is being deleted.
    """
    if group.state is GroupState.DEAD:
        raise CoordinatorUnavailableError
    member = group.members.identify(claim)
    if generation != group.generation:
        raise IllegalGenerationError
    group.expect(member, now)
    if group.state is GroupState.PREPARING_REBALANCE:
        raise RebalanceInProgressError


def leave(
    group: Group, claims: Sequence[Claim], now: Moment, limits: GroupLimits
) -> tuple[list[Departure], list[Effect]]:
    """Let members go; the others rebalance. A claim without a member id is an administrator's.

    Raises:
        CoordinatorUnavailableError: The group is being deleted.
    """
    if group.state is GroupState.DEAD:
        raise CoordinatorUnavailableError
    departures: list[Departure] = []
    effects: list[Effect] = []
    for claim in claims:
        try:
            effects += _depart(group, claim)
            departures.append(Departure(claim, None))
        except EverlogError as error:
            departures.append(Departure(claim, error))
    if any(departure.error is None for departure in departures):
        effects += _go_on(group, now, limits)
    return departures, effects


def tick(group: Group, now: Moment, limits: GroupLimits) -> list[Effect]:
    """Act on every deadline that has passed, and find the next one."""
    effects: list[Effect] = []
    now_ms = now.monotonic_ms
    effects += _expire_pending(group, now)
    for member in [
        silent for silent in group.members if _is_due(silent.session_deadline_ms, now_ms)
    ]:
        effects += _session_ended(group, member, now, limits)
    if _is_due(group.join_deadline_ms, now_ms):
        effects += rebalance.join_deadline_passed(group, now, limits)
    if _is_due(group.sync_deadline_ms, now_ms):
        effects += rebalance.sync_deadline_passed(group, now, limits)
    group.reset_wake()
    return effects


def _expire_pending(group: Group, now: Moment) -> list[Effect]:
    pending = group.members.pending
    late = [member_id for member_id, at_ms in pending.items() if at_ms <= now.monotonic_ms]
    for member_id in late:
        del pending[member_id]
    return rebalance.advance(group, now) if late else []


def _session_ended(group: Group, member: Member, now: Moment, limits: GroupLimits) -> list[Effect]:
    if not _is_due(member.session_deadline_ms, now.monotonic_ms):
        return []  # the end of another member has completed a rebalance, and begun a new session
    if member.is_waiting:
        # It is heard of again when its call is answered, which begins a new session.
        member.session_deadline_ms = None
        return []
    return group.dismiss(member, UnknownMemberError()) + _go_on(group, now, limits)


def _depart(group: Group, claim: Claim) -> list[Effect]:
    if not claim.member_id:
        member = group.members.get_static(claim.instance_id or "")
        if member is None:
            raise UnknownMemberError
        return group.dismiss(member, UnknownMemberError())
    if claim.member_id in group.members.pending:
        del group.members.pending[claim.member_id]
        return []
    return group.dismiss(group.members.identify(claim), UnknownMemberError())


def _go_on(group: Group, now: Moment, limits: GroupLimits) -> list[Effect]:
    """Rebalance for those who are left."""
    if group.state in {GroupState.STABLE, GroupState.COMPLETING_REBALANCE}:
        return rebalance.prepare(group, now, limits)
    return rebalance.advance(group, now)


def _is_due(at_ms: int | None, now_ms: int) -> bool:
    return at_ms is not None and at_ms <= now_ms
