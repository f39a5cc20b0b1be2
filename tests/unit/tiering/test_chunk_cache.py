"""Which cached range goes first."""

from hypothesis import given
from hypothesis import strategies as st

from service.tiering.chunk_cache import PASSING_SHARE, CachedRange, ChunkCache, RangeId


def range_id(number: int, length: int = 10) -> RangeId:
    return RangeId(number.to_bytes(16), 0, length)


def at(number: int) -> CachedRange:
    return CachedRange(str(number), 0)


def has(cache: ChunkCache, number: int) -> bool:
    return cache.get(range_id(number)) is not None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 50), st.booleans()),
        st.tuples(st.just("visit"), st.integers(0, 40), st.none()),
        st.tuples(st.just("get"), st.integers(0, 40), st.none()),
        st.tuples(st.just("drop"), st.integers(0, 40), st.none()),
    ),
    max_size=120,
)


@given(steps=STEPS)
def test_the_cache_counts_its_bytes_holds_no_more_than_it_may_and_loses_nothing(
    steps: list[tuple[str, int, bool | None]],
) -> None:
    cache = ChunkCache(bytes_max=100)
    known: list[RangeId] = []
    here: dict[str, int] = {}
    for step, number, keep in steps:
        if step == "add":
            known.append(range_id(len(known), number))
            here[str(len(known) - 1)] = number
            for each in cache.add(known[-1], at(len(known) - 1), keep=bool(keep)):
                del here[each.path]
        elif number < len(known):
            found = getattr(cache, step)(known[number])
            if step == "drop" and found is not None:
                del here[found.path]
        assert cache.size == sum(here.values()) <= 100
        assert len(cache) == len(here)
        assert cache._passing_bytes == sum(each.length for each in cache._passing)


@given(lengths=st.lists(st.integers(1, 20), max_size=60), kept=st.integers(0, 7))
def test_a_scan_flushes_nothing_that_was_sought_out(lengths: list[int], kept: int) -> None:
    cache = ChunkCache(bytes_max=100)
    for number in range(kept):
        cache.add(range_id(number), at(number), keep=True)
    for number, length in enumerate(lengths, start=100):
        cache.add(range_id(number, length), at(number), keep=False)
        cache.visit(range_id(number, length))
    assert all(has(cache, number) for number in range(kept))


def test_a_scan_has_a_share_of_its_own() -> None:
    cache = ChunkCache(bytes_max=100)
    for number in range(10):
        cache.add(range_id(number), at(number), keep=False)
        assert cache.size <= 100 // PASSING_SHARE
    assert [number for number in range(10) if has(cache, number)] == [8, 9]
    for number in range(10, 18):
        assert not cache.add(range_id(number), at(number), keep=True)
    assert cache.add(range_id(18), at(18), keep=True) == [at(10)]


def test_what_has_just_come_is_there_to_be_read_however_large_it_is() -> None:
    cache = ChunkCache(bytes_max=100)
    cache.add(range_id(1), at(1), keep=False)
    assert cache.add(range_id(2, 90), at(2), keep=False) == [at(1)]
    assert cache.get(range_id(2, 90)) == at(2)


def test_what_a_second_reader_visits_stays() -> None:
    cache = ChunkCache(bytes_max=100)
    for number in (1, 2):
        cache.add(range_id(number), at(number), keep=False)
        cache.visit(range_id(number))
    cache.visit(range_id(1))
    for number in range(3, 20):
        cache.add(range_id(number), at(number), keep=False)
    assert has(cache, 1)
    assert not has(cache, 2)


def test_many_reads_of_one_visit_are_one_touch() -> None:
    cache = ChunkCache(bytes_max=80)
    cache.add(range_id(1), at(1), keep=False)
    cache.visit(range_id(1))
    for _ in range(5):
        assert has(cache, 1)
    cache.add(range_id(2), at(2), keep=False)
    assert cache.add(range_id(3), at(3), keep=False) == [at(1)]


def test_of_what_stays_the_least_recently_used_goes_first() -> None:
    cache = ChunkCache(bytes_max=20)
    for number in (1, 2):
        assert not cache.add(range_id(number), at(number), keep=True)
    assert cache.get(range_id(1)) == at(1)
    assert cache.add(range_id(3), at(3), keep=True) == [at(2)]
    assert cache.get(range_id(2)) is None


def test_what_went_before_anybody_came_is_counted() -> None:
    cache = ChunkCache(bytes_max=80)
    for number in (1, 2, 3, 4):
        cache.add(range_id(number), at(number), keep=False)
        if number % 2:
            cache.visit(range_id(number))
    assert cache.unread == 1


def test_a_range_larger_than_the_cache_goes_at_once() -> None:
    for keep in (True, False):
        cache = ChunkCache(bytes_max=5)
        assert cache.add(range_id(1), at(1), keep=keep) == [at(1)]
        assert (len(cache), cache.size) == (0, 0)


def test_a_dropped_range_gives_its_bytes_back() -> None:
    cache = ChunkCache(bytes_max=20)
    for number, keep in ((1, True), (2, False)):
        cache.add(range_id(number), at(number), keep=keep)
        assert cache.drop(range_id(number)) == at(number)
        assert cache.drop(range_id(number)) is None
    assert (cache.size, cache._passing_bytes) == (0, 0)
