"""A deleted topic comes back as it was, or is swept: never both, whoever is stopped in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from everlog.model.errors import EverlogError, RejectedError
from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from service.coordination.changes import CHANGE_PARTITIONS_MAX
from service.coordination.deleted_topics import (
    begin_sweep,
    forget_deleted_topic,
    list_deleted_topics,
)
from service.coordination.metadata_store import MetadataStore, NodeError
from service.coordination.payloads import DeletedTopic
from service.coordination.remnants import sweep
from service.coordination.topic_errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicRequestError,
    NothingToUndeleteError,
    TopicExistsError,
    UndeleteRefusedError,
)
from service.coordination.znodes import state_path, tier_path
from service.model.cluster import TopicImage
from tests.unit.coordination.stage import (
    REFUSED_CONFIG,
    Stage,
    errors,
    new_topic,
    open_server,
    running,
)

FOO = TopicName("foo")


async def _deleted(stage: Stage, *, partitions: int = 3, name: str = "foo") -> TopicImage:
    """Create a topic whose tier is claimed, change it, and delete it."""
    topic = await stage.create(name, partitions=partitions, config={"a": "1", "b": "2"})
    pointer = tier_path(PartitionId(topic.topic_id, 0))
    await stage.store.set(pointer, b"objects", version=0)
    await stage.topics.alter_topic_config(topic.name, lambda old: {**old, "a": "3"})
    (deleted,) = await stage.topics.delete_topics([topic.name])
    assert isinstance(deleted, TopicImage)
    return deleted


async def _proof(stage: Stage) -> DeletedTopic:
    (proof,) = await list_deleted_topics(stage.store)
    return proof


@asynccontextmanager
async def _with_deleted(partitions: int = 3) -> AsyncIterator[tuple[Stage, TopicImage]]:
    async with running() as stage:
        yield stage, await _deleted(stage, partitions=partitions)


@pytest.mark.parametrize("partitions", [3, CHANGE_PARTITIONS_MAX + 1])
async def test_a_deleted_topic_comes_back_with_id_and_settings_in_new_terms(
    partitions: int,
) -> None:
    async with _with_deleted(partitions) as (stage, before):
        wish = {"b": "4", "c": "5"}
        back = await stage.create("foo", undelete=before.topic_id, config=wish)
        assert back == stage.topic("foo")
        assert back.topic_id == before.topic_id
        assert back.config == {"a": "3", "b": "4", "c": "5"}
        assert len(back.partitions) == partitions
        for old, new in zip(before.partitions, back.partitions, strict=True):
            assert new.leader_epoch > old.leader_epoch
            assert new.is_led_by(stage.broker.id, stage.broker.epoch)
        assert back.revision > before.revision
        assert await list_deleted_topics(stage.store) == []
        assert stage.deltas[-1].topics_created == (back,)
        pointer, _ = await stage.store.get(tier_path(PartitionId(back.topic_id, 0)))
        assert pointer == b"objects"


async def test_it_may_come_back_under_another_name_while_a_new_topic_has_its_own() -> None:
    async with _with_deleted() as (stage, before):
        await stage.create("foo")
        back = await stage.create("old_foo", undelete=before.topic_id)
        assert stage.image.names[before.topic_id] == "old_foo"
        assert stage.topic("foo").topic_id != back.topic_id


async def test_a_reader_of_everything_sees_it_as_one_that_followed_does() -> None:
    async with _with_deleted() as (stage, before):
        back = await stage.create("bar", undelete=before.topic_id)
        await stage.images.load()
        assert stage.topic("bar") == back
        assert stage.image.names == {back.topic_id: "bar"}


async def test_it_can_be_deleted_and_brought_back_again_and_again() -> None:
    async with _with_deleted() as (stage, before):
        epochs, revisions = [before.partitions[0].leader_epoch], [before.revision]
        for _ in range(3):
            back = await stage.create("foo", undelete=before.topic_id)
            await stage.topics.delete_topics([FOO])
            epochs.append(back.partitions[0].leader_epoch)
            revisions.append(back.revision)
        assert epochs == sorted(set(epochs))
        assert revisions == sorted(set(revisions))


async def test_what_cannot_come_back_is_refused_with_what_to_do() -> None:
    async with _with_deleted() as (stage, before):
        await stage.create("taken")
        wanted = before.topic_id
        wishes = [
            new_topic("taken", undelete=wanted),
            new_topic("foo", undelete=TopicId(b"x" * 16)),
            new_topic("foo", undelete=wanted, partitions=4),
            new_topic("foo", undelete=wanted, replication_factor=2),
            new_topic("foo", undelete=wanted, assignment={0: [NodeId(1)]}),
            new_topic("foo", undelete=wanted, config={REFUSED_CONFIG: "1"}),
        ]
        for wish, kind in zip(
            wishes,
            [
                TopicExistsError,
                NothingToUndeleteError,
                InvalidPartitionsError,
                InvalidReplicationFactorError,
                InvalidTopicRequestError,
                RejectedError,
            ],
            strict=True,
        ):
            assert errors(await stage.topics.create_topics([wish])) == [kind]
        twice = [new_topic("a", undelete=wanted), new_topic("b", undelete=wanted)]
        assert errors(await stage.topics.create_topics(twice)) == [InvalidTopicRequestError] * 2
        await stage.create("foo", undelete=wanted, partitions=3, replication_factor=1)


async def test_a_topic_without_an_archive_has_nothing_to_come_back_with() -> None:
    async with running() as stage:
        topic = await stage.create("foo")
        await stage.topics.delete_topics([FOO])
        (outcome,) = await stage.topics.create_topics([new_topic("foo", undelete=topic.topic_id)])
        assert isinstance(outcome, UndeleteRefusedError)
        assert "create a new topic" in str(outcome)


async def test_a_trial_brings_nothing_back() -> None:
    async with _with_deleted() as (stage, before):
        wish = new_topic("foo", undelete=before.topic_id)
        (outcome,) = await stage.topics.create_topics([wish], validate_only=True)
        assert isinstance(outcome, TopicImage)
        assert stage.image.topics == {}
        assert (await _proof(stage)).topic_id == before.topic_id


# ---- against a sweep


async def test_a_topic_whose_sweep_has_begun_does_not_come_back() -> None:
    async with _with_deleted() as (stage, before):
        await begin_sweep(stage.store, await _proof(stage))
        wish = new_topic("foo", undelete=before.topic_id)
        assert errors(await stage.topics.create_topics([wish])) == [UndeleteRefusedError]
        await forget_deleted_topic(stage.store, await _proof(stage))
        assert errors(await stage.topics.create_topics([wish])) == [NothingToUndeleteError]


@pytest.mark.parametrize("partitions", [3, CHANGE_PARTITIONS_MAX + 1])
async def test_a_sweep_that_begins_while_a_topic_comes_back_wins(partitions: int) -> None:
    async with _with_deleted(partitions) as (stage, before):
        proof = await _proof(stage)

        async def nothing() -> None:
            return

        # A large topic's states are written first, in two steps.
        steps = 0 if partitions <= CHANGE_PARTITIONS_MAX else 2
        stage.interruptions += [nothing] * steps
        stage.interruptions.append(lambda: begin_sweep(stage.store, proof))
        wish = new_topic("foo", undelete=before.topic_id)
        assert errors(await stage.topics.create_topics([wish])) == [UndeleteRefusedError]
        assert stage.image.topics == {}


async def test_no_sweep_begins_of_a_topic_that_came_back_since_it_was_listed() -> None:
    async with _with_deleted() as (stage, before):
        stale = await _proof(stage)
        await stage.create("foo", undelete=before.topic_id)
        with pytest.raises(NodeError):
            await begin_sweep(stage.store, stale)
        # Not even if it was deleted again: that is another deletion, with a grace of its own.
        await stage.topics.alter_topic_config(FOO, lambda old: {**old, "z": "1"})
        await stage.topics.delete_topics([FOO])
        assert (await _proof(stage)).deleted_ms >= stale.deleted_ms
        assert not (await _proof(stage)).is_sweeping


async def test_a_sweep_that_was_broken_off_goes_on_with_another_broker() -> None:
    async with _with_deleted() as (stage, _):
        first = await begin_sweep(stage.store, await _proof(stage))
        again = await _proof(stage)
        assert again == first
        assert await begin_sweep(stage.store, again) == first
        for _ in range(2):
            await forget_deleted_topic(stage.store, again)
        for root in ("/partitions", "/tier", "/deleted_topics"):
            assert await stage.store.children(root) == []


async def test_a_leader_that_writes_a_state_meanwhile_only_delays_it() -> None:
    async with _with_deleted() as (stage, before):
        path = state_path(PartitionId(before.topic_id, 1))

        async def write() -> None:
            content, stat = await stage.store.get(path)
            await stage.store.set(path, content, version=stat.version)

        stage.interruptions.append(write)
        back = await stage.create("foo", undelete=before.topic_id)
        assert back == stage.topic("foo")


async def test_what_a_deleted_topic_needs_to_come_back_outlives_a_new_controller() -> None:
    server = await open_server()
    async with running(server) as stage:
        before = await _deleted(stage)
        term = stage.controller.term
        assert term is not None
        await sweep(cast(MetadataStore, stage.store), term)
    async with running(server, seed=1) as stage:
        back = await stage.create("foo", undelete=before.topic_id)
        assert not isinstance(back, EverlogError)
        for old, new in zip(before.partitions, back.partitions, strict=True):
            assert new.leader_epoch > old.leader_epoch
            assert new.is_led_by(stage.broker.id, stage.broker.epoch)


async def test_a_topic_comes_back_or_is_a_clone_and_not_both() -> None:
    async with _with_deleted() as (stage, deleted):
        wish = new_topic("foo", undelete=deleted.topic_id, config={"archive.clone.from": "bar"})
        (outcome,) = await stage.topics.create_topics([wish])
        assert isinstance(outcome, InvalidTopicRequestError)
        assert "archive.clone.from" in str(outcome)
        assert not (await _proof(stage)).is_sweeping
