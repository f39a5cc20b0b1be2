"""Who reads in order, and how far ahead of them to fetch."""

import pytest

from service.tiering.prefetch import DOUBLED_MAX, IDLE_SECONDS_MAX, ReadAhead, Window

LOG = "t-0"
MIB = 1 << 20


def readers(*, window_max: int = 64, bytes_max: int = 1 << 40, streams_max: int = 64) -> ReadAhead:
    return ReadAhead(
        window_max=window_max, bytes_max=bytes_max, range_bytes=MIB, streams_max=streams_max
    )


def come(
    to: ReadAhead, offset: int, *, log: str = LOG, waited: bool = True, now: float = 0.0
) -> int | None:
    """Read at an offset, in a place of ten offsets."""
    end = offset // 10 * 10 + 10
    return to.enter(log, offset, end, length=MIB, waited=waited, now=now)


@pytest.mark.rule("TIER-43")
def test_the_window_doubles_while_a_reader_in_order_has_to_wait() -> None:
    ahead = readers()
    assert [come(ahead, offset) for offset in range(0, 60, 10)] == [0, 0, 1, 2, 4, 8]


def test_a_reader_that_never_waits_is_far_enough_ahead() -> None:
    ahead = readers()
    found = [come(ahead, offset, waited=offset < 40) for offset in range(0, 1000, 10)]
    assert set(found[4:]) == {2}


def test_nothing_is_fetched_ahead_of_jumps() -> None:
    ahead = readers()
    assert [come(ahead, offset) for offset in (0, 500, 37, 812, 44)] == [0, 0, 0, 0, 0]


def test_several_reads_of_a_place_count_once() -> None:
    ahead = readers()
    assert [come(ahead, offset) for offset in (0, 3, 7)] == [0, None, None]
    assert not ahead.is_steady(LOG, 10)
    assert come(ahead, 10) == 0
    assert not ahead.follows(LOG, 10)
    assert ahead.follows(LOG, 20)
    assert ahead.is_steady(LOG, 20)


def test_readers_of_different_places_and_logs_do_not_disturb_each_other() -> None:
    ahead = readers()
    for offset in range(0, 40, 10):
        for log in ("a", "b"):
            for start in (0, 500):
                found = come(ahead, start + offset, log=log)
                assert found == {0: 0, 10: 0, 20: 1, 30: 2}[offset]


def test_two_readers_that_meet_are_one_from_then_on() -> None:
    ahead = readers()
    for offset in (0, 10, 20, 30):
        come(ahead, offset)
    come(ahead, 45)
    assert come(ahead, 40) == 4
    assert come(ahead, 45) is None
    assert ahead._in_order == 1


@pytest.mark.rule("TIER-43")
def test_all_readers_together_fetch_no_more_ahead_than_the_cache_has_room_for() -> None:
    ahead = readers(bytes_max=8 * MIB)
    for offset in range(0, 80, 10):
        windows = [come(ahead, offset, log=f"t-{number}") for number in range(4)]
    assert windows == [2, 2, 2, 2]


def test_a_window_of_nothing_turns_it_off() -> None:
    ahead = readers(window_max=0)
    assert [come(ahead, offset) for offset in range(0, 30, 10)] == [0, 0, 0]


def test_old_readers_are_forgotten() -> None:
    ahead = readers(streams_max=2)
    for offset in (0, 100, 200):
        come(ahead, offset)
    assert not ahead.follows(LOG, 10)
    assert ahead.follows(LOG, 210)


def test_a_reader_that_stands_still_takes_no_room() -> None:
    ahead = readers(bytes_max=8 * MIB)
    for offset in (0, 10, 20):
        come(ahead, offset, log="gone")
    for step in range(12):
        window = come(ahead, step * 10, now=IDLE_SECONDS_MAX + 1 + step)
    assert window == 8


def store_of(*, ranges_at_a_time: int) -> float:
    """Return the size around which a window settles before such a store."""
    window, now, sizes = Window(), 0.0, []
    for _ in range(2000):
        size = window.enter(MIB, now, waited=True, size_max=64)
        # A range takes 100 ms; more than the store does at a time only wait for each other.
        now += 0.1 / min(max(1, size), ranges_at_a_time)
        sizes.append(size)
    return sum(sizes[-500:]) / 500


@pytest.mark.rule("TIER-44")
@pytest.mark.parametrize("ranges_at_a_time", [4, 12, 30])
def test_a_window_settles_where_more_would_bring_nothing(ranges_at_a_time: int) -> None:
    found = store_of(ranges_at_a_time=ranges_at_a_time)
    assert ranges_at_a_time * 0.75 <= found <= ranges_at_a_time * 1.5


def test_a_window_leaves_what_it_doubled_to_when_the_store_does_one_at_a_time() -> None:
    assert store_of(ranges_at_a_time=1) <= DOUBLED_MAX / 2
