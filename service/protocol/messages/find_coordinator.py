"""FindCoordinator, key 10: v1 transactions (KIP-98), v4 many keys (699), v5 and v6 errors."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int8, int16, int32, string


class FindCoordinatorRequest(Request, api=ApiKey.FIND_COORDINATOR):
    """Which broker coordinates a group (key type 0) or a transactional id (1).

    One ``key`` up to v3, then ``coordinator_keys``.
    """

    key: str = string("0-3", ignorable=False)
    key_type: int = int8("1+", ignorable=False)
    coordinator_keys: list[str] = array(string(), "4+", ignorable=False)


class Coordinator(Struct):
    """The coordinator of one key."""

    key: str = string("4+")
    node_id: int = int32("4+")
    host: str = string("4+")
    port: int = int32("4+")
    error_code: int = int16("4+")
    error_message: str | None = string("4+", nullable="4+")


class FindCoordinatorResponse(Response, api=ApiKey.FIND_COORDINATOR):
    """The coordinator, in the message itself up to v3, then one for each key."""

    throttle_time_ms: int = int32("1+")
    error_code: int = int16("0-3")
    error_message: str | None = string("1-3", nullable="1-3")
    node_id: int = int32("0-3")
    host: str = string("0-3")
    port: int = int32("0-3")
    coordinators: list[Coordinator] = array(Coordinator, "4+")
