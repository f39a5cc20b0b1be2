"""Topics are created, enlarged, configured and deleted, each as a whole or not at all."""

import asyncio
from collections.abc import Mapping

import pytest

from everlog.model.errors import RejectedError
from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from service.coordination.changes import last_sequence, publish
from service.coordination.controller_term import NotControllerError
from service.coordination.deleted_topics import (
    begin_sweep,
    forget_deleted_topic,
    list_deleted_topics,
)
from service.coordination.metadata_store import (
    Check,
    MetadataStore,
    NodeTooLargeError,
)
from service.coordination.payloads import pack, state_payload
from service.coordination.registration import register_broker
from service.coordination.topic_edits import creation
from service.coordination.topic_errors import (
    InvalidPartitionsError,
    InvalidTopicNameError,
    InvalidTopicRequestError,
    TopicExistsError,
    TopicHeldError,
    UnknownTopicError,
    UnknownTopicIdError,
)
from service.coordination.topic_plan import MorePartitions
from service.coordination.znodes import (
    CONTROLLER_EPOCH,
    broker_epoch_path,
    partition_path,
    state_path,
    tier_path,
)
from service.model.cluster import TopicImage
from tests.unit.coordination.stage import (
    REFUSED_CONFIG,
    description,
    errors,
    founded,
    new_topic,
    open_server,
    running,
)

FOO, BAR = TopicName("foo"), TopicName("bar")


async def _paths(store: MetadataStore, root: str) -> list[str]:
    found = [f"{root}/{name}" for name in await store.children(root)]
    return found + [below for path in found for below in await _paths(store, path)]


# ---- creation


async def test_a_created_topic_is_in_the_image_and_led_on_return() -> None:
    async with running() as stage:
        topic = await stage.create("foo", partitions=3, config={"retention.ms": "1"})
        assert stage.topic("foo") == topic
        assert topic.config == {"retention.ms": "1"}
        for state in topic.partitions:
            assert state.is_led_by(stage.broker.id, stage.broker.epoch)
        (delta,) = stage.deltas[-1:]
        assert delta.topics_created == (topic,)
        for number in range(3):
            partition = PartitionId(topic.topic_id, number)
            assert await stage.store.exists(state_path(partition)) is not None
            assert (await stage.store.get(tier_path(partition)))[0] == b""


async def test_each_topic_has_an_outcome_of_its_own() -> None:
    async with running() as stage:
        await stage.create("taken")
        await stage.create("dotted.name")
        outcomes = await stage.topics.create_topics(
            [
                new_topic("good"),
                new_topic("taken"),
                new_topic("bad name"),
                new_topic("dotted_name"),
                new_topic("twice"),
                new_topic("twice"),
                new_topic("none", partitions=0),
                new_topic("config", config={REFUSED_CONFIG: "1"}),
                new_topic("good_", partitions=2),
                new_topic("good."),
            ]
        )
        assert errors(outcomes) == [
            None,
            TopicExistsError,
            InvalidTopicNameError,
            outcomes[3].__class__,
            InvalidTopicRequestError,
            InvalidTopicRequestError,
            InvalidPartitionsError,
            RejectedError,
            None,
            outcomes[9].__class__,
        ]
        assert isinstance(outcomes[3], InvalidTopicNameError)
        assert isinstance(outcomes[9], InvalidTopicNameError)
        assert sorted(stage.image.topics) == ["dotted.name", "good", "good_", "taken"]


async def test_a_trial_says_what_would_come_of_it_and_writes_nothing() -> None:
    async with running() as stage:
        before = await last_sequence(stage.store)
        outcomes = await stage.topics.create_topics(
            [new_topic("foo", partitions=4), new_topic("bad name")], validate_only=True
        )
        assert isinstance(outcomes[0], TopicImage)
        assert len(outcomes[0].partitions) == 4
        assert isinstance(outcomes[1], InvalidTopicNameError)
        assert stage.image.topics == {}
        assert await last_sequence(stage.store) == before


