"""JoinGroup: become a member of the next generation of a group."""

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.groups.calls import Claim, JoinCall, MemberProtocol
from service.groups.coordinator import GroupCoordinator
from service.groups.effects import JoinResult
from service.groups.errors import MemberIdRequiredError
from service.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupResponse,
    JoinGroupResponseMember,
)

_REBALANCE_TIMEOUT_SINCE = 1
_MEMBER_ID_REQUIRED_SINCE = 4
_NULL_PROTOCOL_SINCE = 7
_SKIP_ASSIGNMENT_SINCE = 9


class JoinGroupHandler:
    """Waits until the generation begins."""

    def __init__(self, *, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    async def __call__(
        self, context: RequestContext, request: JoinGroupRequest
    ) -> JoinGroupResponse:
        try:
            result = await self._coordinator.join(request.group_id, self._call(context, request))
        except MemberIdRequiredError as error:
            return _refusal(context, error, error.member_id)
        except EverlogError as error:
            return _refusal(context, error, request.member_id)
        return _response(context, result)

    def _call(self, context: RequestContext, request: JoinGroupRequest) -> JoinCall:
        version = context.api_version
        asked_ms = request.rebalance_timeout_ms
        says_timeout = version >= _REBALANCE_TIMEOUT_SINCE and asked_ms > 0
        hint = request.group_instance_id or context.client_id
        return JoinCall(
            claim=Claim(request.member_id, request.group_instance_id),
            new_member_id=self._coordinator.new_member_id(hint),
            client_id=context.client_id,
            client_host=context.client_host,
            session_timeout_ms=request.session_timeout_ms,
            rebalance_timeout_ms=asked_ms if says_timeout else None,
            protocol_type=request.protocol_type,
            # Metadata outlives the frame that it came in.
            protocols=tuple(
                MemberProtocol(each.name, bytes(each.metadata)) for each in request.protocols
            ),
            member_id_required=version >= _MEMBER_ID_REQUIRED_SINCE,
            may_skip_assignment=version >= _SKIP_ASSIGNMENT_SINCE,
            reason=request.reason or "",
        )


def _refusal(context: RequestContext, error: EverlogError, member_id: str) -> JoinGroupResponse:
    return JoinGroupResponse(
        error_code=group_code_of(error),
        member_id=member_id,
        protocol_name=_protocol_name(context, None),
    )


def _response(context: RequestContext, result: JoinResult) -> JoinGroupResponse:
    return JoinGroupResponse(
        generation_id=result.generation,
        protocol_type=result.protocol_type,
        protocol_name=_protocol_name(context, result.protocol),
        leader=result.leader,
        skip_assignment=result.skip_assignment,
        member_id=result.member_id,
        members=[
            JoinGroupResponseMember(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                metadata=member.metadata,
            )
            for member in result.members
        ],
    )


def _protocol_name(context: RequestContext, name: str | None) -> str | None:
    return "" if name is None and context.api_version < _NULL_PROTOCOL_SINCE else name
