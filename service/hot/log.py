"""HotLog: the local log of one partition, and the only writer of its files.

An append gets its offset and its place in the file at once, on the event loop; the commit group
writes it. So there are three ends, and they never overtake each other::

    synced_end <= log_end <= next_offset
    (durable)     (written)  (assigned)

Readers see only what is written. What was assigned and not written when a write fails is rolled
back, and the log serves nothing until it is opened again (REL-Y1).
"""

from collections.abc import Awaitable, Callable, Sequence

from everlog.model.clock import Clock
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import BatchHeader, stamp
from service.hot.background_sync import BackgroundSync
from service.hot.commit_group import CommitLane
from service.hot.descriptors import Descriptors
from service.hot.layout import LEADER_EPOCHS
from service.hot.leader_epochs import encode_epochs
from service.hot.log_config import CommitLanes, HotLogConfig
from service.hot.log_reading import LogReading
from service.hot.pending import PendingSteps
from service.hot.recovered_log import RecoveredLog
from service.hot.replicated_batches import check_replicated, end_of_run
from service.hot.rolling import is_due, must_roll_for
from service.hot.segment import Segment
from service.hot.segment_list import SegmentList
from service.hot.segment_reader import SegmentReader
from service.hot.sparse_index import encode_index
from service.hot.writes import Job, Seal, Write
from service.model.disk import DiskError
from service.model.log import LogFailedError, LogSlice, ReadBounds, TimestampOffset