@pytest.mark.rule("BP-D8")
async def test_many_topics_are_created_in_few_transactions() -> None:
    async with running() as stage:
        before = await last_sequence(stage.store)
        topics = [new_topic(f"t{n}", partitions=10) for n in range(100)]
        outcomes = await stage.topics.create_topics(topics)
        assert errors(outcomes) == [None] * 100
        assert len(stage.image.topics) == 100
        assert await last_sequence(stage.store) - before == 4


async def test_a_topic_larger_than_a_change_appears_at_once() -> None:
    async with running() as stage:
        before, deltas = await last_sequence(stage.store), len(stage.deltas)
        topic = await stage.create("large", partitions=1000)
        assert stage.topic("large") == topic
        assert len(topic.partitions) == 1000
        assert await last_sequence(stage.store) - before == 1
        assert len(stage.deltas) - deltas == 1


async def test_of_concurrent_creators_of_one_name_exactly_one_wins() -> None:
    async with running() as stage:
        outcomes = await asyncio.gather(
            *(stage.topics.create_topics([new_topic("foo")]) for _ in range(5))
        )
        kinds = [errors(each)[0] for each in outcomes]
        assert kinds.count(None) == 1
        assert kinds.count(TopicExistsError) == 4


async def test_a_topic_whose_settings_are_too_large_is_refused() -> None:
    async with running() as stage:
        outcomes = await stage.topics.create_topics(
            [new_topic("foo", config={"a": "x" * 500_000}), new_topic("bar")]
        )
        assert errors(outcomes) == [NodeTooLargeError, None]


async def test_a_leader_that_registers_again_meanwhile_is_taken_as_it_is_now() -> None:
    server = await open_server()
    async with running(server) as stage:
        other = await founded(server)
        await register_broker(other, description(2))
        await stage.images.wait_for(lambda image: len(image.brokers) == 2)
        stage.interruptions.append(lambda: register_broker(other, description(2)))
        topic = await stage.create("foo", partitions=2, replication_factor=1)
        leaders = {state.leader: state.leader_broker_epoch for state in topic.partitions}
        assert leaders == {1: 0, 2: 1}
        assert stage.topic("foo") == topic


@pytest.mark.rule("REL-C9")
async def test_a_broker_that_is_shutting_down_leads_no_new_partition() -> None:
    server = await open_server()
    async with running(server) as stage:
        other = await founded(server)
        draining = await register_broker(other, description(2))
        await stage.images.wait_for(lambda image: len(image.brokers) == 2)
        path = broker_epoch_path(NodeId(2))
        content, stat = await other.get(path)
        await other.set(path, content, version=stat.version)
        assert stat.version == draining.epoch
        topic = await stage.create("foo", partitions=4, replication_factor=1)
        assert {state.leader for state in topic.partitions} == {1}


async def test_a_name_that_is_taken_meanwhile_is_refused_and_the_others_are_created() -> None:
    async with running() as stage:
        (rival,) = await stage.topics.create_topics([new_topic("bar")], validate_only=True)
        assert isinstance(rival, TopicImage)

        # The controller works on one request at a time, so this is what a lost answer leaves.
        async def create_behind_its_back() -> None:
            await publish(stage.store, checks=[], edits=[creation(rival)[1]])

        stage.interruptions.append(create_behind_its_back)
        outcomes = await stage.topics.create_topics([new_topic("foo"), new_topic("bar")])
        assert errors(outcomes) == [None, TopicExistsError]
        assert stage.topic("bar").topic_id == rival.topic_id


# ---- growth


async def test_a_topic_grows_and_its_partitions_stay_as_they_are() -> None:
    async with running() as stage:
        before = await stage.create("foo", partitions=2)
        (topic,) = await stage.topics.create_partitions([MorePartitions(name=FOO, partitions=5)])
        assert isinstance(topic, TopicImage)
        assert stage.topic("foo") == topic
        assert topic.partitions[:2] == before.partitions
        assert len(topic.partitions) == 5
        assert [each.partition.partition for each in stage.deltas[-1].partitions] == [2, 3, 4]


