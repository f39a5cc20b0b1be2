"""DeleteTopics: by name, or by id so that a recreated topic is safe (KIP-516)."""

from everlog.model.errors import EverlogError
from everlog.model.ids import NO_TOPIC_ID, TopicId, TopicName
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of
from service.broker.metadata_view import Images
from service.coordination.topics import TopicRegistry
from service.model.cluster import INTERNAL_TOPICS, TopicImage
from service.partition.keeper import PartitionKeeper
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)

_STATES_SINCE = 6


class DeleteTopicsHandler:
    """Answers when the topics are gone for clients; their bytes go afterwards.

    Args:
        is_allowed: ``delete.topic.enable``.
    """

    def __init__(
        self, *, topics: TopicRegistry, keeper: PartitionKeeper, images: Images, is_allowed: bool
    ) -> None:
        self._topics = topics
        self._keeper = keeper
        self._images = images
        self._is_allowed = is_allowed

    async def __call__(
        self, context: RequestContext, request: DeleteTopicsRequest
    ) -> DeleteTopicsResponse:
        states = request.topics
        if context.api_version < _STATES_SINCE:
            states = [DeleteTopicState(name=name) for name in request.topic_names]
        results = [
            DeletableTopicResult(name=state.name, topic_id=bytes(state.topic_id))
            for state in states
        ]
        if not self._is_allowed:
            for result in results:
                result.error_code = ErrorCode.TOPIC_DELETION_DISABLED
            return DeleteTopicsResponse(responses=results)
        wanted = [
            result
            for state, result in zip(states, results, strict=True)
            if _is_well_named(state, result) and not self._is_internal(state, result)
        ]
        for result, outcome in zip(wanted, await self._delete(wanted), strict=True):
            if isinstance(outcome, EverlogError):
                result.error_code = code_of(outcome)
                result.error_message = str(outcome)
            else:
                result.name, result.topic_id = outcome.name, outcome.topic_id
        await self._keeper.settled()
        return DeleteTopicsResponse(responses=results)

    def _is_internal(self, state: DeleteTopicState, result: DeletableTopicResult) -> bool:
        """Whether the brokers need the topic: with it all groups would lose their offsets."""
        name = state.name
        if name is None:
            name = self._images().names.get(TopicId(bytes(state.topic_id)))
        if name not in INTERNAL_TOPICS:
            return False
        result.error_code = ErrorCode.INVALID_TOPIC_EXCEPTION
        result.error_message = f"{name} is kept by the brokers themselves; it is never deleted"
        return True

    async def _delete(self, wanted: list[DeletableTopicResult]) -> list[TopicImage | EverlogError]:
        keys = [
            TopicId(each.topic_id) if each.name is None else TopicName(each.name) for each in wanted
        ]
        try:
            return list(await self._topics.delete_topics(keys))
        except EverlogError as error:
            return [error for _ in wanted]


def _is_well_named(state: DeleteTopicState, result: DeletableTopicResult) -> bool:
    """Whether a topic is named in exactly one way."""
    if (state.name is None) != (bytes(state.topic_id) == NO_TOPIC_ID):
        return True
    result.error_code = ErrorCode.INVALID_REQUEST
    result.error_message = "name a topic by its name or by its id, not by both"
    return False
