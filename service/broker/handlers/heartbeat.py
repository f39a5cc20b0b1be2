"""Heartbeat: a member says that it is alive, and learns whether it has to join again."""

from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.groups.calls import Claim
from service.groups.coordinator import GroupCoordinator
from service.groups.errors import CoordinatorLoadingError
from service.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


class HeartbeatHandler:
    """Answers at once."""

    def __init__(self, *, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    def __call__(self, _context: RequestContext, request: HeartbeatRequest) -> HeartbeatResponse:
        claim = Claim(request.member_id, request.group_instance_id)
        try:
            self._coordinator.heartbeat(request.group_id, claim, request.generation_id)
        except CoordinatorLoadingError:
            # Once the group is loaded the member has a whole session; no need to alarm it, and
            # Kafka does not either.
            return HeartbeatResponse()
        except EverlogError as error:
            return HeartbeatResponse(error_code=group_code_of(error))
        return HeartbeatResponse()
