"""LeaveGroup: members go, by themselves or because an administrator says so."""

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.groups.calls import Claim
from service.groups.coordinator import GroupCoordinator
from service.groups.errors import UnknownMemberError
from service.groups.sessions import Departure
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberResponse,
)

_LIST_SINCE = 3


class LeaveGroupHandler:
    """Answers at once."""

    def __init__(self, *, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    def __call__(self, context: RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse:
        names_many = context.api_version >= _LIST_SINCE
        claims = [Claim(request.member_id)]
        if names_many:
            claims = [Claim(each.member_id, each.group_instance_id) for each in request.members]
        try:
            departures = self._coordinator.leave(request.group_id, claims)
        except UnknownMemberError as error:
            departures = [Departure(claim, error) for claim in claims]
        except EverlogError as error:
            return LeaveGroupResponse(error_code=group_code_of(error))
        if not names_many:
            return LeaveGroupResponse(error_code=_code(departures[0]))
        return LeaveGroupResponse(
            members=[
                MemberResponse(
                    member_id=departure.claim.member_id,
                    group_instance_id=departure.claim.instance_id,
                    error_code=_code(departure),
                )
                for departure in departures
            ]
        )


def _code(departure: Departure) -> ErrorCode:
    return ErrorCode.NONE if departure.error is None else group_code_of(departure.error)
