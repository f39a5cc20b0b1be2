"""IncrementalAlterConfigs, key 44 (KIP-339): v1 flexible (482)."""

from service.protocol.api import ApiKey
from service.protocol.messages.alter_configs import AlterConfigsResourceResponse
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, boolean, int8, int32, string


class AlterableConfig(Struct):
    """A change to a setting: 0 set, 1 delete, 2 append to a list, 3 subtract from a list."""

    name: str = string()
    config_operation: int = int8()
    value: str | None = string(nullable="0+")


class AlterConfigsResource(Struct):
    """A topic (type 2) or a broker (4), and the changes to it."""

    resource_type: int = int8()
    resource_name: str = string()
    configs: list[AlterableConfig] = array(AlterableConfig)


class IncrementalAlterConfigsRequest(Request, api=ApiKey.INCREMENTAL_ALTER_CONFIGS):
    """Change some settings of resources."""

    resources: list[AlterConfigsResource] = array(AlterConfigsResource)
    validate_only: bool = boolean()


class IncrementalAlterConfigsResponse(Response, api=ApiKey.INCREMENTAL_ALTER_CONFIGS):
    """One result for each resource of the request."""

    throttle_time_ms: int = int32()
    responses: list[AlterConfigsResourceResponse] = array(AlterConfigsResourceResponse)
