"""Synced marks: how far each log was synced at least, in one file for the whole data directory.

A mark is written after the sync that it tells of, and nobody waits for it, so it lags behind; it
never tells too much. It goes down only before a truncation, which waits for that.
"""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from struct import Struct
from typing import Protocol

from crc32c import crc32c

from everlog.model.errors import CorruptionError
from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import Offset
from service.hot.layout import SYNCED_MARKS
from service.model.disk import Disk

_HEAD = Struct("<4sHHI")
_ROW = Struct("<16sIq")
_CRC = Struct("<I")
_MAGIC = b"EVLM"
_VERSION = 1


class SyncedLog(Protocol):
    """A log as far as its mark goes."""

    partition: PartitionId
    synced_end: Offset


class SyncedMarks:
    """The marks of one data directory, and the only writer of their file.

    Args:
        disk: Where the directory is.
        data_dir: The directory.
        executor: Threads that write.
    """

    def __init__(self, disk: Disk, data_dir: str, executor: Executor | None) -> None:
        self._disk = disk
        self._path = f"{data_dir}/{SYNCED_MARKS}"
        self._executor = executor
        self._marks: dict[PartitionId, int] = {}
        self._is_stale = False
        self._writing: asyncio.Future[None] | None = None

    def load(self, known: Iterable[PartitionId]) -> None:
        """Read the marks of the known logs; a missing or damaged file has none. Blocks."""
        try:
            found = decode_marks(self._disk.read_file(self._path))
        except (FileNotFoundError, CorruptionError):
            found = {}
        self._marks = {each: found[each] for each in known if each in found}

    def of(self, partition: PartitionId) -> int:
        """Return the mark of a log; 0 without one."""
        return self._marks.get(partition, 0)

    def lower(self, partition: PartitionId, end: Offset) -> None:
        """Take a mark back to ``end``, because what lies above is to go; durable after `save`.

        Nobody may pass the log to `save` before it has been opened again.
        """
        if end < self.of(partition):
            self._marks[partition] = end
            self._is_stale = True

    def forget(self, partition: PartitionId) -> None:
        """Drop the mark of a log; durable after `save`."""
        if self._marks.pop(partition, None) is not None:
            self._is_stale = True

    async def save(self, logs: Iterable[SyncedLog] = ()) -> None:
        """Raise the marks to where logs are synced, and write them if any has changed.

        Raises:
            DiskError: The disk refused; the file is as it was.
        """
        for log in logs:
            if log.synced_end > self._marks.get(log.partition, 0):
                self._marks[log.partition] = log.synced_end
                self._is_stale = True
        while self._writing is not None and not self._writing.done():
            # Perhaps for somebody who was cancelled; the file has one writer at a time.
            await asyncio.wait([self._writing])
        if not self._is_stale:
            return
        self._is_stale = False
        marks = dict(self._marks)
        self._writing = asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: self._write(marks)
        )
        try:
            await asyncio.shield(self._writing)
        except BaseException:
            self._is_stale = True
            raise

    def _write(self, marks: Mapping[PartitionId, int]) -> None:
        self._disk.write_file_atomically(self._path, encode_marks(marks))


def encode_marks(marks: Mapping[PartitionId, int]) -> bytes:
    """Write the file ``synced-marks`` (layout: docs/formats.md)."""
    rows = b"".join(
        _ROW.pack(partition.topic_id, partition.partition, mark)
        for partition, mark in marks.items()
    )
    body = _HEAD.pack(_MAGIC, _VERSION, 0, len(marks)) + rows
    return body + _CRC.pack(crc32c(body))


def decode_marks(content: bytes) -> dict[PartitionId, int]:
    """Read what `encode_marks` wrote.

    Raises:
        CorruptionError: The file is damaged.
    """
    body = content[: -_CRC.size]
    if len(body) < _HEAD.size or content[-_CRC.size :] != _CRC.pack(crc32c(body)):
        raise CorruptionError("the file of synced marks is damaged")
    magic, version, _, count = _HEAD.unpack_from(body)
    rows = body[_HEAD.size :]
    if magic != _MAGIC or version != _VERSION or len(rows) != count * _ROW.size:
        raise CorruptionError("the file of synced marks is of another kind")
    return {
        PartitionId(TopicId(topic_id), partition): mark
        for topic_id, partition, mark in _ROW.iter_unpack(rows)
    }
