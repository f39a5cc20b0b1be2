"""Which fetch goes next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.tiering.fetch_queue import FetchQueue


def queue(*, bytes_max: int = 1000, fetches_max: int = 8) -> FetchQueue[str]:
    return FetchQueue(bytes_max=bytes_max, fetches_max=fetches_max)


def line_up(to: FetchQueue[str], *names: str, urgent: bool = True, length: int = 10) -> None:
    """Add fetches; a name's first letter is its lane."""
    for name in names:
        to.add(name, lane=name[0], length=length, urgent=urgent)


def one_by_one(of: FetchQueue[str]) -> list[str]:
    """Run everything with room for one fetch at a time."""
    order: list[str] = []
    while started := list(of.start()):
        order += started
        for each in started:
            of.end(each)
    return order


@pytest.mark.rule("TIER-39")
def test_lanes_take_turns() -> None:
    fetches = queue(fetches_max=1)
    line_up(fetches, "a1", "a2", "a3", "a4", "b1", "c1", "b2")
    assert one_by_one(fetches) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


@pytest.mark.rule("TIER-39")
def test_what_somebody_waits_for_goes_before_what_is_fetched_ahead() -> None:
    fetches = queue(fetches_max=1)
    line_up(fetches, "a1", "a2", urgent=False)
    line_up(fetches, "b1", "a3")
    assert one_by_one(fetches) == ["b1", "a3", "a1", "a2"]


def test_what_was_fetched_ahead_can_become_urgent() -> None:
    fetches = queue(fetches_max=1)
    line_up(fetches, "a1", "a2", "b1", urgent=False)
    fetches.urge("a2")
    fetches.urge("unknown")
    assert one_by_one(fetches) == ["a2", "b1", "a1"]


@pytest.mark.rule("TIER-38")
def test_bytes_are_permitted_before_they_are_asked_for() -> None:
    fetches = queue(bytes_max=100, fetches_max=50)
    line_up(fetches, *(f"a{n}" for n in range(9)), length=30)
    assert list(fetches.start()) == ["a0", "a1", "a2"]
    assert list(fetches.start()) == []
    fetches.end("a1")
    assert list(fetches.start()) == ["a3"]


@pytest.mark.rule("TIER-39")
def test_fetching_ahead_leaves_room_for_who_comes() -> None:
    fetches = queue(bytes_max=1000, fetches_max=8)
    line_up(fetches, *(f"a{n}" for n in range(20)), urgent=False)
    assert len(list(fetches.start())) == 6
    line_up(fetches, "b1", "b2", "b3")
    assert list(fetches.start()) == ["b1", "b2"]
    full = queue(bytes_max=100, fetches_max=50)
    line_up(full, *(f"a{n}" for n in range(20)), urgent=False)
    assert len(list(full.start())) == 7
    line_up(full, "b1")
    assert list(full.start()) == ["b1"]


def test_a_fetch_larger_than_the_budget_goes_alone() -> None:
    fetches = queue(bytes_max=100)
    line_up(fetches, "a1", length=500)
    line_up(fetches, "a2")
    assert list(fetches.start()) == ["a1"]
    fetches.end("a1")
    assert list(fetches.start()) == ["a2"]


def test_a_large_urgent_fetch_is_not_passed_by_small_ones_fetched_ahead() -> None:
    fetches = queue(bytes_max=100)
    line_up(fetches, "a1", length=60)
    assert list(fetches.start()) == ["a1"]
    line_up(fetches, "b1", length=60)
    line_up(fetches, "c1", urgent=False)
    assert list(fetches.start()) == []
    fetches.end("a1")
    assert list(fetches.start()) == ["b1", "c1"]


def test_what_is_given_up_while_it_waits_leaves_the_queue() -> None:
    fetches = queue(fetches_max=1)
    line_up(fetches, "a1", "a2")
    line_up(fetches, "b1", urgent=False)
    assert list(fetches.start()) == ["a1"]
    fetches.end("a2")
    fetches.end("b1")
    assert len(fetches) == 0
    fetches.end("a1")
    assert list(fetches.start()) == []


@given(
    fetches=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 120), st.booleans()), max_size=60
    ),
    fetches_max=st.integers(1, 6),
)
def test_everything_has_its_turn_within_the_budget(
    fetches: list[tuple[str, int, bool]], fetches_max: int
) -> None:
    waiting = queue(bytes_max=100, fetches_max=fetches_max)
    lengths = {f"{lane}{n}": length for n, (lane, length, _) in enumerate(fetches)}
    for n, (lane, length, urgent) in enumerate(fetches):
        waiting.add(f"{lane}{n}", lane=lane, length=length, urgent=urgent)
    running: list[str] = []
    done: list[str] = []
    for _ in fetches:
        running += waiting.start()
        assert 0 < len(running) <= fetches_max
        assert len(running) == 1 or sum(lengths[each] for each in running) <= 100
        done.append(running.pop(0))
        waiting.end(done[-1])
    assert sorted(done) == sorted(lengths)
    assert (waiting._bytes, len(waiting)) == (0, 0)


def test_a_jump_goes_before_scans_and_needs_no_permission() -> None:
    fetches = queue()
    line_up(fetches, "a1")
    line_up(fetches, "b1", urgent=False)
    fetches.add("c1", lane="c", length=10, urgent=True, jump=True)
    assert list(fetches.start(lambda _: False)) == ["c1"]
    assert len(fetches) == 2
    assert list(fetches.start(lambda length: length == 10)) == ["a1", "b1"]


def test_a_jump_that_is_given_up_leaves_the_queue() -> None:
    fetches = queue(fetches_max=1)
    line_up(fetches, "a1")
    assert list(fetches.start()) == ["a1"]
    fetches.add("c1", lane="c", length=10, urgent=True, jump=True)
    fetches.end("c1")
    assert len(fetches) == 0
