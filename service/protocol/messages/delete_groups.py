"""DeleteGroups, key 42 (KIP-229): v2 flexible (482)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int16, int32, string


class DeleteGroupsRequest(Request, api=ApiKey.DELETE_GROUPS):
    """Forget groups and their offsets."""

    groups_names: list[str] = array(string())


class DeletableGroupResult(Struct):
    """What became of one group."""

    group_id: str = string()
    error_code: int = int16()


class DeleteGroupsResponse(Response, api=ApiKey.DELETE_GROUPS):
    """One result for each group of the request."""

    throttle_time_ms: int = int32()
    results: list[DeletableGroupResult] = array(DeletableGroupResult)
