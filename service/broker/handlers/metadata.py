"""Metadata: brokers, topics and leaders; creates topics that are asked for, if allowed."""

import asyncio

from everlog.model.ids import NO_TOPIC_ID, TopicId, TopicName
from service.broker.context import RequestContext
from service.broker.metadata_view import (
    Images,
    TopicCreation,
    controller_of,
    missing_topic,
    visible_brokers,
    visible_topic,
)
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)

_TOPICS_AT_ONCE = 500
"""Topics that are looked up before others get a turn on the loop."""

_CREATION_FLAG_SINCE = 4
_TOPIC_IDS_SINCE = 12


class MetadataHandler:
    """Answers from the newest image; only the creation of a topic makes it wait."""

    def __init__(self, *, images: Images, creation: TopicCreation | None) -> None:
        """Serve metadata.

        Args:
            images: Gives the newest image.
            creation: How missing topics are created; None when ``auto.create.topics.enable`` is
                off.
        """
        self._images = images
        self._creation = creation

    async def __call__(self, context: RequestContext, request: MetadataRequest) -> MetadataResponse:
        topics = await self._topics(context, request)
        image = self._images()
        return MetadataResponse(
            brokers=visible_brokers(image, context.listener),
            cluster_id=image.cluster_id,
            controller_id=controller_of(image),
            topics=topics,
        )

    async def _topics(
        self, context: RequestContext, request: MetadataRequest
    ) -> list[MetadataResponseTopic]:
        wanted = request.topics
        if wanted is None or (context.api_version == 0 and not wanted):
            image = self._images()
            return [visible_topic(image, topic) for topic in image.topics.values()]
        may_create = context.api_version < _CREATION_FLAG_SINCE or request.allow_auto_topic_creation
        found = []
        for number, each in enumerate(wanted):
            if number % _TOPICS_AT_ONCE == _TOPICS_AT_ONCE - 1:
                await asyncio.sleep(0)
            found.append(await self._topic(context, each, may_create=may_create))
        return found

    async def _topic(
        self, context: RequestContext, wanted: MetadataRequestTopic, *, may_create: bool
    ) -> MetadataResponseTopic:
        image = self._images()
        if wanted.name is None:
            return self._topic_by_id(context, wanted)
        if wanted.topic_id != NO_TOPIC_ID and context.api_version < _TOPIC_IDS_SINCE:
            return missing_topic(ErrorCode.INVALID_REQUEST, name=wanted.name)
        topic = image.topic(TopicName(wanted.name))
        if topic is not None:
            if wanted.topic_id not in (NO_TOPIC_ID, topic.topic_id):
                return missing_topic(
                    ErrorCode.INCONSISTENT_TOPIC_ID, name=wanted.name, topic_id=wanted.topic_id
                )
            return visible_topic(image, topic)
        code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if may_create and self._creation is not None:
            code = await self._creation.create(TopicName(wanted.name))
            image = self._images()
            topic = image.topic(TopicName(wanted.name))
            if code is ErrorCode.NONE and topic is not None:
                return visible_topic(image, topic)
        return missing_topic(code, name=wanted.name)

    def _topic_by_id(
        self, context: RequestContext, wanted: MetadataRequestTopic
    ) -> MetadataResponseTopic:
        if context.api_version < _TOPIC_IDS_SINCE:
            return missing_topic(ErrorCode.INVALID_REQUEST, name="", topic_id=wanted.topic_id)
        image = self._images()
        topic = image.topic_by_id(TopicId(bytes(wanted.topic_id)))
        if topic is None:
            return missing_topic(ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=wanted.topic_id)
        return visible_topic(image, topic)
