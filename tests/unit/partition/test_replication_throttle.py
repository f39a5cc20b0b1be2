"""Replicas that are not in sync copy no faster than they may; those in sync are never limited."""

from dataclasses import replace

import pytest

from everlog.model.ids import NodeId, TopicName
from service.model.cluster import EMPTY_IMAGE, ClusterImage, PartitionState, TopicImage
from service.partition.replication_throttle import DEBT_SECONDS_MAX, ReplicationThrottle, Side
from tests.simulation.clock import ManualClock
from tests.unit.partition.ground import topic_id
from tests.unit.partition.test_follower import LEADER, ME, STATE

T = TopicName("t")
OUT_OF_SYNC = replace(STATE, isr=(LEADER,))


def image(named: str | None, state: PartitionState = OUT_OF_SYNC) -> ClusterImage:
    config = {} if named is None else {Side.FOLLOWER.replicas_setting: named}
    topic = TopicImage(
        name=T, topic_id=topic_id("t"), config=config, partitions=(state, state), version=0
    )
    return replace(EMPTY_IMAGE, topics={T: topic}, names={topic.topic_id: T})


def limit(
    named: str | None, *, rate: int = 100, state: PartitionState = OUT_OF_SYNC
) -> tuple[ReplicationThrottle, ManualClock]:
    clock = ManualClock()
    found = image(named, state)
    made = ReplicationThrottle(Side.FOLLOWER, image=lambda: found, rate=lambda: rate, clock=clock)
    return made, clock


@pytest.mark.rule("KIP-73")
def test_on_average_a_replica_copies_as_fast_as_it_may() -> None:
    throttle, clock = limit("*")
    copied = 0
    for _ in range(1000):
        if throttle.wait_seconds(T, 0, ME) == 0:
            throttle.spend(T, 0, ME, 70)
            copied += 70
        clock.advance(100)
    assert 10_000 - 70 <= copied <= 10_000 + 100 * DEBT_SECONDS_MAX + 70


@pytest.mark.parametrize("named", ["*", "0:{me}", "7:1, 0:{me}"])
def test_who_is_named_waits_when_it_has_copied_too_much(named: str) -> None:
    throttle, clock = limit(named.format(me=ME))
    assert throttle.wait_seconds(T, 0, ME) == 0
    throttle.spend(T, 0, ME, 500)
    assert throttle.wait_seconds(T, 0, ME) == 5 - DEBT_SECONDS_MAX
    clock.advance(4_000)
    assert throttle.wait_seconds(T, 0, ME) == 0


@pytest.mark.parametrize(
    ("named", "state", "replica"),
    [
        (None, OUT_OF_SYNC, ME),
        ("", OUT_OF_SYNC, ME),
        ("1:{me}", OUT_OF_SYNC, ME),
        ("0:99", OUT_OF_SYNC, ME),
        ("*", replace(STATE, isr=(LEADER, ME)), ME),
        ("*", OUT_OF_SYNC, LEADER),
    ],
)
def test_nobody_else_waits_or_counts(
    named: str | None, state: PartitionState, replica: NodeId
) -> None:
    throttle, _ = limit(None if named is None else named.format(me=ME), state=state)
    throttle.spend(T, 0, replica, 10_000)
    assert throttle.wait_seconds(T, 0, replica) == 0


def test_partitions_share_the_rate_and_unknown_topics_have_none() -> None:
    throttle, _ = limit("*")
    throttle.spend(T, 0, ME, 300)
    throttle.spend(T, 1, ME, 300)
    assert throttle.wait_seconds(T, 1, ME) == 6 - DEBT_SECONDS_MAX
    assert throttle.wait_seconds(TopicName("u"), 0, ME) == 0
    assert throttle.wait_seconds(T, 9, ME) == 0
