"""Creates a topic of the broker's own accord, wherever the controller is."""

import asyncio

from everlog.model.errors import EverlogError, RetriableError
from service.app.forwarding import ControllerLink
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller_term import NotControllerError
from service.coordination.topic_errors import InvalidTopicNameError, TopicExistsError
from service.coordination.topic_plan import NewTopic
from service.coordination.topics import TopicRegistry
from service.partition.keeper import PartitionKeeper
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

CREATE_VERSION = 7
SEEN_SECONDS_MAX = 10.0
"""So soon a broker hears of what the controller has created."""

_DEFAULT = -1


class ClusterTopics:
    """Creates topics, and waits until this broker knows them and leads what it is to lead.

    Args:
        topics: Creates them if this broker is the controller.
        link: Leads to whoever is.
    """

    def __init__(
        self,
        *,
        topics: TopicRegistry,
        link: ControllerLink,
        images: ImageFollower,
        keeper: PartitionKeeper,
    ) -> None:
        self._topics = topics
        self._link = link
        self._images = images
        self._keeper = keeper

    async def create(self, new: NewTopic) -> None:
        """Create a topic.

        Raises:
            TopicExistsError, InvalidTopicNameError: As the controller says.
            RetriableError: There is no controller at the moment, or it does not answer.
            EverlogError: It cannot be created.
        """
        try:
            (outcome,) = await self._topics.create_topics([new])
        except NotControllerError:
            await self._create_there(new)
        else:
            if isinstance(outcome, EverlogError):
                raise outcome
        await self._keeper.settled()

    async def _create_there(self, new: NewTopic) -> None:
        answer = await self._link.ask(_request(new), version=CREATE_VERSION)
        assert isinstance(answer, CreateTopicsResponse)
        (result,) = answer.topics
        match result.error_code:
            case ErrorCode.NONE:
                pass
            case ErrorCode.TOPIC_ALREADY_EXISTS:
                raise TopicExistsError(new.name)
            case ErrorCode.INVALID_TOPIC_EXCEPTION:
                raise InvalidTopicNameError(result.error_message or new.name)
            case code:
                raise RetriableError(result.error_message or ErrorCode(code).name)
        try:
            async with asyncio.timeout(SEEN_SECONDS_MAX):
                await self._images.wait_for(lambda image: image.topic(new.name) is not None)
        except TimeoutError as error:
            raise RetriableError(f"{new.name} was created, and is not seen here yet") from error


def _request(new: NewTopic) -> CreateTopicsRequest:
    topic = CreatableTopic(
        name=new.name,
        num_partitions=_DEFAULT if new.partitions is None else new.partitions,
        replication_factor=_DEFAULT if new.replication_factor is None else new.replication_factor,
        configs=[CreatableTopicConfig(name=key, value=text) for key, text in new.config.items()],
    )
    return CreateTopicsRequest(topics=[topic], timeout_ms=int(1000 * SEEN_SECONDS_MAX))
