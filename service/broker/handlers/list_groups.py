"""ListGroups: the groups that this broker coordinates."""

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.groups.coordinator import GroupCoordinator
from service.groups.descriptions import GROUP_TYPE, GroupFilter
from service.protocol.messages.list_groups import (
    ListedGroup,
    ListGroupsRequest,
    ListGroupsResponse,
)


class ListGroupsHandler:
    """Answers at once."""

    def __init__(self, *, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    def __call__(self, _context: RequestContext, request: ListGroupsRequest) -> ListGroupsResponse:
        wanted = GroupFilter.of(request.states_filter, request.types_filter)
        try:
            listings = self._coordinator.list_groups(wanted)
        except EverlogError as error:
            return ListGroupsResponse(error_code=group_code_of(error))
        return ListGroupsResponse(
            groups=[
                ListedGroup(
                    group_id=listing.group_id,
                    protocol_type=listing.protocol_type,
                    group_state=listing.state,
                    group_type=GROUP_TYPE,
                )
                for listing in listings
            ]
        )
