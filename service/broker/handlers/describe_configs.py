"""DescribeConfigs: every setting of a topic or of this broker, with where its value comes from."""

from everlog.model.errors import EverlogError
from everlog.model.ids import TopicName
from service.broker.config_resource import (
    ConfigRequestError,
    ResourceType,
    named_broker,
    resource_type,
    shortened,
)
from service.broker.config_view import Detail, broker_configs, cluster_configs, topic_configs
from service.broker.context import RequestContext
from service.broker.metadata_view import Images
from service.coordination.topic_errors import UnknownTopicError
from service.model.broker_config import BrokerConfig
from service.model.cluster import ClusterImage
from service.model.config_definition import InvalidConfigError
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)


class DescribeConfigsHandler:
    """Answers from the newest image."""

    def __init__(self, *, images: Images, config: BrokerConfig) -> None:
        """Describe settings.

        Args:
            images: Gives the newest image.
            config: Of this broker.
        """
        self._images = images
        self._config = config

    def __call__(
        self, context: RequestContext, request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse:
        del context
        return DescribeConfigsResponse(
            results=[self._described(resource, request) for resource in request.resources]
        )

    def _described(
        self, resource: DescribeConfigsResource, request: DescribeConfigsRequest
    ) -> DescribeConfigsResult:
        # No keys stand for all of them, whether none are given or an empty list of them is.
        detail = Detail(
            keys=frozenset(resource.configuration_keys or ()),
            synonyms=request.include_synonyms,
            documentation=request.include_documentation,
        )
        image = self._images()
        try:
            kind = resource_type(resource.resource_type)
            if kind is ResourceType.BROKER:
                return _found(resource, self._broker(image, resource.resource_name, detail))
            topic = image.topic(TopicName(resource.resource_name))
            if topic is None:
                missing = UnknownTopicError(TopicName(resource.resource_name))
                return _refused(resource, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, missing)
            layers = self._config.layers(image.broker_configs)
            return _found(resource, topic_configs(topic.config, layers, detail))
        except ConfigRequestError as error:
            return _refused(resource, ErrorCode.INVALID_REQUEST, error)
        except InvalidConfigError as error:
            return _refused(resource, ErrorCode.INVALID_CONFIG, error)

    def _broker(
        self, image: ClusterImage, name: str, detail: Detail
    ) -> list[DescribeConfigsResourceResult]:
        layers = self._config.layers(image.broker_configs)
        if named_broker(name, self._config.broker_id) is None:
            return cluster_configs(layers, detail)
        registered = len(image.racks)
        at_default = {
            "default.replication.factor": self._config.replication_factor(
                registered_brokers=registered
            ),
            "offsets.topic.replication.factor": self._config.offsets_replication_factor(
                registered_brokers=registered
            ),
        }
        return broker_configs(layers, detail, at_default=at_default)


def _found(
    resource: DescribeConfigsResource, configs: list[DescribeConfigsResourceResult]
) -> DescribeConfigsResult:
    return DescribeConfigsResult(
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=configs,
    )


def _refused(
    resource: DescribeConfigsResource, code: ErrorCode, error: EverlogError
) -> DescribeConfigsResult:
    return DescribeConfigsResult(
        error_code=code,
        error_message=shortened(error),
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )
