"""The search itself, in worlds of numbers."""

from collections.abc import Iterator

from tests.model.checker import search


def plus_one_or_two(number: int) -> Iterator[tuple[tuple[object, ...], int]]:
    if number < 10:
        yield ("plus", 1), number + 1
        yield ("plus", 2), number + 2


def test_all_states_are_reached_once() -> None:
    found = search(0, plus_one_or_two, lambda _: None, states_max=100)
    assert (found.states, found.is_whole, found.fault) == (12, True, None)


def test_a_wrong_state_is_told_with_a_shortest_way_to_it() -> None:
    found = search(0, plus_one_or_two, lambda n: "five" if n == 5 else None, states_max=100)
    assert found.fault == "five"
    assert not found.is_whole
    assert len(found.trace) == 3
    assert sum(int(str(by)) for _, by in found.trace) == 5
    assert str(found).startswith("five, after 3 steps")


def test_a_search_that_was_cut_off_says_so() -> None:
    found = search(0, plus_one_or_two, lambda _: None, states_max=5)
    assert (found.states, found.is_whole) == (5, False)
    assert "cut off" in str(found)
