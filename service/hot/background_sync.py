"""Seals and syncs that no append waits for: the slow half of a log with ``flush=interval``.

A sync of half a gigabyte takes a second. The log's own jobs only write; what has to reach the
device goes through this second stream of jobs, in the lane of those that sync. Seals come first, in
order, so a sync that has ended covers everything before it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from everlog.model.offsets import Offset
from service.hot.commit_group import CommitLane
from service.hot.segment import Segment
from service.hot.writes import Job, Seal, Write
from service.model.disk import DiskError, File


class WrittenLog(Protocol):
    """The log as it is written so far."""

    directory: str
    log_end: Offset

    @property
    def written_at(self) -> tuple[Segment, int]:
        """Where the log end is."""
        ...


class BackgroundSync:
    """One log's seals and syncs; at most one job is under way.

    Args:
        log: Whose.
        lane: Of jobs that sync.
        pin: Opens a file until the job has ended.
        on_done: Told of a job that has ended, where the log end was when it began, and of its
            error.
    """

    def __init__(
        self,
        log: WrittenLog,
        *,
        lane: CommitLane,
        pin: Callable[[str], File],
        on_done: Callable[[Job, tuple[Segment, int], DiskError | None], None],
    ) -> None:
        self._log = log
        self._lane = lane
        self._pin = pin
        self._on_done = on_done
        self._seals: list[Seal] = []
        self._is_wanted = False
        self._job: Job | None = None
        self._begun_at: tuple[Segment, int] = log.written_at

    @property
    def is_busy(self) -> bool:
        """Whether something has still to reach the device."""
        return self._job is not None or self._is_wanted or bool(self._seals)

    def seal(self, seals: Sequence[Seal]) -> None:
        """Seal segments whose bytes have all been written."""
        self._seals += seals
        self._lane.touch(self)

    def sync(self) -> None:
        """Sync everything that is written by the time the job begins."""
        self._is_wanted = True
        self._lane.touch(self)

    def drop(self) -> list[Seal]:
        """Forget what has not begun; return the seals, whose files are pinned."""
        dropped, self._seals = self._seals, []
        self._is_wanted = False
        return dropped

    def take_job(self) -> Job | None:
        """Hand over what has to be done."""
        if self._job is not None or not (self._seals or self._is_wanted):
            return None
        steps: list[Write | Seal] = [*self._seals]
        self._begun_at = segment, position = self._log.written_at
        failure: DiskError | None = None
        if self._is_wanted and position:
            try:
                steps.append(Write(segment, self._pin(segment.path), position))
            except DiskError as error:
                failure = error
        job = Job(
            directory=self._log.directory,
            steps=steps,
            end_offset=self._log.log_end,
            size=0,
            sync=self._is_wanted,
        )
        self._seals = []
        self._is_wanted = False
        if failure is not None:
            self._on_done(job, self._begun_at, failure)
            return None
        self._job = job
        return job

    def finish_job(self, job: Job, error: DiskError | None) -> None:
        """Take note of the outcome."""
        assert job is self._job
        self._job = None
        self._on_done(job, self._begun_at, error)
        if error is None and self.is_busy:
            self._lane.touch(self)
