"""Replicas are spread evenly, over racks, and never twice on one broker."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.ids import NodeId
from service.coordination.assignment import Racks, place_replicas

_RACKS = st.dictionaries(
    st.integers(0, 30).map(NodeId), st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=9
)


def _place(
    brokers: Racks, partitions: int, factor: int, *, start: int = 0, fallback: Racks | None = None
) -> list[tuple[NodeId, ...]]:
    return place_replicas(
        brokers,
        partitions=range(partitions),
        replication_factor=factor,
        start=start,
        fallback=fallback,
    )


def _brokers(*racks: str | None) -> dict[NodeId, str | None]:
    return {NodeId(number): rack for number, rack in enumerate(racks)}


@given(_RACKS, st.integers(1, 40), st.integers(0, 1 << 32), st.data())
def test_every_partition_has_its_replicas_on_different_brokers(
    brokers: Racks, partitions: int, start: int, data: st.DataObject
) -> None:
    factor = data.draw(st.integers(1, len(brokers)))
    placed = _place(brokers, partitions, factor, start=start)
    assert len(placed) == partitions
    for replicas in placed:
        assert len(set(replicas)) == factor
        assert set(replicas) <= brokers.keys()


@given(_RACKS, st.integers(1, 40), st.integers(0, 1 << 32), st.data())
def test_preferred_leaders_are_spread_evenly(
    brokers: Racks, partitions: int, start: int, data: st.DataObject
) -> None:
    factor = data.draw(st.integers(1, len(brokers)))
    leaders = Counter(replicas[0] for replicas in _place(brokers, partitions, factor, start=start))
    counts = [leaders[broker] for broker in brokers]
    assert max(counts) - min(counts) <= 1


@given(
    st.dictionaries(st.integers(0, 30).map(NodeId), st.sampled_from("abc"), min_size=1, max_size=9),
    st.integers(0, 1 << 32),
    st.data(),
)
def test_a_partition_is_in_as_many_racks_as_there_can_be(
    brokers: Racks, start: int, data: st.DataObject
) -> None:
    factor = data.draw(st.integers(1, len(brokers)))
    racks = len(set(brokers.values()))
    for replicas in _place(brokers, 20, factor, start=start):
        assert len({brokers[replica] for replica in replicas}) == min(factor, racks)


def test_the_load_of_a_dead_broker_falls_on_all_others() -> None:
    placed = _place(_brokers(*[None] * 5), 20, 2)
    followers = {replicas[1] for replicas in placed if replicas[0] == 0}
    assert followers == {1, 2, 3, 4}


def test_neighbouring_partitions_lead_from_different_racks() -> None:
    placed = _place(_brokers("a", "a", "b", "b"), 4, 1)
    assert [broker < 2 for (broker,) in placed] == [True, False, True, False]


@given(_RACKS, st.integers(1, 20), st.integers(1, 20), st.integers(0, 1 << 32), st.data())
def test_a_topic_that_grows_goes_on_where_it_stopped(
    brokers: Racks, held: int, added: int, start: int, data: st.DataObject
) -> None:
    factor = data.draw(st.integers(1, len(brokers)))
    grown = place_replicas(
        brokers, partitions=range(held, held + added), replication_factor=factor, start=start
    )
    assert _place(brokers, held, factor, start=start) + grown == _place(
        brokers, held + added, factor, start=start
    )


def test_topics_begin_with_different_brokers() -> None:
    brokers = _brokers(*[None] * 3)
    assert {_place(brokers, 1, 1, start=start)[0] for start in range(3)} == {(0,), (1,), (2,)}


def test_brokers_that_are_down_are_used_only_if_the_others_are_too_few() -> None:
    live, every = {NodeId(1): None, NodeId(2): None}, _brokers(None, None, None, None)
    for replicas in _place(live, 20, 2, fallback=every):
        assert set(replicas) == {1, 2}
    for replicas in _place(live, 20, 3, fallback=every):
        assert set(replicas[:2]) == {1, 2}
        assert set(replicas[2:]) < {0, 3}


def test_more_replicas_than_brokers_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        _place(_brokers(None), 1, 2)
