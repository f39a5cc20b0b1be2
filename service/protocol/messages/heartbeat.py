"""Heartbeat, key 12: v3 static members (KIP-345), v4 flexible (482)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response
from service.protocol.schema_fields import int16, int32, string


class HeartbeatRequest(Request, api=ApiKey.HEARTBEAT):
    """A member is still there."""

    group_id: str = string()
    generation_id: int = int32()
    member_id: str = string()
    group_instance_id: str | None = string("3+", nullable="3+", default=None, ignorable=False)


class HeartbeatResponse(Response, api=ApiKey.HEARTBEAT):
    """Whether it still belongs to the group, and whether a rebalance has begun."""

    throttle_time_ms: int = int32("1+")
    error_code: int = int16()
