"""The files of the filled cache are no more than the cache may hold."""

from pathlib import Path

from bench.buckets.cache_fill import Cache


def test_the_oldest_files_go_when_there_are_too_many(tmp_path: Path) -> None:
    cache = Cache(tmp_path, bytes_max=10)
    paths = [Path(cache.next_path()) for _ in range(3)]
    for path in paths:
        path.write_bytes(bytes(4))
        cache.add(str(path), 4)
    assert len(set(paths)) == 3
    assert [path.exists() for path in paths] == [False, True, True]
