"""Alters the settings of the resources that a request names, one after the other."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, TopicName
from service.broker.config_alteration import Overrides, Plan, altered_broker, altered_topic
from service.broker.config_resource import (
    ConfigRequestError,
    ResourceType,
    altered_broker_of,
    resource_type,
    shortened,
)
from service.broker.error_mapping import code_of
from service.broker.metadata_view import Images
from service.coordination.topic_errors import UnknownTopicError
from service.model.broker_config import BrokerConfig
from service.model.config_definition import InvalidConfigError
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.alter_configs import AlterConfigsResourceResponse

ChangeConfig = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Makes the new texts of the newest ones, or refuses; may be called again after a lost race."""


class TopicConfigs(Protocol):
    """Keeps what topics set themselves."""

    async def alter_topic_config(self, name: TopicName, change: ChangeConfig) -> object:
        """Change a topic's settings; on return the newest image has them.

        What ``change`` raises passes through, and nothing has changed then.

        Raises:
            EverlogError: Nothing has changed, or, for a RetriableError, perhaps.
        """
        ...


class BrokerConfigs(Protocol):
    """Keeps what holds for brokers at run time."""

    async def alter(self, broker_id: NodeId | None, change: ChangeConfig) -> object:
        """Change one broker's settings, or those for all (None), in the same way."""
        ...


class NamedResource(Protocol):
    """A resource that a request names."""

    resource_type: int
    resource_name: str


ResourceT = TypeVar("ResourceT", bound=NamedResource)

Outcome = tuple[ErrorCode, str | None]
"""What became of a resource: a code, and a message unless all is well."""

_DONE: Outcome = (ErrorCode.NONE, None)


class ConfigAltering:
    """Alters topics and brokers for both APIs that do so."""

    def __init__(
        self,
        *,
        images: Images,
        config: BrokerConfig,
        topics: TopicConfigs,
        brokers: BrokerConfigs,
    ) -> None:
        """Alter settings.

        Args:
            images: Gives the newest image.
            config: Of this broker.
            topics: Where the new settings of topics go.
            brokers: Where those of brokers go.
        """
        self._images = images
        self._config = config
        self._topics = topics
        self._brokers = brokers

    async def alter(
        self,
        resources: Sequence[ResourceT],
        plan_of: Callable[[ResourceT], Plan],
        *,
        validate_only: bool,
    ) -> list[AlterConfigsResourceResponse]:
        """Alter each resource, or only check that it could be; return what became of each.

        A resource is altered as a whole or not at all. ``plan_of`` raises ConfigRequestError for
        a request that makes no sense.
        """
        named = Counter((each.resource_type, each.resource_name) for each in resources)
        responses: list[AlterConfigsResourceResponse] = []
        for resource in resources:
            if named[resource.resource_type, resource.resource_name] > 1:
                outcome: Outcome = ErrorCode.INVALID_REQUEST, "name each resource once in a request"
            else:
                outcome = await self._outcome(resource, plan_of, validate_only=validate_only)
            code, message = outcome
            responses.append(
                AlterConfigsResourceResponse(
                    error_code=code,
                    error_message=message,
                    resource_type=resource.resource_type,
                    resource_name=resource.resource_name,
                )
            )
        return responses

    async def _outcome(
        self, resource: ResourceT, plan_of: Callable[[ResourceT], Plan], *, validate_only: bool
    ) -> Outcome:
        try:
            return await self._alter(resource, plan_of(resource), validate_only=validate_only)
        except InvalidConfigError as error:
            return ErrorCode.INVALID_CONFIG, shortened(error)
        except ConfigRequestError as error:
            return ErrorCode.INVALID_REQUEST, shortened(error)
        except EverlogError as error:
            return code_of(error), shortened(error)

    async def _alter(self, resource: NamedResource, plan: Plan, *, validate_only: bool) -> Outcome:
        name = resource.resource_name
        if resource_type(resource.resource_type) is ResourceType.TOPIC:
            return await self._alter_topic(TopicName(name), plan, validate_only=validate_only)
        return await self._alter_broker(name, plan, validate_only=validate_only)

    async def _alter_topic(self, name: TopicName, plan: Plan, *, validate_only: bool) -> Outcome:
        image = self._images()
        topic = image.topic(name)
        if topic is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, shortened(UnknownTopicError(name))
        layers = self._config.layers(image.broker_configs)
        altered_topic(topic.config, plan, layers)
        if not validate_only:
            await self._topics.alter_topic_config(
                name, lambda newest: altered_topic(newest, plan, layers)
            )
        return _DONE

    async def _alter_broker(self, name: str, plan: Plan, *, validate_only: bool) -> Outcome:
        image = self._images()
        node = altered_broker_of(name, self._config.broker_id, image.racks)
        layers = self._config.layers(image.broker_configs)
        if node is not None:
            # What another broker was started with is not known here.
            layers = replace(layers, broker=image.broker_configs.get(node, {}))

        def change(newest: Overrides) -> Overrides:
            return altered_broker(newest, plan, layers, whole_cluster=node is None)

        change(image.broker_configs.get(node, {}))
        if not validate_only:
            await self._brokers.alter(node, change)
        return _DONE
