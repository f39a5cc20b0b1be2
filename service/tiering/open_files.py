"""Files that are read again and again, a bounded number of them open at a time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from service.model.disk import Buffer, Disk, File

ResultT = TypeVar("ResultT")

OPEN_FILES_MAX = 256


class _Opened:
    __slots__ = ("file", "is_gone", "readers")

    def __init__(self, file: File) -> None:
        self.file = file
        self.readers = 0
        self.is_gone = False


class OpenFiles:
    """Reads files by path; a file that is being read is closed only afterwards."""

    def __init__(
        self, disk: Disk, *, executor: Executor | None, open_max: int = OPEN_FILES_MAX
    ) -> None:
        self._disk = disk
        self._executor = executor
        self._open_max = open_max
        self._files: OrderedDict[str, _Opened] = OrderedDict()

    def read_cached(self, path: str, position: int, length: int) -> Buffer | None:
        """Read at once what is in the page cache; None when that takes a device.

        Raises:
            FileNotFoundError: There is no such file (any more).
        """
        return self._open(path).file.read_cached(position, length)

    async def read(self, path: str, position: int, length: int) -> Buffer:
        """Read, in a thread; raises like `read_cached`."""
        return await self.in_thread(path, lambda file: file.read_at(position, length))

    async def in_thread(self, path: str, call: Callable[[File], ResultT]) -> ResultT:
        """Call a function with an open file, in a thread; raises like `read_cached`."""
        opened = self._open(path)
        opened.readers += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, call, opened.file
            )
        finally:
            opened.readers -= 1
            if opened.is_gone and not opened.readers:
                opened.file.close()

    def forget(self, path: str) -> None:
        """Close a file once nobody reads it."""
        opened = self._files.pop(path, None)
        if opened is None:
            return
        opened.is_gone = True
        if not opened.readers:
            opened.file.close()

    def close(self) -> None:
        """Close everything."""
        for path in list(self._files):
            self.forget(path)

    def _open(self, path: str) -> _Opened:
        opened = self._files.get(path)
        if opened is not None:
            self._files.move_to_end(path)
            return opened
        opened = self._files[path] = _Opened(self._disk.open(path, writable=False))
        while len(self._files) > self._open_max:
            self.forget(next(iter(self._files)))
        return opened
