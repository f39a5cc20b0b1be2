"""Filling the page cache takes memory and no disk."""

import os
from pathlib import Path

import pytest

from bench import machine
from bench.page_cache import PageCache, page_cache, read_through

SIZE = 3 * 1024 * 1024


def test_the_file_takes_no_room_and_is_gone_afterwards(tmp_path: Path) -> None:
    with page_cache(tmp_path, SIZE) as cache:
        cache.fill()
    assert list(tmp_path.iterdir()) == []


def test_all_of_a_file_is_read(tmp_path: Path) -> None:
    if machine.is_volatile(tmp_path):
        pytest.skip("a file system in memory has no other place to read from")
    path = tmp_path / "file"
    path.write_bytes(bytes(SIZE))
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        PageCache(fd, SIZE).fill()
        assert os.preadv(fd, [bytearray(SIZE)], 0, os.RWF_NOWAIT) == SIZE
    finally:
        os.close(fd)


def test_a_directory_is_read_to_the_bottom(tmp_path: Path) -> None:
    if machine.is_volatile(tmp_path):
        pytest.skip("a file system in memory has no other place to read from")
    path = tmp_path / "deep" / "down" / "file"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(SIZE))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        read_through(tmp_path)
        assert os.preadv(file.fileno(), [bytearray(SIZE)], 0, os.RWF_NOWAIT) == SIZE
