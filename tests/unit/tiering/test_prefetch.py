"""How far ahead of a reader to fetch."""

import pytest

from service.tiering.prefetch import ReadAhead


@pytest.mark.rule("TIER-43")
def test_the_window_doubles_while_somebody_reads_in_order() -> None:
    ahead = ReadAhead(window_max=8)
    assert [ahead.enter(offset, offset + 10) for offset in range(0, 60, 10)] == [1, 2, 4, 8, 8, 8]


def test_several_reads_of_a_range_fetch_ahead_once() -> None:
    ahead = ReadAhead(window_max=8)
    assert [ahead.enter(offset, 10) for offset in (0, 3, 7)] == [1, 0, 0]
    assert ahead.enter(10, 20) == 2


def test_readers_of_different_places_do_not_disturb_each_other() -> None:
    ahead = ReadAhead(window_max=8)
    assert ahead.enter(0, 10) == 1
    assert ahead.enter(500, 510) == 1
    assert ahead.enter(10, 20) == 2
    assert ahead.enter(510, 520) == 2


def test_whoever_jumps_begins_anew() -> None:
    ahead = ReadAhead(window_max=8)
    ahead.enter(0, 10)
    ahead.enter(10, 20)
    assert ahead.enter(75, 80) == 1


def test_a_window_of_nothing_turns_it_off() -> None:
    ahead = ReadAhead(window_max=0)
    assert [ahead.enter(offset, offset + 10) for offset in range(0, 30, 10)] == [0, 0, 0]


def test_old_readers_are_forgotten() -> None:
    ahead = ReadAhead(window_max=8, streams_max=2)
    for offset in (0, 100, 200):
        ahead.enter(offset, offset + 10)
    assert ahead.enter(10, 20) == 1
    assert ahead.enter(210, 220) == 2
