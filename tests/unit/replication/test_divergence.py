"""Where a follower's log parts from its leader's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.offsets import Offset
from service.hot.leader_epochs import LeaderEpochs
from service.replication.divergence import diverging, truncation_point


def cut(rows: list[tuple[int, int]], end: int, leader_epoch: int, leader_end: int) -> int:
    epochs = LeaderEpochs(rows)
    return truncation_point(
        leader_epoch,
        leader_end,
        end_of=lambda epoch: epochs.end_of(epoch, log_end=end),
        log_start=Offset(0),
        log_end=Offset(end),
    )


@pytest.mark.rule("REL-T1")
def test_a_term_that_both_know_is_cut_where_the_shorter_one_ends() -> None:
    assert cut([(1, 0), (3, 10)], 20, 3, 15) == 15
    assert cut([(1, 0), (3, 10)], 12, 3, 15) == 12


@pytest.mark.rule("REL-T1")
def test_a_term_that_the_follower_lacks_sends_it_back_to_the_one_before() -> None:
    assert cut([(1, 0), (4, 10)], 20, 3, 17) == 10


def test_a_log_whose_terms_are_all_newer_goes_whole() -> None:
    assert cut([(4, 0)], 20, 3, 17) == 0


terms = st.lists(st.integers(1, 5), min_size=0, max_size=8).map(sorted)


def rows_of(log: list[int]) -> list[tuple[int, int]]:
    return [(epoch, log.index(epoch)) for epoch in sorted(set(log))]


def answer(leader: list[int], follower: list[int]) -> tuple[int, int] | None:
    epochs = LeaderEpochs(rows_of(leader))
    return diverging(
        follower[-1],
        len(follower),
        end_of=lambda epoch: epochs.end_of(epoch, log_end=len(leader)),
        log_start=0,
    )


@pytest.mark.rule("REL-T1")
def test_a_leader_has_nothing_to_say_where_it_has_all_that_a_follower_has() -> None:
    assert answer([1, 1, 3], [1, 1]) is None
    assert answer([1, 1, 3], [1, 1, 3]) is None


@pytest.mark.rule("REL-T1")
def test_a_leader_names_its_greatest_term_up_to_the_follower_s_and_where_that_ends() -> None:
    assert answer([1, 1, 3], [1, 1, 1]) == (1, 2)
    assert answer([1, 1, 3], [1, 2]) == (1, 2)


@pytest.mark.rule("REL-T1")
def test_a_follower_of_a_leader_whose_terms_are_all_newer_begins_anew() -> None:
    assert answer([3], [1]) == (-1, 0)
    assert answer([], [1]) == (-1, 0)
    assert cut([(1, 0)], 1, -1, 0) == 0


@pytest.mark.rule("REL-T1")
@given(shared=terms, left=terms, right=terms)
def test_asking_again_and_again_ends_where_the_logs_part(
    shared: list[int], left: list[int], right: list[int]
) -> None:
    """Each offset's term says who wrote it, so equal terms at an offset are equal records."""
    newest = max(shared, default=0)
    leader = shared + [newest + 2 * each for each in left]
    follower = shared + [newest + 2 * each - 1 for each in right]
    for _ in range(len(follower) + 2):
        if not follower:
            break
        told = answer(leader, follower)
        if told is None:
            break
        follower = follower[: cut(rows_of(follower), len(follower), *told)]
    assert follower == leader[: len(follower)]
    assert len(follower) >= len(shared)
