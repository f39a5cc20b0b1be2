"""DescribeGroups: who is in these groups, and in which state are they."""

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.groups.coordinator import GroupCoordinator
from service.groups.descriptions import GroupDescription
from service.groups.state import GroupState
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

_NOT_FOUND_SINCE = 6


class DescribeGroupsHandler:
    """Answers at once."""

    def __init__(self, *, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    def __call__(
        self, context: RequestContext, request: DescribeGroupsRequest
    ) -> DescribeGroupsResponse:
        return DescribeGroupsResponse(
            groups=[self._describe(context, group_id) for group_id in request.groups]
        )

    def _describe(self, context: RequestContext, group_id: str) -> DescribedGroup:
        try:
            description = self._coordinator.describe(group_id)
        except EverlogError as error:
            return DescribedGroup(group_id=group_id, error_code=group_code_of(error))
        if description is not None:
            return _described(description)
        dead = DescribedGroup(group_id=group_id, group_state=GroupState.DEAD.value)
        if context.api_version >= _NOT_FOUND_SINCE:
            dead.error_code = ErrorCode.GROUP_ID_NOT_FOUND
            dead.error_message = f"Group {group_id} not found."
        return dead


def _described(group: GroupDescription) -> DescribedGroup:
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state,
        protocol_type=group.protocol_type,
        protocol_data=group.protocol,
        members=[
            DescribedGroupMember(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                member_metadata=member.metadata,
                member_assignment=member.assignment,
            )
            for member in group.members
        ],
    )
