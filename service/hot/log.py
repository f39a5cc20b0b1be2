"""HotLog: the local log of one partition, and the only writer of its files.

An append gets its offset and its place in the file at once, on the event loop; the commit group
writes it. So there are three ends, and they never overtake each other::

    synced_end <= log_end <= next_offset
    (durable)     (written)  (assigned)

Readers see only what is written. What was assigned and not written when a write fails is rolled
back, and the log serves nothing until it is opened again (REL-Y1).
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from everlog.model.clock import Clock
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import BatchHeader, stamp
from service.hot.commit_group import CommitLane
from service.hot.descriptors import Descriptors
from service.hot.layout import LEADER_EPOCHS
from service.hot.leader_epochs import encode_epochs
from service.hot.recovery import RecoveredLog
from service.hot.rolling import RollLimits, is_due, must_roll_for
from service.hot.segment import Segment
from service.hot.segment_reader import SegmentReader
from service.hot.sparse_index import encode_index
from service.hot.writes import Job, Seal, Write
from service.model.disk import Buffer, DiskError, File
from service.model.log import (
    EMPTY_SLICE,
    LogFailedError,
    LogSlice,
    OffsetOutOfRangeError,
    ReadBounds,
    TimestampOffset,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HotLogConfig:
    """What the topic's configuration means for its local logs.

    Attributes:
        flush_always: Whether a batch counts only once it is synced (``flush.messages=1``).
        flush_ms: Longest time that a written byte stays unsynced otherwise.
        index_interval_bytes: About how far apart the rows of the sparse index are.
    """

    roll: RollLimits
    flush_always: bool
    flush_ms: int
    index_interval_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLanes:
    """The two ways to become durable; a log uses one of them at a time."""

    always: CommitLane
    interval: CommitLane


class HotLog:
    """One partition's local log. Everything here runs on the event loop.

    Attributes:
        on_advance: Called after `log_end` or `synced_end` has risen.
        on_failure: Called once when the disk has refused a write.
        on_sealed: Called when a segment has been sealed and synced.
    """

    def __init__(
        self,
        found: RecoveredLog,
        *,
        config: HotLogConfig,
        descriptors: Descriptors,
        lanes: CommitLanes,
        reader: SegmentReader,
        clock: Clock,
    ) -> None:
        self.partition = found.partition
        self.directory = found.directory
        self.config = config
        self.epochs = found.epochs
        self.producers = found.producers
        self.failure: DiskError | None = None
        self.on_advance: Callable[[], None] = _ignore
        self.on_failure: Callable[[LogFailedError], None] = _ignore_failure
        self.on_sealed: Callable[[], None] = _ignore
        self._descriptors = descriptors
        self._lanes = lanes
        self._reader = reader
        self._clock = clock
        self.segments = found.segments or [Segment(found.directory, found.log_start)]
        self._bases = [segment.base_offset for segment in self.segments]
        # May lie below the local start: then the archive holds what is between them.
        self.log_start = Offset(found.log_start)
        self.next_offset = self.log_end = self.synced_end = Offset(self.active.next_offset)
        self._written_at = self._synced_at = (self.active, self.active.size)
        self._unsynced_since_ms: int | None = None
        self._sync_wanted = False
        self._pending: list[Write | Seal] = []
        self._pending_bytes = 0
        self._in_flight: Job | None = None
        self._pinned: list[str] = []

    @property
    def active(self) -> Segment:
        """The segment that takes appends."""
        return self.segments[-1]

    @property
    def local_start(self) -> Offset:
        """First offset that is on this disk."""
        return Offset(self._bases[0])

    @property
    def durable_end(self) -> Offset:
        """The end that counts for acknowledgements: synced with ``flush=always``, else written."""
        return self.synced_end if self.config.flush_always else self.log_end

    @property
    def size(self) -> int:
        """Bytes of all local segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def is_busy(self) -> bool:
        """Whether a write is pending or under way."""
        return self._in_flight is not None or bool(self._pending)

    # ---- appending

    def append(
        self, batch: bytearray | memoryview, header: BatchHeader, *, leader_epoch: LeaderEpoch
    ) -> Offset:
        """Stamp a validated batch, give it its place, and return its base offset.

        The buffer belongs to the log until the batch is written.

        Raises:
            LogFailedError: The disk has refused an earlier write.
        """
        if self.failure is not None:
            raise LogFailedError(str(self.failure))
        base_offset = self.next_offset
        last_offset = base_offset + header.last_offset_delta
        stamp(batch, base_offset=base_offset, leader_epoch=leader_epoch)
        self._place(batch, header, base_offset, last_offset)
        self.epochs.note(leader_epoch, base_offset)
        if header.producer_id >= 0:
            self.producers.note(header, base_offset, now_ms=self._clock.wall_ms())
        self.next_offset = Offset(last_offset + 1)
        self._lane.touch(self)
        return base_offset

    def roll_if_due(self) -> bool:
        """Seal the active segment if ``segment.ms`` has passed since its first append."""
        now_ms = self._clock.wall_ms()
        if self.failure is not None or self.active.size == 0:
            return False
        if not is_due(self.config.roll, first_append_ms=self.active.first_append_ms, now_ms=now_ms):
            return False
        self.roll()
        return True

    def roll(self) -> None:
        """Seal the active segment, which is not empty, and begin the next one."""
        sealed = self.active
        assert sealed.size > 0, "an empty segment is not sealed"
        successor = Segment(self.directory, self.next_offset)
        assert sealed.index is not None
        self._pending.append(
            Seal(
                segment=sealed,
                file=self._pin(sealed.path),
                index=encode_index(sealed.index, sealed.summary()),
                epochs=encode_epochs(self.epochs),
                epochs_path=f"{self.directory}/{LEADER_EPOCHS}",
                producers=self.producers.encode(self.next_offset),
                producers_path=successor.producers_path,
            )
        )
        self.segments.append(successor)
        self._bases.append(successor.base_offset)
        self._lane.touch(self)

    def _place(
        self, batch: Buffer, header: BatchHeader, base_offset: int, last_offset: int
    ) -> None:
        size = len(batch)
        segment = self.active
        if must_roll_for(
            self.config.roll,
            size=segment.size,
            batch_size=size,
            base_offset=segment.base_offset,
            last_offset=last_offset,
        ):
            self.roll()
            segment = self.active
        if segment.first_append_ms is None:
            segment.first_append_ms = self._clock.wall_ms()
        write = self._write_to(segment)
        write.buffers.append(batch)
        write.size += size
        self._pending_bytes += size
        segment.add(
            last_offset + 1,
            size,
            header.max_timestamp,
            base_offset=base_offset,
            interval=self.config.index_interval_bytes,
        )

    def _write_to(self, segment: Segment) -> Write:
        """Return the pending write that ends at the segment's end."""
        last = self._pending[-1] if self._pending else None
        if isinstance(last, Write) and last.segment is segment:
            return last
        is_new = segment.size == 0
        if is_new:
            self._descriptors.create(segment.path)
        write = Write(segment, self._pin(segment.path), segment.size, is_new=is_new)
        self._pending.append(write)
        return write

    def _pin(self, path: str) -> File:
        self._pinned.append(path)
        return self._descriptors.pin(path)

    @property
    def _lane(self) -> CommitLane:
        return self._lanes.always if self.config.flush_always else self._lanes.interval

    # ---- committing: the commit lane calls these

    def take_job(self) -> Job | None:
        """Hand over what is pending; one job of a log is under way at a time."""
        if self._in_flight is not None or not (self._pending or self._sync_wanted):
            return None
        steps, self._pending = self._pending, []
        sync = self.config.flush_always or self._sync_wanted
        if not steps and self.active.size:
            steps.append(Write(self.active, self._pin(self.active.path), self.active.size))
        self._in_flight = Job(
            directory=self.directory,
            steps=steps,
            end_offset=self.next_offset,
            size=self._pending_bytes,
            sync=sync,
        )
        self._pending_bytes = 0
        self._sync_wanted = False
        return self._in_flight

    def finish_job(self, job: Job, error: DiskError | None) -> None:
        """Take note of what a job did, and let readers and acknowledgements follow."""
        assert job is self._in_flight
        self._in_flight = None
        if error is not None:
            self._fail(error)
            return
        for step in job.steps:
            self._finish_step(step)
        self.log_end = Offset(job.end_offset)
        if job.sync:
            self._synced_at = self._written_at
            self.synced_end = self.log_end
            self._unsynced_since_ms = None
        elif self._unsynced_since_ms is None:
            self._unsynced_since_ms = self._clock.wall_ms()
        assert self.synced_end <= self.log_end <= self.next_offset
        if self._pending or self._sync_wanted:
            self._lane.touch(self)
        self.on_advance()

    def sync_if_due(self) -> None:
        """Ask for a sync when the oldest unsynced byte is ``flush.ms`` old."""
        since = self._unsynced_since_ms
        if since is not None and self._clock.wall_ms() - since >= self.config.flush_ms:
            self.sync()

    def sync(self) -> None:
        """Ask for a sync of everything written so far."""
        if self.failure is None and self.synced_end < self.next_offset:
            self._sync_wanted = True
            self._lanes.always.touch(self)

    def _finish_step(self, step: Write | Seal) -> None:
        if isinstance(step, Write):
            self._descriptors.unpin(step.segment.path)
            self._written_at = (step.segment, step.position + step.size)
            return
        self._descriptors.unpin(step.segment.path)
        # Sealed means synced, whatever the topic's flush policy.
        self.synced_end = Offset(max(self.synced_end, step.segment.next_offset))
        self._synced_at = (step.segment, step.segment.size)
        step.segment.index = None
        self.on_sealed()

    def _fail(self, error: DiskError) -> None:
        """Forget what is not written, and refuse service until the log is opened again."""
        self.failure = error
        self._pending = []
        self.on_failure(LogFailedError(str(error)))

    # ---- giving space back

    @property
    def sealed(self) -> list[Segment]:
        """The segments that are sealed and synced, in order; their files never change."""
        return [each for each in self.segments[:-1] if each.next_offset <= self.synced_end]

    def release(self, before: Offset) -> list[Segment]:
        """Let go of sealed segments that end by ``before``; the caller removes their files."""
        released: list[Segment] = []
        while len(self.segments) > 1 and self.segments[0].next_offset <= before:
            segment = self.segments.pop(0)
            self._bases.pop(0)
            self._descriptors.forget(segment.path)
            released.append(segment)
        return released

    def raise_log_start(self, offset: Offset) -> None:
        """Move the first offset of the log up; it never goes down (TIER-13)."""
        assert offset <= self.log_end, "the log start passed the log end"
        self.log_start = Offset(max(self.log_start, offset))

    # ---- reading

    @property
    def start(self) -> Offset:
        """First offset that this log can serve."""
        return self.local_start

    @property
    def end(self) -> Offset:
        """Offset after the last one that this log can serve."""
        return self.log_end

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return whole batches from ``offset`` on; at once when they are in the page cache."""
        if not self.local_start <= offset <= self.log_end:
            raise OffsetOutOfRangeError(offset, self.local_start, self.log_end)
        end = min(bounds.end, self.log_end)
        segment = self.segment_at(offset)
        while segment is not None and offset < end:
            limit = self.written_size(segment, end)
            found = self._reader.read(segment, offset, bounds, limit)
            if not isinstance(found, LogSlice) or found:
                return found
            # The rest of this segment holds nothing: compaction leaves such gaps (TIER-20).
            offset = Offset(segment.next_offset)
            segment = self.segment_at(offset)
        return EMPTY_SLICE

    async def newest_timestamp(self) -> int | None:
        """Return the greatest timestamp of the local records."""
        return self._reader.newest_timestamp(self.segments)

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        """Find the first record below ``end`` whose timestamp is at or after ``timestamp_ms``."""
        return await self._reader.find_time(
            [(segment, self.written_size(segment, end)) for segment in self.segments],
            timestamp_ms,
            end,
            self.epochs,
        )

    def segment_at(self, offset: int) -> Segment | None:
        """The segment that holds ``offset``, or the first after a gap; None at the log end."""
        row = bisect_right(self._bases, offset) - 1
        if row < 0:
            return None
        while row < len(self.segments) and self.segments[row].next_offset <= offset:
            row += 1
        return self.segments[row] if row < len(self.segments) else None

    def written_size(self, segment: Segment, end: int) -> int | None:
        """Bytes of the segment that hold batches below ``end``; None when only reading can tell."""
        written_segment, written = self._written_at
        synced_segment, synced = self._synced_at
        if end >= self.log_end:
            return written if segment is written_segment else segment.size
        if end == self.synced_end and segment is synced_segment:
            return synced
        return segment.size if segment.next_offset <= end else None


def _ignore() -> None:
    """Stand in for a callback that nobody has set."""


def _ignore_failure(error: LogFailedError) -> None:
    """Stand in for a callback that nobody has set."""
