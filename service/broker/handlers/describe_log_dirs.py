"""DescribeLogDirs: bytes of local logs, and how full their volume is (KIP-113, KIP-827)."""

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import Executor

from service.broker.context import RequestContext
from service.model.disk import Disk, DiskError
from service.partition.partition import Partition
from service.partition.table import PartitionTable
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)


class DescribeLogDirsHandler:
    """Answers for the one directory that a broker has; what is in the archive does not count.

    Args:
        data_dir: That directory.
        executor: Its threads ask the disk.
    """

    def __init__(
        self, *, partitions: PartitionTable, disk: Disk, data_dir: str, executor: Executor | None
    ) -> None:
        self._partitions = partitions
        self._disk = disk
        self._data_dir = os.path.abspath(data_dir)
        self._executor = executor

    async def __call__(
        self, _context: RequestContext, request: DescribeLogDirsRequest
    ) -> DescribeLogDirsResponse:
        log_dir = self._data_dir
        try:
            usable, total = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._disk.free_bytes, self._data_dir
            )
        except (DiskError, OSError):
            code = ErrorCode.KAFKA_STORAGE_ERROR
            return DescribeLogDirsResponse(
                results=[DescribeLogDirsResult(error_code=code, log_dir=log_dir)]
            )
        found = DescribeLogDirsResult(
            log_dir=log_dir,
            topics=_by_topic(self._wanted(request.topics)),
            total_bytes=total,
            usable_bytes=usable,
        )
        return DescribeLogDirsResponse(results=[found])

    def _wanted(self, topics: list[DescribableLogDirTopic] | None) -> Iterable[Partition]:
        """Return the partitions that are meant; those that are not here are left out."""
        if topics is None:
            return self._partitions.partitions
        named = (
            self._partitions.by_name(each.topic, index)
            for each in topics
            for index in each.partitions
        )
        return [each for each in named if each is not None]


def _by_topic(partitions: Iterable[Partition]) -> list[DescribeLogDirsTopic]:
    topics: dict[str, DescribeLogDirsTopic] = {}
    for each in partitions:
        topic = topics.setdefault(each.topic, DescribeLogDirsTopic(name=each.topic))
        lag = max(0, each.high_watermark - each.hot.log_end)
        topic.partitions.append(
            DescribeLogDirsPartition(
                partition_index=each.index, partition_size=each.hot.size, offset_lag=lag
            )
        )
    return list(topics.values())
