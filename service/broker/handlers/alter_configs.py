"""AlterConfigs: says all that topics or brokers set; what is not named goes back to its default."""

from service.broker.config_alteration import Replacement
from service.broker.config_altering import ConfigAltering
from service.broker.config_resource import ConfigRequestError, check_named_once
from service.broker.context import RequestContext
from service.protocol.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
)


class AlterConfigsHandler:
    """Replaces settings (KIP-133)."""

    def __init__(self, *, altering: ConfigAltering) -> None:
        self._altering = altering

    async def __call__(
        self, context: RequestContext, request: AlterConfigsRequest
    ) -> AlterConfigsResponse:
        del context
        return AlterConfigsResponse(
            responses=await self._altering.alter(
                request.resources, _plan, validate_only=request.validate_only
            )
        )


def _plan(resource: AlterConfigsResource) -> Replacement:
    check_named_once(config.name for config in resource.configs)
    unset = [config.name for config in resource.configs if config.value is None]
    if unset:
        advice = "a value is missing; give one, or leave the setting out for its default"
        raise ConfigRequestError(f"{', '.join(unset)}: {advice}")
    return Replacement(
        {each.name: each.value for each in resource.configs if each.value is not None}
    )
