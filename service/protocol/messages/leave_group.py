"""LeaveGroup, key 13: v3 many members (KIP-345), v5 reasons (800)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int16, int32, string


class MemberIdentity(Struct):
    """A member that leaves, by its id or by its instance id."""

    member_id: str = string("3+")
    group_instance_id: str | None = string("3+", nullable="3+", default=None)
    reason: str | None = string("5+", nullable="5+", default=None)


class LeaveGroupRequest(Request, api=ApiKey.LEAVE_GROUP):
    """Leave a group: one member in the message itself up to v2, then a list."""

    group_id: str = string()
    member_id: str = string("0-2", ignorable=False)
    members: list[MemberIdentity] = array(MemberIdentity, "3+", ignorable=False)


class MemberResponse(Struct):
    """What became of one member."""

    member_id: str = string("3+")
    group_instance_id: str | None = string("3+", nullable="3+")
    error_code: int = int16("3+")


class LeaveGroupResponse(Response, api=ApiKey.LEAVE_GROUP):
    """One result for each member of the request."""

    throttle_time_ms: int = int32("1+")
    error_code: int = int16()
    members: list[MemberResponse] = array(MemberResponse, "3+")