async def test_growth_has_an_outcome_for_each_topic() -> None:
    async with running() as stage:
        await stage.create("foo")
        await stage.create("bar")
        outcomes = await stage.topics.create_partitions(
            [
                MorePartitions(name=FOO, partitions=1),
                MorePartitions(name=BAR, partitions=2),
                MorePartitions(name=TopicName("none"), partitions=2),
            ]
        )
        assert errors(outcomes) == [InvalidPartitionsError, None, UnknownTopicError]
        trial = await stage.topics.create_partitions(
            [MorePartitions(name=FOO, partitions=9)], validate_only=True
        )
        assert errors(trial) == [None]
        assert len(stage.topic("foo").partitions) == 1


async def test_what_an_unfinished_enlargement_left_is_not_in_the_way_of_the_next() -> None:
    async with running() as stage:
        topic = await stage.create("foo", partitions=1)
        for number in (1, 2, 700):
            left = PartitionId(topic.topic_id, number)
            await stage.store.create(partition_path(left))
            await stage.store.create(state_path(left), pack(state_payload(topic.partitions[0])))
            await stage.store.create(tier_path(left))
        (larger,) = await stage.topics.create_partitions([MorePartitions(name=FOO, partitions=4)])
        assert isinstance(larger, TopicImage)
        assert stage.topic("foo") == larger
        assert await stage.store.exists(partition_path(PartitionId(topic.topic_id, 700))) is None


# ---- config


async def test_a_topic_is_configured_by_a_function_of_what_it_had() -> None:
    async with running() as stage:
        await stage.create("foo", config={"a": "1", "b": "2"})
        topic = await stage.topics.alter_topic_config(FOO, lambda old: {**old, "a": "3"})
        assert topic.config == stage.topic("foo").config == {"a": "3", "b": "2"}
        assert stage.deltas[-1].topics_changed == (stage.topic("foo"),)
        before = await last_sequence(stage.store)
        await stage.topics.alter_topic_config(FOO, dict)
        assert await last_sequence(stage.store) == before, "nothing changed, nothing written"


async def test_a_config_that_is_refused_changes_nothing() -> None:
    async with running() as stage:
        await stage.create("foo")
        with pytest.raises(RejectedError, match=REFUSED_CONFIG):
            await stage.topics.alter_topic_config(FOO, lambda _: {REFUSED_CONFIG: "1"})
        with pytest.raises(UnknownTopicError):
            await stage.topics.alter_topic_config(BAR, dict)
        trial = await stage.topics.alter_topic_config(FOO, lambda _: {"a": "1"}, validate_only=True)
        assert trial.config == {"a": "1"}
        assert stage.topic("foo").config == {}


async def test_a_topic_gets_no_setting_that_the_store_of_the_archive_has_no_means_for() -> None:
    async def ask_store(before: Mapping[str, str], after: Mapping[str, str]) -> None:
        if after.get("lock") not in {None, before.get("lock")}:
            raise RejectedError("the store has no locks")

    async with running(ask_store=ask_store) as stage:
        locked, plain = new_topic("foo", config={"lock": "1"}), new_topic("bar")
        outcomes = await stage.topics.create_topics([locked, plain])
        assert errors(outcomes) == [RejectedError, None]
        with pytest.raises(RejectedError, match="no locks"):
            await stage.topics.alter_topic_config(BAR, lambda _: {"lock": "1"})
        await stage.topics.alter_topic_config(BAR, lambda _: {"a": "1"})
        assert stage.topic("bar").config == {"a": "1"}
        with pytest.raises(UnknownTopicError):
            await stage.topics.alter_topic_config(FOO, lambda _: {"lock": "1"})


# ---- deletion


