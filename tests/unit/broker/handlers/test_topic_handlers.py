"""CreateTopics, CreatePartitions, DeleteTopics, and what describes topics and brokers."""

from typing import Any

from service.broker.handlers.create_partitions import CreatePartitionsHandler
from service.broker.handlers.create_topics import CreateTopicsHandler
from service.broker.handlers.delete_topics import DeleteTopicsHandler
from service.broker.handlers.describe_cluster import DescribeClusterHandler
from service.broker.handlers.describe_topic_partitions import DescribeTopicPartitionsHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from service.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from service.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from service.protocol.messages.describe_cluster import DescribeClusterRequest
from service.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from tests.unit.broker.config_cluster import broker_config
from tests.unit.broker.handlers.town import Town, context, town


async def create(place: Town, *topics: CreatableTopic, version: int = 7, **fields: bool) -> Any:
    config = broker_config()
    handler = CreateTopicsHandler(
        topics=place.stage.topics,
        keeper=place.keeper,
        layers=lambda: config.layers(place.images().broker_configs),
    )
    request = CreateTopicsRequest(topics=list(topics), timeout_ms=1000, **fields)
    return (await handler(context(version), request)).topics


def a_topic(name: str, *, partitions: int = 2, factor: int = 1, **fields: Any) -> CreatableTopic:
    return CreatableTopic(name=name, num_partitions=partitions, replication_factor=factor, **fields)


async def test_a_new_topic_can_be_used_at_once() -> None:
    async with town() as place:
        (result,) = await create(place, a_topic("t"))
        assert (result.error_code, result.num_partitions) == (0, 2)
        assert place.table.led("t", 1).id.topic_id == result.topic_id
        assert {each.name for each in result.configs} > {"retention.ms", "cleanup.policy"}


async def test_topics_are_refused_one_by_one() -> None:
    async with town() as place:
        bad = CreatableTopicConfig(name="no.such.setting", value="1")
        results = await create(
            place,
            a_topic("good"),
            a_topic("a/b"),
            a_topic("__consumer_offsets"),
            a_topic("wide", factor=3),
            a_topic("none", partitions=0),
            a_topic("odd", configs=[bad]),
            a_topic("twice"),
            a_topic("twice"),
        )
        assert {each.name: each.error_code for each in results} == {
            "good": 0,
            "a/b": ErrorCode.INVALID_TOPIC_EXCEPTION,
            "__consumer_offsets": ErrorCode.INVALID_TOPIC_EXCEPTION,
            "wide": ErrorCode.INVALID_REPLICATION_FACTOR,
            "none": ErrorCode.INVALID_PARTITIONS,
            # The stage's own check refuses it with the plain class.
            "odd": ErrorCode.INVALID_REQUEST,
            "twice": ErrorCode.INVALID_REQUEST,
        }
        (again,) = await create(place, a_topic("good"))
        assert again.error_code == ErrorCode.TOPIC_ALREADY_EXISTS


async def test_a_rehearsal_creates_nothing() -> None:
    async with town() as place:
        (result,) = await create(place, a_topic("t"), validate_only=True)
        assert result.error_code == 0
        assert place.images().topics == {}


async def test_defaults_need_version_4() -> None:
    async with town() as place:
        (old,) = await create(place, a_topic("t", partitions=-1, factor=-1), version=3)
        assert old.error_code == ErrorCode.INVALID_PARTITIONS
        (new,) = await create(place, a_topic("t", partitions=-1, factor=-1), version=4)
        assert (new.error_code, new.num_partitions) == (0, 1)


