"""Rules of JoinGroup."""

from everlog.model.errors import EverlogError
from service.groups import rebalance, static_members
from service.groups.calls import Claim, JoinCall
from service.groups.effects import Answer, Effect
from service.groups.errors import (
    CoordinatorUnavailableError,
    GroupFullError,
    InconsistentProtocolError,
    InvalidMemberError,
    InvalidSessionTimeoutError,
    MemberIdRequiredError,
    RebalanceInProgressError,
)
from service.groups.group import Group
from service.groups.limits import NAME_CHARS_MAX, GroupLimits
from service.groups.member import Member
from service.groups.moment import Moment
from service.groups.state import GroupState


def admit_join(call: JoinCall, limits: GroupLimits) -> None:
    """Check what a member says about itself, whatever group it wants to join.

    Raises:
        InvalidSessionTimeoutError: Its session is too short or too long.
        InvalidMemberError: It says more than can be stored.
    """
    session_ms = call.session_timeout_ms
    if not limits.session_timeout_ms_min <= session_ms <= limits.session_timeout_ms_max:
        raise InvalidSessionTimeoutError(session_ms)
    names = [call.claim.instance_id or "", call.protocol_type]
    names += (protocol.name for protocol in call.protocols)
    if any(len(name) > NAME_CHARS_MAX for name in names):
        raise InvalidMemberError(f"a name has more than {NAME_CHARS_MAX} characters")
    metadata_bytes = sum(len(own.name) + len(own.metadata) for own in call.protocols)
    if metadata_bytes > limits.member_metadata_bytes_max:
        raise InvalidMemberError(f"{metadata_bytes} bytes of metadata are too many")


def join(
    group: Group, call: JoinCall, ticket: int, now: Moment, limits: GroupLimits
) -> list[Effect]:
    """Take a member into the next generation, now or when that begins."""
    if group.state is GroupState.DEAD:
        return [Answer(ticket, CoordinatorUnavailableError())]
    member = _known(group, call.claim)
    if not _has_room(group, member, limits.group_size_max):
        return [Answer(ticket, GroupFullError()), *_shed(group, member, now)]
    if not group.supports(call.protocol_type, call.protocols):
        return [Answer(ticket, InconsistentProtocolError())]
    if call.claim.member_id:
        return _join_with_id(group, call, ticket, now, limits)
    return _join_without_id(group, call, ticket, now, limits)


def _known(group: Group, claim: Claim) -> Member | None:
    if not claim.member_id and claim.instance_id is not None:
        return group.members.get_static(claim.instance_id)
    return group.members.get(claim.member_id)


def _has_room(group: Group, member: Member | None, size_max: int) -> bool:
    if group.state is GroupState.EMPTY:
        return True
    if group.state is GroupState.PREPARING_REBALANCE:
        # Only who has joined counts: a group above its limit sheds those who join last.
        is_waiting = member is not None and member.join_ticket is not None
        return is_waiting or group.members.waiting_joins < size_max
    return member is not None or len(group.members) < size_max


def _shed(group: Group, member: Member | None, now: Moment) -> list[Effect]:
    if member is None:
        return []
    return group.dismiss(member, GroupFullError()) + rebalance.advance(group, now)


def _join_without_id(
    group: Group, call: JoinCall, ticket: int, now: Moment, limits: GroupLimits
) -> list[Effect]:
    if call.claim.instance_id is not None:
        known = group.members.get_static(call.claim.instance_id)
        if known is not None:
            return static_members.take_over(group, known, call, ticket, now, limits)
    elif call.member_id_required:
        # It is a member once it comes back; one that does not must not hold up a rebalance.
        expires_ms = now.monotonic_ms + call.session_timeout_ms
        group.members.pending[call.new_member_id] = expires_ms
        group.wake_by(expires_ms)
        return [Answer(ticket, MemberIdRequiredError(call.new_member_id))]
    return _add(group, call, call.new_member_id, ticket, now, limits)


def _join_with_id(
    group: Group, call: JoinCall, ticket: int, now: Moment, limits: GroupLimits
) -> list[Effect]:
    claim = call.claim
    if claim.member_id in group.members.pending and claim.instance_id is None:
        return _add(group, call, claim.member_id, ticket, now, limits)
    try:
        member = group.members.identify(claim)
    except EverlogError as error:
        return [Answer(ticket, error)]
    if group.state is not GroupState.PREPARING_REBALANCE and _keeps_generation(group, member, call):
        group.expect(member, now)
        return [Answer(ticket, group.join_result(member))]
    return _rejoin(group, member, call, ticket, now, limits)


def _keeps_generation(group: Group, member: Member, call: JoinCall) -> bool:
    """Tell whether a member asks for what it has already, as after a lost answer.

    The leader of a stable group always means a rebalance: topics may have changed, which its
    metadata does not show.
    """
    leads = group.members.leader == member.member_id
    is_settled = group.state is GroupState.COMPLETING_REBALANCE or not leads
    return is_settled and member.protocols == call.protocols


def _add(
    group: Group, call: JoinCall, member_id: str, ticket: int, now: Moment, limits: GroupLimits
) -> list[Effect]:
    if not group.members:
        group.protocol_type = call.protocol_type
    if group.initial_delay is not None:
        group.initial_delay.extended = True
    member = Member(
        member_id=member_id,
        instance_id=call.claim.instance_id,
        client_id=call.client_id,
        client_host=call.client_host,
        session_timeout_ms=call.session_timeout_ms,
        rebalance_timeout_ms=call.patience_ms,
        protocols=call.protocols,
        join_ticket=ticket,
        is_new=True,
    )
    group.members.add(member)
    group.expect(member, now, limits.new_member_join_timeout_ms)
    return rebalance.prepare_or_advance(group, now, limits)


def _rejoin(
    group: Group, member: Member, call: JoinCall, ticket: int, now: Moment, limits: GroupLimits
) -> list[Effect]:
    effects: list[Effect] = []
    group.members.update(member, call)
    replaced = group.members.park_join(member, ticket)
    if replaced is not None:
        # A member that joins twice no longer listens to its first request.
        effects.append(Answer(replaced, RebalanceInProgressError()))
    return effects + rebalance.prepare_or_advance(group, now, limits)
