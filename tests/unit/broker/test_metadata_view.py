"""What clients may see of the cluster, and who leads what (KIP-951)."""

from dataclasses import replace
from types import MappingProxyType

from everlog.model.ids import NO_TOPIC_ID, NodeId, TopicName
from service.broker.leaders import Leader, Leaders
from service.broker.metadata_view import (
    controller_of,
    missing_topic,
    visible_brokers,
    visible_topic,
)
from service.model.cluster import ClusterImage, PartitionState
from service.partition.errors import NotLeaderError, UnknownPartitionError, UnknownTopicIdError
from service.protocol.error_codes import ErrorCode
from tests.unit.broker.handlers.town import the_topic, town


def with_first_partition(image: ClusterImage, name: str, **changes: object) -> ClusterImage:
    topic = image.topics[TopicName(name)]
    first: PartitionState = replace(topic.partitions[0], **changes)  # type: ignore[arg-type]
    changed = replace(topic, partitions=(first, *topic.partitions[1:]))
    return replace(image, topics=MappingProxyType({**image.topics, TopicName(name): changed}))


async def test_only_endpoints_of_the_asked_listener_are_shown() -> None:
    async with town() as place:
        image = place.images()
        assert [each.host for each in visible_brokers(image, "PLAINTEXT")] == ["b1"]
        assert visible_brokers(image, "INTERNAL") == []


async def test_any_broker_serves_as_controller() -> None:
    async with town() as place:
        image = place.images()
        assert controller_of(image) == 1
        assert controller_of(replace(image, controller_id=NodeId(9))) == 1
        assert controller_of(replace(image, controller_id=None, brokers={})) == -1


async def test_a_partition_without_a_leader_says_so() -> None:
    async with town() as place:
        await place.topic("t")
        image = with_first_partition(
            place.images(), "t", leader=None, replicas=(NodeId(1), NodeId(5))
        )
        (found,) = visible_topic(image, image.topics[TopicName("t")]).partitions
        assert (found.error_code, found.leader_id) == (ErrorCode.LEADER_NOT_AVAILABLE, -1)
        assert found.offline_replicas == [5]


def test_internal_topics_are_marked_even_when_they_are_missing() -> None:
    assert missing_topic(ErrorCode.UNKNOWN_TOPIC_ID, name="__consumer_offsets").is_internal
    assert not missing_topic(ErrorCode.UNKNOWN_TOPIC_ID, name=None).is_internal


async def test_why_a_partition_is_not_served() -> None:
    async with town() as place:
        await place.topic("t")
        leaders, known = Leaders(images=place.images), the_topic(place, "t").topic_id

        def why(topic: str, topic_id: bytes, index: int) -> type[Exception]:
            return type(leaders.why_not_served(topic, topic_id, index))

        assert why("t", NO_TOPIC_ID, 0) is NotLeaderError
        assert why("", known, 0) is NotLeaderError
        assert why("t", NO_TOPIC_ID, 1) is UnknownPartitionError
        assert why("t", NO_TOPIC_ID, -1) is UnknownPartitionError
        assert why("", known, 1) is UnknownPartitionError
        assert why("nobody", NO_TOPIC_ID, 0) is UnknownPartitionError
        assert why("", NO_TOPIC_ID, 0) is UnknownPartitionError
        assert why("", b"?" * 16, 0) is UnknownTopicIdError


async def test_leaders_and_their_brokers_are_named() -> None:
    async with town() as place:
        await place.topic("t")
        image = with_first_partition(place.images(), "t", leader=NodeId(5), leader_epoch=8)
        leaders = Leaders(images=lambda: image)
        assert leaders.leader_of("t", NO_TOPIC_ID, 0) == Leader(5, 8)
        assert leaders.leader_of("t", NO_TOPIC_ID, 3) is None
        assert leaders.leader_of("nobody", NO_TOPIC_ID, 0) is None
        assert [each.id for each in leaders.brokers([1, 1, 5])] == [1]
