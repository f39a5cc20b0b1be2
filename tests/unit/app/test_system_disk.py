"""The real disk: what is read at once comes in memory that is used again."""

from pathlib import Path

import numpy as np

from everlog.model.buffer import Buffer
from service.app.system_disk import REUSED_BYTES_MIN, SystemDisk

SIZE = 2 * REUSED_BYTES_MIN


def place(found: Buffer) -> int:
    return int(np.frombuffer(found, np.uint8).ctypes.data)


def test_reads_that_are_still_looked_at_keep_their_bytes(tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(4 * SIZE)
    path = tmp_path / "segment"
    path.write_bytes(content)
    file = SystemDisk().open(str(path), writable=False)
    kept = [file.read_cached(at, SIZE) for at in range(0, 4 * SIZE, SIZE)]
    assert b"".join(bytes(each) for each in kept if each is not None) == content
    file.close()


def test_memory_of_reads_that_nobody_looks_at_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"x" * SIZE)
    file = SystemDisk().open(str(path), writable=False)
    found = file.read_cached(0, SIZE)
    assert found is not None
    first, batch = place(found), memoryview(found)[10:20]
    del found
    other = file.read_cached(0, SIZE)
    assert other is not None
    assert place(other) != first
    del other, batch
    again = file.read_cached(0, SIZE - 1)
    assert again is not None
    assert place(again) == first
    file.close()


def test_what_lies_behind_the_end_of_a_file_is_not_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"x" * SIZE)
    file = SystemDisk().open(str(path), writable=False)
    assert file.read_cached(1, SIZE) is None
    file.close()
