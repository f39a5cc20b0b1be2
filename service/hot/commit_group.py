"""Group commit: the appends of all partitions of a data directory become durable together (D6).

While one round is being written and synced the next one gathers, so the cost of a sync is shared by
everybody who waits for it. A round writes each touched file once; files are synced side by side by
a few threads, since fdatasync is per file. There are two lanes, so that logs that do not wait for
syncs never queue behind those that do.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from everlog.model.clock import Clock
from service.hot.writes import Job, SyncFailedError
from service.model.disk import Disk, DiskError

FLUSH_THREADS = 8
"""500 files took 69-117 ms to sync one by one and 16-29 ms with eight threads."""

INLINE_BYTES_MAX = 2 * 1024 * 1024
"""So much of a round is written to the page cache on the loop, which takes half a millisecond.

What the loop has just received is still in the cache of its processor, and nobody has to be woken:
8 % more throughput with batches of 1 MB, in the median of four pairs of runs.
"""

SLOW_WRITE_SECONDS = 0.01
"""A write that takes so long has been made to wait for the device: the system has enough dirty
pages. Then threads do the writing for a while, so that nobody else waits."""

THREADS_SECONDS = 1.0


class Committable(Protocol):
    """A log with appends to write."""

    def take_job(self) -> Job | None:
        """Hand over what is pending; None if there is nothing."""
        ...

    def finish_job(self, job: Job, error: DiskError | None) -> None:
        """Take note of the outcome. On an error nothing of the job counts."""
        ...


@dataclass(slots=True)
class RoundStats:
    """What a lane has done; only ever raised.

    Attributes:
        rounds: All of them, and ``threaded_rounds`` those that went to threads.
        jobs: Logs that took part, summed over the rounds.
        threaded_seconds: From the start of a threaded round to its end.
    """

    rounds: int = 0
    threaded_rounds: int = 0
    jobs: int = 0
    threaded_seconds: float = 0.0


class CommitLane:
    """Rounds of one kind of log: at most one is in a thread at a time.

    Attributes:
        stats: What it has done.
    """

    def __init__(
        self,
        *,
        disk: Disk,
        executor: Executor | None,
        on_fatal: Callable[[DiskError], None],
        clock: Clock,
        flush_threads: int = FLUSH_THREADS,
        inline_bytes_max: int = INLINE_BYTES_MAX,
    ) -> None:
        self._disk = disk
        self._executor = executor
        self._on_fatal = on_fatal
        self._clock = clock
        self._flush_threads = flush_threads
        self._inline_bytes_max = inline_bytes_max
        self._waiting: dict[Committable, None] = {}
        self._scheduled = False
        self._running = 0
        self._idle: list[asyncio.Future[None]] = []
        self._inline_from = 0.0
        self._threads_began = 0.0
        self.stats = RoundStats()

    def touch(self, log: Committable) -> None:
        """Let the log take part in the next round, once the loop has read what has arrived."""
        self._waiting[log] = None
        if not self._scheduled and not self._running:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start_round)

    async def drained(self) -> None:
        """Wait until nothing is pending or being written."""
        while self._scheduled or self._running:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def _start_round(self) -> None:
        self._scheduled = False
        logs, self._waiting = self._waiting, {}
        slow: list[tuple[Committable, Job]] = []
        now = self._clock.monotonic()
        inline_left = self._inline_bytes_max if now >= self._inline_from else 0
        for log in logs:
            job = log.take_job()
            if job is None:
                continue
            self.stats.jobs += 1
            error = None
            if job.size <= inline_left and job.is_plain:
                inline_left -= job.size
                error = self._write(job)
            if error is not None or (job.is_written and not job.sync):
                log.finish_job(job, error)
            else:
                slow.append((log, job))
        self.stats.rounds += 1
        if slow:
            self.stats.threaded_rounds += 1
            self._threads_began = now
        for first in range(min(len(slow), self._flush_threads)):
            self._start_thread(slow[first :: self._flush_threads])
        self._wake_if_idle()

    def _write(self, job: Job) -> DiskError | None:
        """Write a job on the loop."""
        began = self._clock.monotonic()
        error = self._outcome(job.write)
        ended = self._clock.monotonic()
        if ended - began > SLOW_WRITE_SECONDS:
            self._inline_from = ended + THREADS_SECONDS
        return error

    def _start_thread(self, share: list[tuple[Committable, Job]]) -> None:
        """Carry out the jobs of one thread of the round."""
        self._running += 1
        jobs = [job for _, job in share]
        future = asyncio.get_running_loop().run_in_executor(
            self._executor,
            lambda: [self._outcome(partial(job.run, self._disk)) for job in jobs],
        )
        future.add_done_callback(lambda done: self._finish_thread(share, done))

    def _finish_thread(
        self,
        share: list[tuple[Committable, Job]],
        done: "asyncio.Future[list[DiskError | None]]",
    ) -> None:
        self._running -= 1
        if done.cancelled():  # the loop is going down
            return
        for (log, job), error in zip(share, done.result(), strict=True):
            log.finish_job(job, error)
        if not self._running:
            now = self._clock.monotonic()
            self.stats.threaded_seconds += now - self._threads_began
            if self._waiting:
                self._start_round()
            self._wake_if_idle()

    def _outcome(self, work: Callable[[], None]) -> DiskError | None:
        """Do some work of a job; return what has gone wrong."""
        try:
            work()
        except SyncFailedError as error:
            self._on_fatal(error)
            return error
        except DiskError as error:
            return error
        except FileNotFoundError as error:
            # Somebody else has removed the directory; the other logs of the round go on.
            return DiskError("write", str(error.filename), "it is gone")
        return None

    def _wake_if_idle(self) -> None:
        if not self._running and not self._scheduled:
            waiters, self._idle = self._idle, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
