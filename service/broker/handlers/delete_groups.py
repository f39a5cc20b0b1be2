"""DeleteGroups: forget groups and all that they have committed."""

from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.groups.coordinator import GroupCoordinator
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)


class DeleteGroupsHandler:
    """Answers once they are gone for good."""

    def __init__(self, *, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    async def __call__(
        self, _context: RequestContext, request: DeleteGroupsRequest
    ) -> DeleteGroupsResponse:
        outcomes = await self._coordinator.delete_groups(dict.fromkeys(request.groups_names))
        return DeleteGroupsResponse(
            results=[
                DeletableGroupResult(
                    group_id=group_id,
                    error_code=ErrorCode.NONE if error is None else group_code_of(error),
                )
                for group_id, error in outcomes.items()
            ]
        )
