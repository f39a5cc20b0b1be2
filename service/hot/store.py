"""HotStore: the data directory, and the logs that are open in it."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import TypeVar

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, EverlogError
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch, Offset
from service.hot.boundaries import Boundary, boundaries_of
from service.hot.cleaner import LogCleaner
from service.hot.commit_group import FLUSH_THREADS, CommitLane, RoundStats
from service.hot.data_directory import (
    has_log,
    remove_partition,
    remove_segments,
    take_clean_marker,
    tidy_logs,
)
from service.hot.descriptors import OPEN_FILES_MAX, Descriptors
from service.hot.index_cache import IndexCache
from service.hot.layout import CLEAN_SHUTDOWN, SYNCED_MARKS, partition_dir
from service.hot.log import HotLog
from service.hot.log_config import CommitLanes, HotLogConfig
from service.hot.log_starts import LogStarts
from service.hot.recovery import recover_log
from service.hot.restart import LogRestart, write_restart
from service.hot.segment import Segment
from service.hot.segment_reader import SegmentReader
from service.hot.synced_marks import SyncedMarks
from service.hot.tear import Known
from service.hot.truncation import (
    TruncatedBelowStartError,
    plan_truncation,
    write_truncation,
)
from service.model.disk import Disk, DiskError
from service.model.log import LogFailedError

T = TypeVar("T")

_log = structlog.get_logger(__name__)

QUIET_POLL_SECONDS = 0.005
"""How often a log that is to go is asked whether its last write has ended."""

TICK_SECONDS = 0.5
"""How often time-based rolls and syncs are looked for; ``flush.ms`` is 1,000 by default."""


class HotStore:
    """Opens, keeps and deletes the local logs of one broker.

    Args:
        data_dir: Absolute path.
        disk: Where the files are.
        clock: For ages of segments and of unsynced bytes.
        flush_executor: Threads that write and sync; None for the loop's own.
        read_executor: Threads that read what is not in the page cache, and that recover logs.
        on_fatal: Called when a sync has failed; it must end the process.
    """

    def __init__(
        self,
        *,
        data_dir: str,
        disk: Disk,
        clock: Clock,
        flush_executor: Executor | None,
        read_executor: Executor | None,
        on_fatal: Callable[[DiskError], None],
        flush_threads: int = FLUSH_THREADS,
        open_files_max: int = OPEN_FILES_MAX,
    ) -> None:
        self._data_dir = data_dir
        self._disk = disk
        self._clock = clock
        self._executor = read_executor
        self._descriptors = Descriptors(disk, open_max=open_files_max)
        self._indexes = IndexCache(disk)
        self._reader = SegmentReader(
            descriptors=self._descriptors, indexes=self._indexes, executor=read_executor
        )
        lane = partial(
            CommitLane,
            disk=disk,
            executor=flush_executor,
            on_fatal=on_fatal,
            clock=clock,
            flush_threads=flush_threads,
        )
        self._lanes = CommitLanes(always=lane(), interval=lane())
        self._cleaner = LogCleaner(
            disk=disk,
            clock=clock,
            executor=read_executor,
            indexes=self._indexes,
            release=self.release,
        )
        self._logs: dict[PartitionId, HotLog] = {}
        self._marks = SyncedMarks(disk, data_dir, read_executor)
        self._starts = LogStarts(disk, read_executor)

    @property
    def round_stats(self) -> dict[str, RoundStats]:
        """What the group commit has done, by lane."""
        return {"always": self._lanes.always.stats, "interval": self._lanes.interval.stats}

    @property
    def logs(self) -> Collection[HotLog]:
        """The open logs."""
        return self._logs.values()

    async def start(self, known: Collection[PartitionId]) -> bool:
        """Prepare the directory; return whether the last stop was a clean one.

        Directories of partitions that are not ``known`` are renamed, never deleted (REL-Y9); the
        clean marker goes before anything can change (REL-Y5).
        """
        return await self._in_thread(self._prepare, known)

    async def has(self, partition: PartitionId) -> bool:
        """Whether there is a directory for the log of a partition, or never was anything in it."""
        is_empty = self._marks.of(partition) == 0
        return is_empty or await self._in_thread(has_log, self._disk, self._data_dir, partition)

    def find(self, partition: PartitionId) -> HotLog | None:
        """Return the log of a partition if it is open."""
        return self._logs.get(partition)

    async def open(
        self, partition: PartitionId, config: HotLogConfig, *, term: LeaderEpoch | None = None
    ) -> HotLog:
        """Open the log of a partition, recovering or making its directory.

        Args:
            partition: Whose log.
            config: What its topic says.
            term: The leader epoch in which it is going to be appended to, if that is known.

        Raises:
            CorruptionError: The log is damaged; see `recover_log`.
            DiskError: The disk refused.
        """
        assert partition not in self._logs, "a log is opened once"
        directory = partition_dir(self._data_dir, partition)
        now_ms = self._clock.wall_ms()
        known = Known(
            term=term, synced_end=self._marks.of(partition), flush_always=config.flush_always
        )
        recover = partial(recover_log, self._disk, partition, directory)
        found = await self._in_thread(lambda: recover(now_ms=now_ms, known=known))
        if found.cut is not None:
            _log.warning("log_cut", **asdict(found.cut))
        log = HotLog(
            found,
            config=config,
            descriptors=self._descriptors,
            lanes=self._lanes,
            reader=self._reader,
            clock=self._clock,
        )
        log.on_cleanable = partial(self._cleaner.wake, log)
        if config.cleaning is not None:
            self._cleaner.wake(log)
        self._logs[partition] = log
        return log

    async def reopen(self, log: HotLog, *, term: LeaderEpoch | None = None) -> HotLog:
        """Open a log again whose disk had refused a write."""
        assert log.failure is not None
        await self._let_go(log)
        try:
            return await self.open(log.partition, log.config, term=term)
        except EverlogError:
            # It stays refused, and known, until somebody tries again.
            self._logs[log.partition] = log
            raise

    async def restart(
        self, log: HotLog, restart: LogRestart, *, term: LeaderEpoch | None = None
    ) -> HotLog:
        """Begin a log anew that nobody has appended to since it was opened; return the new one.

        Raises:
            CorruptionError: Others do not hold all that this log had promised to keep. Its offsets
                are not given to other records before somebody has said so.
            DiskError: The disk refused; the log is not open any more.
        """
        assert not log.is_busy, "a log that is written to does not begin anew"
        mark = self._marks.of(log.partition)
        if mark > restart.offset:
            raise CorruptionError(
                f"{log.directory} ends at offset {log.log_end} and the archive at "
                f"{restart.offset}, but everything below {mark} was synced: bring the directory "
                "back; or, to go on without these records, stop the broker and remove "
                f"{self._data_dir}/{SYNCED_MARKS}"
            )
        await self._starts.ensure(log)  # its first segments are the first to go
        await self._let_go(log)
        await self._in_thread(write_restart, self._disk, log.directory, restart)
        return await self.open(log.partition, log.config, term=term)

    async def truncate(self, log: HotLog, offset: Offset, *, term: LeaderEpoch) -> HotLog:
        """Drop everything at and above ``offset`` (KIP-101), durably; return the log, open again.

        A batch that holds the offset goes as a whole, so the log may end below it. What was
        acknowledged above is gone by intent. Nobody appends to the log meanwhile, or reads it. A
        log that ends at or below the offset is returned as it is.

        Args:
            log: An open log.
            offset: First one that goes.
            term: As of `open`.

        Raises:
            TruncatedBelowStartError: The log begins above the offset; `restart` it.
            LogFailedError: The disk has refused an earlier write; `reopen` it first.
            CorruptionError: Damage below the offset. Nothing has gone; the log is not open any
                more.
            DiskError: The disk refused; the log is not open any more, and may end anywhere up to
                its old end.
        """
        await _quiet(log)
        if log.failure is not None:
            raise LogFailedError(str(log.failure))
        start = max(log.log_start, log.local_start)
        if offset < start:
            raise TruncatedBelowStartError(
                f"{log.directory} begins at offset {start} and cannot be truncated to {offset}: "
                "begin it anew where the leader's log begins"
            )
        if offset >= log.log_end:
            return log
        await self._let_go(log)
        to = await self._in_thread(plan_truncation, self._disk, log.directory, offset)
        self._marks.lower(log.partition, to.end)
        await self._marks.save()
        await self._in_thread(write_truncation, self._disk, log.directory, to)
        return await self.open(log.partition, log.config, term=term)

    async def set_log_start(self, log: HotLog, offset: Offset) -> None:
        """Raise the first offset of the log, durably; segments below it are removed."""
        log.raise_log_start(offset)
        await self._starts.save(log)
        log.on_change()
        await self.release(log, log.log_start)

    async def release(self, log: HotLog, before: Offset) -> list[Segment]:
        """Remove the sealed segments that end at or below ``before`` from this disk.

        Where the log starts is durable before: from then on its segments do not tell.
        """
        released = log.release(before)
        for segment in released:
            self._indexes.forget(segment)
        if released:
            await self._starts.ensure(log)
            await self._in_thread(remove_segments, self._disk, log.directory, released)
        return released

    def newest_timestamp(self, segment: Segment) -> int:
        """Return the greatest timestamp of a segment, -1 without one; may read its index file."""
        return self._indexes.summarise(segment)

    async def learn_timestamp(self, segment: Segment) -> int:
        """Return the same, or -1 if it is not known; what has to be read is read in a thread."""
        return await self._reader.learn_timestamp(segment)

    def first_append_ms(self, segment: Segment) -> int:
        """Return the time of a sealed segment's first append; 0 if unknown. May read a file."""
        self._indexes.summarise(segment)
        return segment.first_append_ms or 0

    async def boundaries(self, segment: Segment, start: int, *, step: int) -> list[Boundary]:
        """Find where a segment that does not change may be divided; see `boundaries_of`."""
        return await self.in_file(segment, boundaries_of, start=start, step=step)

    async def in_file(self, segment: Segment, find: Callable[..., T], **bounds: int) -> T:
        """Call ``find`` with the file, the segment and its index, in a thread."""
        index = self._indexes.index_of(segment)
        file = self._descriptors.pin(segment.path)
        try:
            return await self._in_thread(lambda: find(file, segment, index, **bounds))
        finally:
            self._descriptors.unpin(file)

    async def delete(self, partition: PartitionId) -> None:
        """Remove the log of a partition; the last one of its topic takes the topic's directory."""
        log = self._logs.get(partition)
        if log is not None:
            await self._let_go(log)
        self._marks.forget(partition)
        await self._in_thread(remove_partition, self._disk, self._data_dir, partition)

    async def run(self) -> None:
        """Roll and sync what is due, and keep compacted logs compact, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._cleaner.run())
            await self._tick()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for log in self._logs.values():
                _tend(log)
            with suppress(DiskError, FileNotFoundError):
                # The marks that are there hold all the same; the next tick writes newer ones.
                await self._marks.save(self._logs.values())

    async def expire_producers(self, *, expiration_ms: int, check_ms: int) -> None:
        """Forget idempotent producers that have long been silent (REL-D2), until cancelled."""
        while True:
            await asyncio.sleep(check_ms / 1000)
            now_ms = self._clock.wall_ms()
            for log in self._logs.values():
                log.producers.expire(now_ms=now_ms, expiration_ms=expiration_ms)

    async def close(self) -> None:
        """Write and sync everything, and leave the marker of a clean stop."""
        await self._drained()
        for log in self._logs.values():
            log.sync()
        await self._drained()
        with suppress(DiskError, FileNotFoundError):
            await self._marks.save(self._logs.values())
        is_clean = all(log.failure is None and not log.is_busy for log in self._logs.values())
        self._descriptors.close()
        if is_clean:
            path = f"{self._data_dir}/{CLEAN_SHUTDOWN}"
            await self._in_thread(self._disk.write_file_atomically, path, b"clean\n")

    async def _drained(self) -> None:
        await self._lanes.interval.drained()
        await self._lanes.always.drained()

    def check_promise(self, log: HotLog) -> None:
        """Make sure that nothing is missing which was synced.

        Raises:
            CorruptionError: The log ends below its synced mark.
        """
        mark = self._marks.of(log.partition)
        if log.log_end < mark:
            raise CorruptionError(
                f"{log.directory} ends at offset {log.log_end}, but everything below {mark} was "
                "synced: bring the directory back, or delete the topic"
            )

    def abandon(self, partition: PartitionId) -> None:
        """Let go of a log that nobody has appended to, if it is open; its files stay."""
        log = self._logs.get(partition)
        if log is not None:
            self._forget(log)

    async def _let_go(self, log: HotLog) -> None:
        """Forget a log once nothing is under way on it."""
        # Seals that end from now on must not bring the cleaner back.
        log.on_cleanable = lambda: None
        await self._cleaner.leave(log)
        await _quiet(log)
        self._forget(log)

    def _forget(self, log: HotLog) -> None:
        del self._logs[log.partition]
        self._starts.forget(log)
        for segment in log.segments:
            self._descriptors.forget(segment.path)
            self._indexes.forget(segment)

    def _prepare(self, known: Collection[PartitionId]) -> bool:
        was_clean = take_clean_marker(self._disk, self._data_dir)
        self._marks.load(known)
        tidy_logs(self._disk, self._data_dir, known)
        return was_clean

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *args)


def _tend(log: HotLog) -> None:
    try:
        if not log.roll_if_due():
            log.sync_if_due()
    except DiskError:
        # Its file could not be opened, so nothing has changed; the next tick tries again.
        return


async def _quiet(log: HotLog) -> None:
    """Wait until nothing of one log is being written; the lanes are never idle under load."""
    while log.is_busy:  # noqa: ASYNC110  (rare; an event would have to be set in every round)
        await asyncio.sleep(QUIET_POLL_SECONDS)
