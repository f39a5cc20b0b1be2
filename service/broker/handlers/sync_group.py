"""SyncGroup: get an assignment; from the leader, take those of all."""

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.groups.calls import Claim, SyncCall
from service.groups.coordinator import GroupCoordinator
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

_PROTOCOL_SINCE = 5


class SyncGroupHandler:
    """Waits until the leader's assignment is durable."""

    def __init__(self, *, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    async def __call__(
        self, context: RequestContext, request: SyncGroupRequest
    ) -> SyncGroupResponse:
        if context.api_version >= _PROTOCOL_SINCE and not (
            request.protocol_type and request.protocol_name
        ):
            # From this version on a client has to say what it takes the group for (KIP-559).
            return SyncGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        call = SyncCall(
            claim=Claim(request.member_id, request.group_instance_id),
            generation=request.generation_id,
            protocol_type=request.protocol_type,
            protocol=request.protocol_name,
            # Assignments outlive the frame that they came in.
            assignments={each.member_id: bytes(each.assignment) for each in request.assignments},
        )
        try:
            result = await self._coordinator.sync(request.group_id, call)
        except EverlogError as error:
            return SyncGroupResponse(error_code=group_code_of(error))
        return SyncGroupResponse(
            protocol_type=result.protocol_type,
            protocol_name=result.protocol,
            assignment=result.assignment,
        )
