"""What requests come to, and with which words they are refused."""

import pytest

from everlog.model.ids import NodeId, TopicId, TopicName
from service.coordination.topic_errors import (
    InvalidPartitionsError,
    InvalidReplicaAssignmentError,
    InvalidReplicationFactorError,
    InvalidTopicRequestError,
)
from service.coordination.topic_plan import (
    PARTITIONS_MAX,
    MorePartitions,
    NewTopic,
    Placement,
    TopicDefaults,
    plan_growth,
    plan_topic,
)
from service.model.cluster import TopicImage

NAME = TopicName("foo")
TOPIC_ID = TopicId(bytes(range(16)))


def _placement(*live: int, down: tuple[int, ...] = ()) -> Placement:
    return Placement(
        live={NodeId(broker): 10 + broker for broker in live},
        racks={NodeId(broker): None for broker in (*live, *down)},
        controller_epoch=4,
    )


def _plan(new: NewTopic, placement: Placement, defaults: TopicDefaults | None = None) -> TopicImage:
    return plan_topic(
        new, topic_id=TOPIC_ID, placement=placement, defaults=defaults or TopicDefaults()
    )


def _assigned(*replicas: tuple[int, ...]) -> dict[int, tuple[NodeId, ...]]:
    return {n: tuple(map(NodeId, each)) for n, each in enumerate(replicas)}


def test_a_topic_of_one_broker_is_led_by_it_in_its_first_term() -> None:
    topic = _plan(NewTopic(name=NAME, partitions=3, config={"a": "b"}), _placement(1))
    assert (topic.name, topic.topic_id, topic.config, topic.version) == (
        NAME,
        TOPIC_ID,
        {"a": "b"},
        0,
    )
    assert len(topic.partitions) == 3
    for state in topic.partitions:
        assert (state.leader, state.leader_epoch, state.leader_broker_epoch) == (1, 0, 11)
        assert (state.replicas, state.isr, state.controller_epoch) == ((1,), (1,), 4)


def test_numbers_that_are_not_given_are_the_defaults() -> None:
    placement = _placement(1, 2)
    topic = _plan(NewTopic(name=NAME), placement, TopicDefaults(partitions=5, replication_factor=1))
    assert [len(state.replicas) for state in topic.partitions] == [1] * 5


@pytest.mark.rule("BP-D22")
@pytest.mark.parametrize(
    ("live", "down", "factor"),
    [((1,), (), 1), ((1, 2), (), 2), ((1, 2, 3, 4), (), 3), ((1,), (2, 3), 3)],
)
def test_the_default_factor_counts_brokers_that_are_down_and_stops_at_three(
    live: tuple[int, ...], down: tuple[int, ...], factor: int
) -> None:
    topic = _plan(NewTopic(name=NAME), _placement(*live, down=down))
    (state,) = topic.partitions
    assert len(state.replicas) == factor
    assert set(state.isr) == set(state.replicas) - set(down)
    assert state.leader in live


@pytest.mark.parametrize("count", [0, -1, -5, PARTITIONS_MAX + 1])
def test_an_impossible_number_of_partitions_is_refused(count: int) -> None:
    with pytest.raises(InvalidPartitionsError, match=str(count)):
        _plan(NewTopic(name=NAME, partitions=count), _placement(1))


@pytest.mark.parametrize("factor", [0, -1, 3])
def test_an_impossible_replication_factor_is_refused(factor: int) -> None:
    with pytest.raises(InvalidReplicationFactorError):
        _plan(NewTopic(name=NAME, replication_factor=factor), _placement(1, 2))


def test_a_default_factor_that_the_cluster_cannot_have_is_refused() -> None:
    with pytest.raises(InvalidReplicationFactorError, match="start more brokers"):
        _plan(NewTopic(name=NAME), _placement(1), TopicDefaults(replication_factor=3))


def test_an_assignment_is_taken_as_it_is() -> None:
    new = NewTopic(name=NAME, assignment=_assigned((2, 1), (1, 2)))
    topic = _plan(new, _placement(1, 2))
    assert [state.replicas for state in topic.partitions] == [(2, 1), (1, 2)]
    assert [state.leader for state in topic.partitions] == [2, 1]


@pytest.mark.parametrize(("partitions", "factor"), [(1, None), (None, 1)])
def test_an_assignment_and_numbers_contradict_each_other(
    partitions: int | None, factor: int | None
) -> None:
    new = NewTopic(
        name=NAME,
        partitions=partitions,
        replication_factor=factor,
        assignment=_assigned((1,)),
    )
    with pytest.raises(InvalidTopicRequestError):
        _plan(new, _placement(1))


@pytest.mark.parametrize(
    ("assignment", "why"),
    [
        ({}, "in a row"),
        ({1: (1,)}, "in a row"),
        ({0: (1,), 2: (1,)}, "in a row"),
        ({0: ()}, "once"),
        ({0: (1, 1)}, "once"),
        ({0: (1, 2), 1: (1,)}, "each of the topic"),
        ({0: (1, 9)}, r"\[9\]"),
        ({0: (-1,)}, r"\[-1\]"),
    ],
)
def test_an_assignment_that_makes_no_sense_is_refused(
    assignment: dict[int, tuple[NodeId, ...]], why: str
) -> None:
    with pytest.raises(InvalidReplicaAssignmentError, match=why):
        _plan(NewTopic(name=NAME, assignment=assignment), _placement(1, 2))


def test_more_partitions_have_the_factor_of_the_first() -> None:
    placement = _placement(1, 2, 3)
    topic = _plan(NewTopic(name=NAME, partitions=2, replication_factor=2), placement)
    added = plan_growth(MorePartitions(name=NAME, partitions=5), topic, placement=placement)
    assert [len(state.replicas) for state in added] == [2, 2, 2]
    whole = _plan(NewTopic(name=NAME, partitions=5, replication_factor=2), placement)
    assert (*topic.partitions, *added) == whole.partitions


@pytest.mark.parametrize("count", [-1, 0, 1, 2, PARTITIONS_MAX + 1])
def test_the_number_of_partitions_only_rises(count: int) -> None:
    topic = _plan(NewTopic(name=NAME, partitions=2), _placement(1))
    with pytest.raises(InvalidPartitionsError):
        plan_growth(MorePartitions(name=NAME, partitions=count), topic, placement=_placement(1))


def test_replicas_of_new_partitions_may_be_given_for_all_of_them() -> None:
    placement = _placement(1, 2)
    topic = _plan(NewTopic(name=NAME, partitions=1, replication_factor=1), placement)
    more = MorePartitions(name=NAME, partitions=3, assignment=[(NodeId(2),), (NodeId(1),)])
    added = plan_growth(more, topic, placement=placement)
    assert [state.replicas for state in added] == [(2,), (1,)]
    few = MorePartitions(name=NAME, partitions=3, assignment=[(NodeId(2),)])
    with pytest.raises(InvalidReplicaAssignmentError, match="1 partitions, but 2"):
        plan_growth(few, topic, placement=placement)
    other = MorePartitions(name=NAME, partitions=2, assignment=[(NodeId(2), NodeId(1))])
    with pytest.raises(InvalidReplicaAssignmentError, match="partition 1 has 2 replicas"):
        plan_growth(other, topic, placement=placement)
