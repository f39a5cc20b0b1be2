"""JoinGroup, key 11: v1 rebalance timeout (KIP-62), v4 member id (394), v5 static members (345).

v7 names the protocol type (KIP-559), v8 gives a reason (800), v9 may skip the assignment (814).
"""

from service.protocol.api import ApiKey
from service.protocol.primitives import Buffer
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, binary, boolean, int16, int32, string


class JoinGroupRequestProtocol(Struct):
    """A way of assigning partitions, with what it needs to know about the member."""

    name: str = string()
    metadata: Buffer = binary()


class JoinGroupRequest(Request, api=ApiKey.JOIN_GROUP):
    """Become a member, or start a rebalance."""

    group_id: str = string()
    session_timeout_ms: int = int32()
    rebalance_timeout_ms: int = int32("1+", default=-1)
    member_id: str = string()
    group_instance_id: str | None = string("5+", nullable="5+", default=None, ignorable=False)
    protocol_type: str = string()
    protocols: list[JoinGroupRequestProtocol] = array(JoinGroupRequestProtocol)
    reason: str | None = string("8+", nullable="8+", default=None)


class JoinGroupResponseMember(Struct):
    """A member, for the leader to assign to."""

    member_id: str = string()
    group_instance_id: str | None = string("5+", nullable="5+", default=None)
    metadata: Buffer = binary()


class JoinGroupResponse(Response, api=ApiKey.JOIN_GROUP):
    """The new generation; only its leader learns the members."""

    throttle_time_ms: int = int32("2+")
    error_code: int = int16()
    generation_id: int = int32(default=-1)
    protocol_type: str | None = string("7+", nullable="7+", default=None)
    protocol_name: str | None = string(nullable="7+")
    leader: str = string()
    skip_assignment: bool = boolean("9+")
    member_id: str = string()
    members: list[JoinGroupResponseMember] = array(JoinGroupResponseMember)
