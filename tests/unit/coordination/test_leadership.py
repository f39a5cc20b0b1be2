"""Elections that meet somebody else's writes are decided again, never just repeated."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

import pytest
from structlog.testing import capture_logs

from everlog.model.ids import NodeId, PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch
from service.coordination.changes import publish
from service.coordination.controller_term import (
    ControllerMovedError,
    ControllerTerm,
    MetadataConflictError,
)
from service.coordination.elections import ElectionRules
from service.coordination.image_reading import read_image, read_states
from service.coordination.leadership import ATTEMPTS_MAX, ElectionStats, hold_elections
from service.coordination.metadata_store import MetadataStore
from service.coordination.registration import register_broker
from service.coordination.topic_edits import creation, deletion, new_state
from service.coordination.topic_plan import NewTopic, Placement, TopicDefaults, plan_topic
from service.model.cluster import TopicImage
from tests.unit.coordination.stage import InterruptedStore, description, founded, new_topic

TERM = ControllerTerm(0)
UNCLEAN = ElectionRules(unclean=True)


async def _elect(store: MetadataStore, *interruptions: Callable[[], Awaitable[object]]) -> int:
    image = await read_image(store, watch=lambda _: None)
    interrupted = InterruptedStore(store)
    interrupted.interruptions += interruptions
    return await hold_elections(cast(MetadataStore, interrupted), TERM, image)


async def _topic(store: MetadataStore, new: NewTopic | None = None) -> TopicImage:
    """Write a topic of broker 1, in a term of a registration that is over."""
    topic = plan_topic(
        new or new_topic("foo", partitions=3),
        topic_id=TopicId(bytes(range(16))),
        placement=Placement(live={NodeId(1): -1}, racks={NodeId(1): None}, controller_epoch=0),
        defaults=TopicDefaults(),
    )
    await publish(store, checks=[], edits=[creation(topic)[1]])
    return topic


async def _states(store: MetadataStore, topic: TopicImage) -> list[tuple[int, int, int]]:
    partitions = [PartitionId(topic.topic_id, n) for n in range(len(topic.partitions))]
    states = await read_states(store, partitions)
    return [(s.leader_epoch, s.leader_broker_epoch, s.version) for s in states.values()]


async def test_a_broker_that_is_back_gets_a_new_term_everywhere() -> None:
    store = await founded()
    await register_broker(store, description(1))
    topic = await _topic(store)
    assert await _elect(store) == 1
    assert await _states(store, topic) == [(1, 0, 1)] * 3
    assert await _elect(store) == -1, "nothing is left to elect"


@pytest.mark.rule("REL-C1")
async def test_a_state_that_was_written_meanwhile_is_read_and_decided_again() -> None:
    store = await founded()
    await register_broker(store, description(1))
    topic = await _topic(store)
    partition = PartitionId(topic.topic_id, 1)
    other = replace(topic.partitions[1], leader_epoch=LeaderEpoch(9), version=1)

    async def write() -> None:
        await publish(store, checks=[], edits=[new_state(partition, other)])

    await _elect(store, write)
    assert await _states(store, topic) == [(1, 0, 1), (10, 0, 2), (1, 0, 1)]


async def test_a_term_that_was_given_meanwhile_is_left_alone() -> None:
    store = await founded()
    broker = await register_broker(store, description(1))
    topic = await _topic(store)
    partition = PartitionId(topic.topic_id, 1)
    given = replace(
        topic.partitions[1],
        leader_epoch=LeaderEpoch(9),
        leader_broker_epoch=broker.epoch,
        version=1,
    )

    async def write() -> None:
        await publish(store, checks=[], edits=[new_state(partition, given)])

    await _elect(store, write)
    assert await _states(store, topic) == [(1, 0, 1), (9, 0, 1), (1, 0, 1)]


@pytest.mark.rule("BP-7")
async def test_a_leader_that_registers_again_meanwhile_gets_its_newest_term() -> None:
    store = await founded()
    await register_broker(store, description(1))
    topic = await _topic(store)
    await _elect(store, lambda: register_broker(store, description(1)))
    assert await _states(store, topic) == [(1, 1, 1)] * 3


async def test_a_topic_that_is_deleted_meanwhile_is_passed_over() -> None:
    store = await founded()
    await register_broker(store, description(1))
    topic = await _topic(store)

    async def delete() -> None:
        await publish(store, checks=[], edits=[deletion(topic, deleted_ms=0)])
        for number in range(3):
            path = f"/partitions/AAECAwQFBgcICQoLDA0ODw/{number}/state"
            await store.delete(path, version=0)

    assert await _elect(store, delete) == -1


async def test_what_keeps_changing_is_given_up_for_now() -> None:
    store = await founded()
    await register_broker(store, description(1))
    await _topic(store)
    again = [lambda: register_broker(store, description(1))] * ATTEMPTS_MAX
    with pytest.raises(MetadataConflictError):
        await _elect(store, *again)


@pytest.mark.rule("REL-C2")
async def test_an_election_by_an_old_controller_is_refused() -> None:
    store = await founded()
    await register_broker(store, description(1))
    topic = await _topic(store)
    content, stat = await store.get("/controller_epoch")

    async def replace_controller() -> None:
        await store.set("/controller_epoch", content, version=stat.version)

    with pytest.raises(ControllerMovedError):
        await _elect(store, replace_controller)
    assert await _states(store, topic) == [(0, -1, 0)] * 3


async def test_an_unclean_election_is_said_with_its_partition_and_counted() -> None:
    store = await founded()
    await register_broker(store, description(1))
    await register_broker(store, description(2))
    topic = await _topic(store)
    lost = replace(
        topic.partitions[1], replicas=(NodeId(9), NodeId(2)), isr=(NodeId(9),), version=1
    )
    await publish(store, checks=[], edits=[new_state(PartitionId(topic.topic_id, 1), lost)])
    image = await read_image(store, watch=lambda _: None)
    stats = ElectionStats()
    with capture_logs() as said:
        await hold_elections(store, TERM, image, rules_of=lambda _: UNCLEAN, stats=stats)
    assert stats.unclean == 1
    (warning,) = [each for each in said if each["event"] == "unclean_leader_elected"]
    assert (warning["topic"], warning["partition"], warning["leader"]) == ("foo", 1, 2)
    assert warning["log_level"] == "warning"
    assert "unclean.leader.election.enable" in warning["advice"]
