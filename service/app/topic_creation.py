"""Topics that come into being because somebody has asked for them."""

import asyncio
from contextlib import suppress

from everlog.model.errors import EverlogError, RetriableError
from everlog.model.ids import TopicName
from service.app.cluster_topics import ClusterTopics
from service.coordination.topic_errors import InvalidTopicNameError, TopicExistsError
from service.coordination.topic_plan import NewTopic
from service.groups.ports import OffsetsTopic
from service.model.cluster import INTERNAL_TOPICS
from service.protocol.error_codes import ErrorCode


class AutomaticTopics:
    """Creates missing topics with the broker's defaults, and waits until they can be used."""

    def __init__(self, *, topics: ClusterTopics, offsets_topic: OffsetsTopic) -> None:
        self._topics = topics
        self._offsets_topic = offsets_topic
        self._under_way: dict[TopicName, asyncio.Future[ErrorCode]] = {}

    async def create(self, name: TopicName) -> ErrorCode:
        """Create a topic, once for all who ask at the same time; say what to answer."""
        known = self._under_way.get(name)
        if known is not None:
            return await asyncio.shield(known)
        answer = self._under_way[name] = asyncio.get_running_loop().create_future()
        code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        try:
            code = await self._create(name)
        finally:
            del self._under_way[name]
            answer.set_result(code)
        return code

    async def _create(self, name: TopicName) -> ErrorCode:
        try:
            if name in INTERNAL_TOPICS:
                await self._offsets_topic.create()
                return ErrorCode.NONE
            with suppress(TopicExistsError):
                await self._topics.create(NewTopic(name=name))
        except RetriableError:
            return ErrorCode.LEADER_NOT_AVAILABLE
        except InvalidTopicNameError:
            return ErrorCode.INVALID_TOPIC_EXCEPTION
        except EverlogError:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return ErrorCode.NONE
