"""ListGroups, key 16: v4 filter by state (KIP-518), v5 by type (848)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int16, int32, string


class ListGroupsRequest(Request, api=ApiKey.LIST_GROUPS):
    """Which groups does this broker coordinate; empty filters let everything through."""

    states_filter: list[str] = array(string(), "4+", ignorable=False)
    types_filter: list[str] = array(string(), "5+", ignorable=False)


class ListedGroup(Struct):
    """One group."""

    group_id: str = string()
    protocol_type: str = string()
    group_state: str = string("4+")
    group_type: str = string("5+")


class ListGroupsResponse(Response, api=ApiKey.LIST_GROUPS):
    """The groups."""

    throttle_time_ms: int = int32("1+")
    error_code: int = int16()
    groups: list[ListedGroup] = array(ListedGroup)