class HotLog:
    """One partition's local log. Everything here runs on the event loop.

    Attributes:
        on_advance: Called after `log_end` or `synced_end` has risen.
        on_failure: Called once when the disk has refused a write.
        on_change: Called when a segment has been sealed and synced, or records were deleted.
        on_cleanable: Called at a seal, too, if the topic is compacted.
        committed_end: Tells the offset up to which nothing can be undone any more.
        is_held: Whether segments are just being replaced; none is released meanwhile.
        written_at: Where the log end is: a segment, and bytes of it.
        synced_at: Where the synced end is.
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
        self.on_advance: Callable[[], None] = lambda: None
        self.on_failure: Callable[[LogFailedError], None] = lambda _: None
        self.on_change: Callable[[], None] = lambda: None
        self.on_cleanable: Callable[[], None] = lambda: None
        self.committed_end: Callable[[], Offset] = lambda: self.durable_end
        self.is_held = False
        self._descriptors = descriptors
        self._lanes = lanes
        self._clock = clock
        self._list = SegmentList(found.segments or [Segment(found.directory, found.log_start)])
        self._reading = LogReading(self, self._list, reader)
        # May lie below the local start: then the archive holds what is between them.
        self.log_start = Offset(found.log_start)
        self.next_offset = self.log_end = self.synced_end = Offset(self.active.next_offset)
        self.written_at = self.synced_at = (self.active, self.active.size)
        self._unsynced_since_ms: int | None = None
        self._pending = PendingSteps(descriptors)
        self._in_flight: Job | None = None
        self._seals_after: list[Seal] = []
        self._background = BackgroundSync(
            self, lane=lanes.always, pin=descriptors.pin, on_done=self._finish_background
        )

    @property
    def segments(self) -> Sequence[Segment]:
        """The local segments, in order."""
        return self._list.all

    @property
    def active(self) -> Segment:
        """The segment that takes appends."""
        return self._list.all[-1]

    @property
    def local_start(self) -> Offset:
        """First offset that is on this disk."""
        return Offset(self._list.all[0].base_offset)

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
        return self._in_flight is not None or bool(self._pending) or self._background.is_busy

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
        size = len(batch)
        segment = self._segment_for(size, last_offset)
        self._pending.write(segment, batch, size)
        segment.add(
            last_offset + 1,
            size,
            header.max_timestamp,
            base_offset=base_offset,
            interval=self.config.index_interval_bytes,
        )
        self.epochs.note(leader_epoch, base_offset)
        if header.producer_id >= 0:
            self.producers.note(header, base_offset, now_ms=self._clock.wall_ms())
        self.next_offset = Offset(last_offset + 1)
        self._lane.touch(self)
        return base_offset

    def append_replicated(
        self, records: bytearray | memoryview, *, term: LeaderEpoch | None = None
    ) -> Offset:
        """Take over whole batches of the leader, byte for byte; return the new `next_offset`.

        All are checked before the first is taken. The buffer is the log's until it is written.

        Raises:
            DamagedBatchError, OutOfOrderBatchError, StraddlingBatchError: See `check_replicated`.
            LogFailedError: The disk has refused an earlier write.
            DiskError: A segment file could not be made; what went to the ones before stays.
        """
        if self.failure is not None:
            raise LogFailedError(str(self.failure))
        headers = check_replicated(
            records, next_offset=self.next_offset, latest_epoch=self.epochs.latest, term=term
        )
        view, row, position = memoryview(records), 0, 0
        while row < len(headers):
            segment = self._segment_for(headers[row].size, headers[row].next_offset - 1)
            end_row = end_of_run(headers, row, segment, self.config.roll)
            run = headers[row:end_row]
            size = sum(header.size for header in run)
            self._pending.write(segment, view[position : position + size], size)
            for header in run:
                self._take_over(segment, header)
            self._lane.touch(self)
            row, position = end_row, position + size
        return self.next_offset

    def _take_over(self, segment: Segment, header: BatchHeader) -> None:
        segment.add(
            header.next_offset,
            header.size,
            header.max_timestamp,
            base_offset=header.base_offset,
            interval=self.config.index_interval_bytes,
        )
        self.epochs.note(header.leader_epoch, header.base_offset)
        if header.producer_id >= 0 and not header.is_control:
            self.producers.note(header, header.base_offset, now_ms=self._clock.wall_ms())
        self.next_offset = Offset(header.next_offset)

    def roll_if_due(self) -> bool:
        """Seal the active segment if ``segment.ms`` has passed since its first append."""
        if self.failure is not None or self.active.size == 0:
            return False
        since, now_ms = self.active.first_append_ms, self._clock.wall_ms()
        if not is_due(self.config.roll, first_append_ms=since, now_ms=now_ms):
            return False
        self.roll()
        return True

    def roll(self) -> None:
        """Seal the active segment, which is not empty, and begin the next one."""
        sealed, successor = self.active, Segment(self.directory, self.next_offset)
        assert sealed.index is not None, "an empty segment is not sealed"
        self._pending.seal(
            Seal(
                segment=sealed,
                file=self._descriptors.pin(sealed.path),
                index=encode_index(sealed.index, sealed.summary()),
                epochs=encode_epochs(self.epochs),
                epochs_path=f"{self.directory}/{LEADER_EPOCHS}",
                producers=self.producers.encode(self.next_offset),
                producers_path=successor.producers_path,
            )
        )
        self._list.append(successor)
        self._lane.touch(self)

    def _segment_for(self, size: int, last_offset: int) -> Segment:
        """Return the segment that takes a batch: the active one, or the next if that is full."""
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
        return segment

    @property
    def _lane(self) -> CommitLane:
        return self._lanes.always if self.config.flush_always else self._lanes.interval

    # ---- committing: the commit lane calls these

    def take_job(self) -> Job | None:
        """Hand over what is pending; one job of a log is under way at a time."""
        if self._in_flight is not None or not self._pending:
            return None
        sync = self.config.flush_always
        if sync and self._background.is_busy:
            return None  # the topic's policy has changed: what went before has to be durable first
        steps, size = self._pending.take()
        if not sync:
            # Nobody waits for a seal, so it does not hold up what comes after it.
            self._seals_after = [step for step in steps if isinstance(step, Seal)]
            steps = [step for step in steps if isinstance(step, Write)]
        self._in_flight = Job(
            directory=self.directory,
            steps=steps,
            end_offset=self.next_offset,
            size=size,
            sync=sync,
        )
        return self._in_flight

    def finish_job(self, job: Job, error: DiskError | None) -> None:
        """Take note of what a job did, and let readers and acknowledgements follow."""
        assert job is self._in_flight
        self._in_flight = None
        if error is not None:
            self._fail(error, job)
            return
        for step in job.steps:
            self._finish_step(step)
        self.log_end = Offset(job.end_offset)
        if job.sync:
            self._note_synced(self.log_end, self.written_at)
        elif self._unsynced_since_ms is None:
            self._unsynced_since_ms = self._clock.wall_ms()
        if self._seals_after:
            seals, self._seals_after = self._seals_after, []
            self._background.seal(seals)
        if self._pending:
            self._lane.touch(self)
        self.on_advance()

    def sync_if_due(self) -> None:
        """Ask for a sync when the oldest unsynced byte is ``flush.ms`` old."""
        since = self._unsynced_since_ms
        if since is not None and self._clock.wall_ms() - since >= self.config.flush_ms:
            self._unsynced_since_ms = None
            self.sync()

    def sync(self) -> None:
        """Ask for a sync of everything written so far."""
        if self.failure is None and self.synced_end < self.log_end:
            self._background.sync()

    def _finish_background(
        self, job: Job, begun_at: tuple[Segment, int], error: DiskError | None
    ) -> None:
        if error is not None:
            self._fail(error, job)
            return
        for step in job.steps:
            if isinstance(step, Seal):
                self._finish_step(step)
            else:
                self._descriptors.unpin(step.file)
        if job.sync:
            self._note_synced(Offset(job.end_offset), begun_at)
        self._lane.touch(self)
        self.on_advance()

    def _note_synced(self, end: Offset, at: tuple[Segment, int]) -> None:
        if end >= self.synced_end:
            self.synced_end, self.synced_at = end, at
        if self.synced_end == self.log_end:
            self._unsynced_since_ms = None
        elif self._unsynced_since_ms is None:
            self._unsynced_since_ms = self._clock.wall_ms()
        assert self.synced_end <= self.log_end <= self.next_offset

    def _finish_step(self, step: Write | Seal) -> None:
        self._descriptors.unpin(step.file)
        if isinstance(step, Write):
            self.written_at = (step.segment, step.position + step.size)
            return
        # Sealed means synced, whatever the topic's flush policy.
        if step.segment.next_offset >= self.synced_end:
            self.synced_end = Offset(step.segment.next_offset)
            self.synced_at = (step.segment, step.segment.size)
        step.segment.index = None
        self.on_change()
        if self.config.cleaning is not None:
            self.on_cleanable()

    def _fail(self, error: DiskError, job: Job) -> None:
        """Forget what is not written, and refuse service until the log is opened again."""
        self._pending.drop((*job.steps, *self._seals_after, *self._background.drop()))
        self._seals_after = []
        if self.failure is None:
            self.failure = error
            self.on_failure(LogFailedError(str(error)))

    # ---- giving space back

    @property
    def sealed(self) -> list[Segment]:
        """The segments that are sealed and synced, in order; their files never change."""
        return [each for each in self.segments[:-1] if each.next_offset <= self.synced_end]

    def release(self, before: Offset) -> list[Segment]:
        """Let go of sealed segments that end by ``before``; the caller removes their files."""
        released = [] if self.is_held else self._list.remove_first(before)
        for segment in released:
            self._descriptors.forget(segment.path)
        return released

    def replace_segments(self, old: Sequence[Segment], new: Segment) -> None:
        """Take on a segment whose file has just taken the place of adjacent sealed ones.

        Whoever reads an old file has it pinned and reads on.
        """
        assert self.is_held, "segments that may be released meanwhile are not replaced"
        assert new.next_offset <= self.synced_end, "only sealed segments are replaced"
        self._list.replace(old, new)
        for segment in old:
            self._descriptors.forget(segment.path)
        if self.synced_at[0] is old[-1]:
            self.synced_at = (new, new.size)
        if self.written_at[0] is old[-1]:
            self.written_at = (new, new.size)

    def raise_log_start(self, offset: Offset) -> None:
        """Move the first offset of the log up; it never goes down (TIER-13)."""
        assert offset <= self.log_end, "the log start passed the log end"
        self.log_start = Offset(max(self.log_start, offset))

    # ---- reading

    @property
    def start(self) -> Offset:
        return self.local_start

    @property
    def end(self) -> Offset:
        return self.log_end

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        return self._reading.read(offset, bounds)

    async def newest_timestamp(self) -> int | None:
        return self._reading.newest_timestamp()

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        return await self._reading.find_time(timestamp_ms, end)
