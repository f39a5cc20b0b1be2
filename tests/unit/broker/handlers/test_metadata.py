"""Metadata: brokers, topics and leaders."""

import asyncio
from typing import Any

import pytest

from everlog.model.ids import TopicName
from service.broker.handlers.metadata import MetadataHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from tests.unit.broker.handlers.town import Town, context, town


class Creation:
    """Creates what it is asked for, or answers with a code."""

    def __init__(self, place: Town, code: ErrorCode = ErrorCode.NONE) -> None:
        self.asked: list[str] = []
        self._place = place
        self._code = code

    async def create(self, name: TopicName) -> ErrorCode:
        self.asked.append(name)
        if self._code is ErrorCode.NONE:
            await self._place.topic(name)
        return self._code


async def ask(
    place: Town, version: int, *names: str | None, creation: Any = None, **fields: Any
) -> Any:
    handler = MetadataHandler(images=place.images, creation=creation)
    topics = [MetadataRequestTopic(name=name) for name in names]
    request = MetadataRequest(topics=fields.pop("topics", topics), **fields)
    return await handler(context(version), request)


async def test_brokers_and_topics_are_shown() -> None:
    async with town() as place:
        partition = await place.topic("t", partitions=2)
        response = await ask(place, 9, "t")
        assert [(each.host, each.port) for each in response.brokers] == [("b1", 9092)]
        assert response.controller_id == 1
        assert response.cluster_id == place.images().cluster_id
        (topic,) = response.topics
        assert (topic.name, topic.topic_id) == ("t", partition.id.topic_id)
        assert [each.leader_epoch for each in topic.partitions] == [partition.leader_epoch] * 2


@pytest.mark.parametrize(("version", "topics"), [(0, []), (1, None), (9, None)])
async def test_all_topics_are_shown(version: int, topics: list[Any] | None) -> None:
    async with town() as place:
        await place.topic("a")
        await place.topic("b")
        response = await ask(place, version, topics=topics)
        assert {each.name for each in response.topics} == {"a", "b"}


async def test_no_topics_are_shown_to_who_wants_none() -> None:
    async with town() as place:
        await place.topic("a")
        assert (await ask(place, 1, topics=[])).topics == []


@pytest.mark.parametrize(
    ("version", "allowed", "is_created"), [(3, False, True), (4, False, False), (4, True, True)]
)
async def test_missing_topics_are_created_if_allowed(
    version: int, *, allowed: bool, is_created: bool
) -> None:
    async with town() as place:
        creation = Creation(place)
        response = await ask(
            place, version, "new", creation=creation, allow_auto_topic_creation=allowed
        )
        assert creation.asked == (["new"] if is_created else [])
        code = 0 if is_created else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert response.topics[0].error_code == code


async def test_why_a_topic_is_not_created_is_told() -> None:
    async with town() as place:
        creation = Creation(place, ErrorCode.INVALID_TOPIC_EXCEPTION)
        response = await ask(place, 1, "a/b", creation=creation)
        assert response.topics[0].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
        response = await ask(place, 1, "a/b", creation=None)
        assert response.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_topics_go_by_id_since_version_12() -> None:
    async with town() as place:
        partition = await place.topic("t")

        async def by_id(version: int, name: str | None, topic_id: bytes) -> tuple[int, Any]:
            topics = [MetadataRequestTopic(name=name, topic_id=topic_id)]
            (found,) = (await ask(place, version, topics=topics)).topics
            return found.error_code, found.name

        known = partition.id.topic_id
        assert await by_id(12, None, known) == (0, "t")
        assert await by_id(12, "t", known) == (0, "t")
        assert await by_id(12, None, b"?" * 16) == (ErrorCode.UNKNOWN_TOPIC_ID, None)
        assert await by_id(12, "t", b"?" * 16) == (ErrorCode.INCONSISTENT_TOPIC_ID, "t")
        assert await by_id(11, None, known) == (ErrorCode.INVALID_REQUEST, "")
        assert await by_id(11, "t", known) == (ErrorCode.INVALID_REQUEST, "t")


async def test_others_get_a_turn_during_a_long_request() -> None:
    async with town() as place:
        asking = asyncio.ensure_future(
            ask(place, 8, *["x"] * 3000, allow_auto_topic_creation=False)
        )
        await asyncio.sleep(0)
        assert not asking.done()
        assert len((await asking).topics) == 3000
