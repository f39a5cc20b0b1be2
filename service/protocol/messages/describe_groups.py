"""DescribeGroups, key 15: v3 authorizations (KIP-430), v4 static members (345), v6 errors."""

from service.protocol.api import ApiKey
from service.protocol.primitives import Buffer
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import (
    OPERATIONS_UNKNOWN,
    array,
    binary,
    boolean,
    int16,
    int32,
    string,
)


class DescribeGroupsRequest(Request, api=ApiKey.DESCRIBE_GROUPS):
    """Who is in these groups, and in which state are they."""

    groups: list[str] = array(string())
    include_authorized_operations: bool = boolean("3+", ignorable=False)


class DescribedGroupMember(Struct):
    """A member, what it said about itself, and what it was given."""

    member_id: str = string()
    group_instance_id: str | None = string("4+", nullable="4+", default=None)
    client_id: str = string()
    client_host: str = string()
    member_metadata: Buffer = binary()
    member_assignment: Buffer = binary()


class DescribedGroup(Struct):
    """One group."""

    error_code: int = int16()
    error_message: str | None = string("6+", nullable="6+", default=None)
    group_id: str = string()
    group_state: str = string()
    protocol_type: str = string()
    protocol_data: str = string()
    members: list[DescribedGroupMember] = array(DescribedGroupMember)
    authorized_operations: int = int32("3+", default=OPERATIONS_UNKNOWN)


class DescribeGroupsResponse(Response, api=ApiKey.DESCRIBE_GROUPS):
    """One description for each group of the request."""

    throttle_time_ms: int = int32("1+")
    groups: list[DescribedGroup] = array(DescribedGroup)
