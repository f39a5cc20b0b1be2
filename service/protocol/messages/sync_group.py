"""SyncGroup, key 14: v3 static members (KIP-345), v5 names of the protocol (559)."""

from service.protocol.api import ApiKey
from service.protocol.primitives import Buffer
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, binary, int16, int32, string


class SyncGroupRequestAssignment(Struct):
    """What one member gets."""

    member_id: str = string()
    assignment: Buffer = binary()


class SyncGroupRequest(Request, api=ApiKey.SYNC_GROUP):
    """Get the assignment; from the leader, give it too."""

    group_id: str = string()
    generation_id: int = int32()
    member_id: str = string()
    group_instance_id: str | None = string("3+", nullable="3+", default=None, ignorable=False)
    protocol_type: str | None = string("5+", nullable="5+", default=None)
    protocol_name: str | None = string("5+", nullable="5+", default=None)
    assignments: list[SyncGroupRequestAssignment] = array(SyncGroupRequestAssignment)


class SyncGroupResponse(Response, api=ApiKey.SYNC_GROUP):
    """What the member gets."""

    throttle_time_ms: int = int32("1+")
    error_code: int = int16()
    protocol_type: str | None = string("5+", nullable="5+", default=None)
    protocol_name: str | None = string("5+", nullable="5+", default=None)
    assignment: Buffer = binary()
