"""LogStarts: keeps on the disk where logs start, once their segments do not tell."""

import asyncio
from collections import defaultdict
from concurrent.futures import Executor

from everlog.model.ids import PartitionId
from service.hot.layout import LOG_START
from service.hot.log import HotLog
from service.hot.log_start import encode_log_start
from service.model.disk import Disk


class LogStarts:
    """Writes the files of one store.

    Args:
        executor: Threads that write.
    """

    def __init__(self, disk: Disk, executor: Executor | None) -> None:
        self._disk = disk
        self._executor = executor
        self._turns: defaultdict[PartitionId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._saved: set[PartitionId] = set()

    async def save(self, log: HotLog) -> None:
        """Make durable where a log starts.

        Raises:
            DiskError: The disk refused; the file says what it said before.
        """
        # One write of a file at a time, the newest start last.
        async with self._turns[log.partition]:
            path, content = f"{log.directory}/{LOG_START}", encode_log_start(log.log_start)
            await asyncio.get_running_loop().run_in_executor(
                self._executor, self._disk.write_file_atomically, path, content
            )
        self._saved.add(log.partition)

    async def ensure(self, log: HotLog) -> None:
        """Do the same, unless it was done since the log was opened."""
        if log.partition not in self._saved:
            await self.save(log)

    def forget(self, log: HotLog) -> None:
        """Take note that a log is not open any more."""
        self._turns.pop(log.partition, None)
        self._saved.discard(log.partition)
