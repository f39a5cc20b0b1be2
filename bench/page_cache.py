"""Memory as a machine has it that has run for a while: all of it touched, and full of old files.

A virtual machine gets a page from its host when it is first touched, and gives it back some time
after it was freed. A server that writes into such pages runs at a third of its speed, until nobody
knows when; whose turn came first would pay for it. So the page cache is filled before each turn,
from a file without blocks, and what is written takes the place of that.
"""

import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_READ_BYTES = 1024 * 1024


class PageCache:
    """A file that takes no room on the disk, as large as what it is to fill."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size

    def fill(self) -> None:
        """Read the whole file; the kernel drops its own oldest pages when memory is short."""
        room = mmap.mmap(-1, _READ_BYTES)
        for position in range(0, self._size, _READ_BYTES):
            os.preadv(self._fd, [room], position)


@contextlib.contextmanager
def page_cache(directory: Path, size: int) -> Iterator[PageCache]:
    """Give one of ``size`` bytes in a file system; its memory is free again afterwards."""
    with tempfile.TemporaryFile(prefix="page-cache-", dir=directory) as file:
        os.truncate(file.fileno(), size)
        yield PageCache(file.fileno(), size)


def read_through(directory: Path) -> None:
    """Bring every file below a directory into the page cache, as if it had just been written.

    Somebody may be at work there: a file that goes meanwhile is not needed.
    """
    room = mmap.mmap(-1, _READ_BYTES)
    for folder, _, names in os.walk(directory):
        for path in (Path(folder) / name for name in names):
            # Not a socket: nobody answers there.
            if path.is_file():
                with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
                    while file.readinto(room):
                        pass