async def test_topics_are_deleted_by_name_and_by_id() -> None:
    async with running() as stage:
        foo, bar = await stage.create("foo", partitions=3), await stage.create("bar")
        outcomes = await stage.topics.delete_topics(
            [FOO, bar.topic_id, TopicName("none"), TopicId(bytes(16)), TopicId(b"x" * 16)]
        )
        assert outcomes[:2] == [foo, bar]
        assert errors(outcomes)[2:] == [UnknownTopicError, UnknownTopicIdError, UnknownTopicIdError]
        assert stage.image.topics == {}
        assert stage.image.names == {}
        assert {topic.name for topic in stage.deltas[-1].topics_deleted} == {"foo", "bar"}


@pytest.mark.parametrize("text", ["true", "TRUE", "what"])
async def test_a_topic_on_hold_is_not_deleted_until_it_is_released(text: str) -> None:
    async with running() as stage:
        await stage.create("foo", config={"archive.hold": text})
        await stage.create("bar", config={"archive.hold": "false"})
        held, deleted = await stage.topics.delete_topics([FOO, BAR])
        assert isinstance(held, TopicHeldError)
        assert "archive.hold" in str(held)
        assert isinstance(deleted, TopicImage)
        await stage.topics.alter_topic_config(FOO, lambda _: {})
        assert errors(await stage.topics.delete_topics([FOO])) == [None]


async def test_a_topic_named_twice_is_refused() -> None:
    async with running() as stage:
        await stage.create("foo")
        outcomes = await stage.topics.delete_topics([FOO, FOO])
        assert errors(outcomes) == [InvalidTopicRequestError] * 2
        assert "foo" in stage.image.topics


async def test_the_partitions_of_a_deleted_topic_stay_as_long_as_its_tier() -> None:
    async with running() as stage:
        foo, kept = await stage.create("foo", partitions=3), await stage.create("kept")
        await stage.topics.delete_topics([FOO])
        store = stage.store
        assert await store.exists(state_path(PartitionId(kept.topic_id, 0))) is not None
        assert await store.exists(state_path(PartitionId(foo.topic_id, 2))) is not None
        assert await store.exists(tier_path(PartitionId(foo.topic_id, 2))) is not None
        (deleted,) = await list_deleted_topics(store)
        await forget_deleted_topic(store, await begin_sweep(store, deleted))
        assert len(await _paths(store, "/partitions")) == 3
        assert await store.exists(tier_path(PartitionId(kept.topic_id, 0))) is not None


async def test_a_topic_created_again_has_another_id() -> None:
    async with running() as stage:
        old = await stage.create("foo")
        await stage.topics.delete_topics([FOO])
        new = await stage.create("foo")
        assert new.topic_id != old.topic_id
        assert stage.image.topic_by_id(old.topic_id) is None


# ---- the controller


@pytest.mark.rule("REL-C2")
@pytest.mark.parametrize("partitions", [1, 1000])
async def test_a_controller_that_was_replaced_writes_nothing(partitions: int) -> None:
    async with running() as stage:
        content, stat = await stage.store.get(CONTROLLER_EPOCH)
        await stage.store.set(CONTROLLER_EPOCH, content, version=stat.version)
        with pytest.raises(NotControllerError):
            await stage.topics.create_topics([new_topic("foo", partitions=partitions)])
        assert await stage.store.children("/topics") == []
        assert await stage.store.children("/partitions") == []
        await stage.store.multi([Check(CONTROLLER_EPOCH, stat.version + 1)])


async def test_a_broker_that_is_not_the_controller_says_who_is() -> None:
    server = await open_server()
    async with running(server), running(server, broker_id=2) as other:
        with pytest.raises(NotControllerError, match="broker 1"):
            await other.topics.create_topics([new_topic("foo")])


async def test_a_caller_that_stops_waiting_does_not_stop_the_creation() -> None:
    async with running() as stage:
        creating = asyncio.ensure_future(stage.topics.create_topics([new_topic("foo")]))
        await asyncio.sleep(0)
        creating.cancel()
        await stage.images.wait_for(lambda image: FOO in image.topics)
