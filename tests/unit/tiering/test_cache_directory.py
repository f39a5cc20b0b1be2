"""What transfer processes leave in the cache's directory goes, and nothing that others need."""

import os
from pathlib import Path

from service.app.system_disk import SystemDisk
from service.tiering.cache_directory import CacheDirectory

OTHERS = ["notes.txt", "worker.log.1"]
RANGES = ["aa-0-4-0001-1.chunk", "aa-4-4-0001-2.chunk"]
UNFINISHED = ["aa-8-4-0001-3.chunk-1.part", "aa-8-4-0001-3.chunk-2.part", "bb-0.merge"]


def directory(path: Path) -> CacheDirectory:
    for name in (*OTHERS, *RANGES, *UNFINISHED):
        (path / name).write_bytes(b"x")
    return CacheDirectory(str(path), disk=SystemDisk(), executor=None)


async def test_what_a_transfer_process_has_left_goes_and_ranges_that_are_here_stay(
    tmp_path: Path,
) -> None:
    cache = directory(tmp_path)
    await cache.remove_unfinished()
    assert sorted(os.listdir(tmp_path)) == sorted([*OTHERS, *RANGES])


async def test_a_start_finds_nothing_of_an_earlier_broker(tmp_path: Path) -> None:
    cache = directory(tmp_path)
    await cache.empty()
    assert sorted(os.listdir(tmp_path)) == sorted(OTHERS)


async def test_a_directory_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    cache = CacheDirectory(str(tmp_path / "cache"), disk=SystemDisk(), executor=None)
    await cache.remove_unfinished()
    assert os.listdir(tmp_path) == []
    await cache.empty()
    assert os.listdir(tmp_path) == ["cache"]
