"""CreateTopics: makes topics, or says what would come of it."""

from collections import Counter
from collections.abc import Callable

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, TopicId, TopicName, id_bytes
from service.broker.config_view import Detail, topic_configs
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of
from service.coordination.topic_plan import NewTopic
from service.coordination.topics import TopicRegistry
from service.model.cluster import INTERNAL_TOPICS, TopicImage
from service.model.config_definition import InvalidConfigError
from service.model.config_layers import ConfigLayers
from service.partition.keeper import PartitionKeeper
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

UNDELETE = "archive.undelete"
"""Not a setting but a wish: the id of the deleted topic that is to come back under this name."""

_DEFAULT = -1
_DEFAULTS_SINCE = 4


class CreateTopicsHandler:
    """Answers when the new partitions can be used."""

    def __init__(
        self,
        *,
        topics: TopicRegistry,
        keeper: PartitionKeeper,
        layers: Callable[[], ConfigLayers],
    ) -> None:
        self._topics = topics
        self._keeper = keeper
        self._layers = layers

    async def __call__(
        self, context: RequestContext, request: CreateTopicsRequest
    ) -> CreateTopicsResponse:
        counts = Counter(topic.name for topic in request.topics)
        results = {name: CreatableTopicResult(name=name) for name in counts}
        wanted: list[NewTopic] = []
        for topic in request.topics:
            result = results[topic.name]
            refusal = _refusal(context, topic, counts)
            if refusal is not None:
                result.error_code, result.error_message = refusal
                continue
            try:
                wanted.append(_new_topic(topic))
            except InvalidConfigError as error:
                result.error_code, result.error_message = code_of(error), str(error)
        try:
            outcomes = await self._topics.create_topics(wanted, validate_only=request.validate_only)
        except EverlogError as error:
            outcomes = [error for _ in wanted]
        for new, outcome in zip(wanted, outcomes, strict=True):
            self._tell(results[new.name], outcome)
        await self._keeper.settled()
        return CreateTopicsResponse(topics=list(results.values()))

    def _tell(self, result: CreatableTopicResult, outcome: TopicImage | EverlogError) -> None:
        if isinstance(outcome, EverlogError):
            result.error_code = code_of(outcome)
            result.error_message = str(outcome)
            return
        result.topic_id = outcome.topic_id
        result.num_partitions = len(outcome.partitions)
        result.replication_factor = len(outcome.partitions[0].replicas)
        detail = Detail(keys=frozenset(), synonyms=False, documentation=False)
        result.configs = [
            CreatableTopicConfigs(
                name=each.name,
                value=each.value,
                read_only=each.read_only,
                config_source=each.config_source,
                is_sensitive=each.is_sensitive,
            )
            for each in topic_configs(outcome.config, self._layers(), detail)
        ]


def _refusal(
    context: RequestContext, topic: CreatableTopic, counts: Counter[str]
) -> tuple[ErrorCode, str] | None:
    """Why a topic is not even planned, if so."""
    if counts[topic.name] > 1:
        return ErrorCode.INVALID_REQUEST, f"the request names {topic.name} more than once"
    if topic.name in INTERNAL_TOPICS and not context.is_forwarded:
        return ErrorCode.INVALID_TOPIC_EXCEPTION, f"{topic.name} is made by the broker itself"
    defaults = _DEFAULT in (topic.num_partitions, topic.replication_factor)
    if defaults and not topic.assignments and context.api_version < _DEFAULTS_SINCE:
        return ErrorCode.INVALID_PARTITIONS, "this version of the request has to give both counts"
    if topic.assignments and (topic.num_partitions, topic.replication_factor) != (-1, -1):
        return ErrorCode.INVALID_REQUEST, "give either the two counts or the assignments"
    return None


def _new_topic(topic: CreatableTopic) -> NewTopic:
    """Read what is wanted.

    Raises:
        InvalidConfigError: It names no topic to bring back.
    """
    config = {each.name: each.value for each in topic.configs if each.value is not None}
    undelete = config.pop(UNDELETE, None)
    assignment = {
        each.partition_index: tuple(NodeId(node) for node in each.broker_ids)
        for each in topic.assignments
    }
    return NewTopic(
        name=TopicName(topic.name),
        partitions=None if topic.num_partitions == _DEFAULT else topic.num_partitions,
        replication_factor=(
            None if topic.replication_factor == _DEFAULT else topic.replication_factor
        ),
        assignment=assignment or None,
        config=config,
        undelete=None if undelete is None else _deleted_id(undelete),
    )


def _deleted_id(text: str) -> TopicId:
    try:
        return TopicId(id_bytes(text))
    except ValueError as error:
        advice = "write the id of a deleted topic, as everlog tier deleted shows it"
        raise InvalidConfigError(UNDELETE, text, advice) from error