async def test_a_topic_grows_and_never_shrinks() -> None:
    async with town() as place:
        await place.topic("t", partitions=2)
        handler = CreatePartitionsHandler(topics=place.stage.topics, keeper=place.keeper)

        async def grow(name: str, count: int) -> int:
            topics = [CreatePartitionsTopic(name=name, count=count, assignments=None)]
            request = CreatePartitionsRequest(topics=topics, timeout_ms=1000)
            return int((await handler(context(3), request)).results[0].error_code)

        assert await grow("t", 4) == 0
        assert place.table.led("t", 3).high_watermark == 0
        assert await grow("t", 3) == ErrorCode.INVALID_PARTITIONS
        assert await grow("nobody", 3) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def delete(place: Town, *states: DeleteTopicState, version: int = 6, **fields: Any) -> Any:
    handler = DeleteTopicsHandler(
        topics=place.stage.topics,
        keeper=place.keeper,
        images=place.images,
        is_allowed=fields.pop("is_allowed", True),
    )
    request = DeleteTopicsRequest(topics=list(states), timeout_ms=1000, **fields)
    return (await handler(context(version), request)).responses


async def test_topics_are_deleted_by_name_and_by_id() -> None:
    async with town() as place:
        await place.topic("a")
        second = await place.topic("b")
        results = await delete(
            place,
            DeleteTopicState(name="a"),
            DeleteTopicState(name=None, topic_id=second.id.topic_id),
            DeleteTopicState(name="nobody"),
            DeleteTopicState(name=None, topic_id=b"?" * 16),
            DeleteTopicState(name="a", topic_id=second.id.topic_id),
            DeleteTopicState(name=None),
        )
        assert [each.error_code for each in results] == [
            0,
            0,
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode.UNKNOWN_TOPIC_ID,
            ErrorCode.INVALID_REQUEST,
            ErrorCode.INVALID_REQUEST,
        ]
        assert len(place.table) == 0


async def test_topics_that_brokers_keep_are_never_deleted() -> None:
    async with town() as place:
        offsets = await place.topic("__consumer_offsets")
        by_name, by_id, absent = await delete(
            place,
            DeleteTopicState(name="__consumer_offsets"),
            DeleteTopicState(name=None, topic_id=offsets.id.topic_id),
            DeleteTopicState(name="__transaction_state"),
        )
        for result in (by_name, by_id, absent):
            assert result.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
            assert "never deleted" in result.error_message
        assert len(place.table) == 1


async def test_deletion_can_be_forbidden() -> None:
    async with town() as place:
        await place.topic("a")
        (result,) = await delete(place, version=5, topic_names=["a"], is_allowed=False)
        assert result.error_code == ErrorCode.TOPIC_DELETION_DISABLED
        assert len(place.table) == 1


async def test_brokers_are_described() -> None:
    async with town() as place:
        handler = DescribeClusterHandler(images=place.images)
        found = handler(context(2), DescribeClusterRequest(endpoint_type=1))
        assert (found.error_code, found.controller_id, len(found.brokers)) == (0, 1, 1)
        refused = handler(context(2), DescribeClusterRequest(endpoint_type=2))
        assert refused.error_code == ErrorCode.UNSUPPORTED_ENDPOINT_TYPE


async def test_partitions_are_described_in_pages() -> None:
    async with town() as place:
        await place.topic("a", partitions=3)
        await place.topic("b", partitions=3)
        handler = DescribeTopicPartitionsHandler(images=place.images)
        pages, cursor = [], None
        for _ in range(10):
            request = DescribeTopicPartitionsRequest(
                topics=[TopicRequest(name=name) for name in ("b", "a", "nobody")],
                response_partition_limit=2,
                cursor=cursor,
            )
            page = handler(context(0), request)
            pages.append(
                [(each.name, [p.partition_index for p in each.partitions]) for each in page.topics]
            )
            if page.next_cursor is None:
                break
            cursor = Cursor(
                topic_name=page.next_cursor.topic_name,
                partition_index=page.next_cursor.partition_index,
            )
        assert pages == [
            [("a", [0, 1])],
            [("a", [2]), ("b", [0])],
            [("b", [1, 2]), ("nobody", [])],
        ]
