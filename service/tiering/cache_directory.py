"""CacheDirectory: files of ranges that are here, and of what is on its way to or from the store."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from service.model.disk import Disk
from service.tiering.range_sources import CACHE_SUFFIX
from service.tiering.worker.downloads import PART_SUFFIX
from service.tiering.worker.merging import MERGE_SUFFIX

UNFINISHED = (PART_SUFFIX, MERGE_SUFFIX)
"""Names of files end like this that only a transfer process writes, and removes at the end."""


class CacheDirectory:
    """One directory of one broker, which has one transfer process at a time."""

    def __init__(self, path: str, *, disk: Disk, executor: Executor | None) -> None:
        self.path = path
        self._disk = disk
        self._executor = executor

    async def empty(self) -> None:
        """Make the directory, and remove what earlier brokers left there; raises `DiskError`."""
        await self._in_thread(self._empty)

    async def remove_unfinished(self) -> None:
        """Remove what transfer processes have left; none may be running.

        Raises:
            DiskError: Some of it is still there.
        """
        await self._in_thread(self._remove_unfinished)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _empty(self) -> None:
        self._disk.make_dirs(self.path)
        self._remove([name for name in self._names() if CACHE_SUFFIX in name])
        self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        self._remove([name for name in self._names() if name.endswith(UNFINISHED)])

    def _names(self) -> list[str]:
        try:
            return [name for name, _ in self._disk.list_dir(self.path)]
        except FileNotFoundError:
            return []  # a process has ended before the broker has begun

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                self._disk.unlink(f"{self.path}/{name}")
            except FileNotFoundError:
                continue
