"""IncrementalAlterConfigs: changes some settings of topics or brokers and leaves the rest."""

from service.broker.config_alteration import Change, Increments, Operation
from service.broker.config_altering import ConfigAltering
from service.broker.config_resource import ConfigRequestError, check_named_once
from service.broker.context import RequestContext
from service.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


class IncrementalAlterConfigsHandler:
    """Sets, deletes, appends to and subtracts from settings (KIP-339)."""

    def __init__(self, *, altering: ConfigAltering) -> None:
        self._altering = altering

    async def __call__(
        self, context: RequestContext, request: IncrementalAlterConfigsRequest
    ) -> IncrementalAlterConfigsResponse:
        del context
        return IncrementalAlterConfigsResponse(
            responses=await self._altering.alter(
                request.resources, _plan, validate_only=request.validate_only
            )
        )


def _plan(resource: AlterConfigsResource) -> Increments:
    check_named_once(config.name for config in resource.configs)
    return Increments(tuple(_change(config) for config in resource.configs))


def _change(config: AlterableConfig) -> Change:
    try:
        operation = Operation(config.config_operation)
    except ValueError as error:
        known = ", ".join(f"{each} ({each.name.lower()})" for each in Operation)
        advice = f"{config.name}: there is no operation {config.config_operation}; use {known}"
        raise ConfigRequestError(advice) from error
    if operation is not Operation.DELETE and config.value is None:
        raise ConfigRequestError(f"{config.name}: a value is missing; give one, or delete it")
    return Change(name=config.name, operation=operation, text=config.value)
