"""Which cached range goes first."""

from hypothesis import given
from hypothesis import strategies as st

from service.tiering.chunk_cache import CachedRange, ChunkCache, RangeId


def range_id(number: int, length: int) -> RangeId:
    return RangeId(bytes([number]) * 16, 0, length)


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_the_cache_never_holds_more_than_it_may_and_loses_nothing(lengths: list[int]) -> None:
    cache = ChunkCache(bytes_max=100)
    gone: list[CachedRange] = []
    for number, length in enumerate(lengths):
        gone += cache.add(range_id(number, length), CachedRange(str(number), 0))
        assert cache.size <= 100
    assert len(cache) + len(gone) == len(lengths)
    assert [each.path for each in gone] == [str(n) for n in range(len(gone))]


def test_what_was_used_last_goes_last() -> None:
    cache = ChunkCache(bytes_max=20)
    for number in (1, 2):
        assert not cache.add(range_id(number, 10), CachedRange(str(number), 0))
    assert cache.get(range_id(1, 10)) == CachedRange("1", 0)
    assert cache.add(range_id(3, 10), CachedRange("3", 0)) == [CachedRange("2", 0)]
    assert cache.get(range_id(2, 10)) is None


def test_a_range_larger_than_the_cache_goes_at_once() -> None:
    cache = ChunkCache(bytes_max=5)
    assert cache.add(range_id(1, 10), CachedRange("1", 0)) == [CachedRange("1", 0)]
    assert (len(cache), cache.size) == (0, 0)


def test_a_dropped_range_gives_its_bytes_back() -> None:
    cache = ChunkCache(bytes_max=20)
    cache.add(range_id(1, 10), CachedRange("1", 0))
    assert cache.drop(range_id(1, 10)) == CachedRange("1", 0)
    assert cache.drop(range_id(1, 10)) is None
    assert cache.size == 0
