"""What a round does on the loop, and what it hands to threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from typing_extensions import override

from service.hot.commit_group import SLOW_WRITE_SECONDS, THREADS_SECONDS, CommitLane
from service.hot.segment import Segment
from service.hot.writes import Job, Write
from service.model.disk import Buffer, DiskError
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk

DIRECTORY = "/data"
INLINE_BYTES_MAX = 100


class CountingExecutor(ThreadPoolExecutor):
    """Counts what it is handed."""

    handed = 0

    @override
    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.handed += 1
        return super().submit(*args, **kwargs)


class ScriptedFile:
    """Takes a while for a write, or fails; notes what happens to it."""

    def __init__(self, clock: ManualClock) -> None:
        self.happened: list[str] = []
        self.write_ms = 0
        self.failure: DiskError | None = None
        self._clock = clock

    def write_at(self, position: int, buffers: Sequence[Buffer]) -> int:
        del position
        self._clock.advance(self.write_ms)
        if self.failure is not None:
            raise self.failure
        self.happened.append("write")
        return sum(map(len, buffers))

    def sync(self) -> None:
        self.happened.append("sync")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AssertionError(name)


class Ground:
    """A lane over one scripted file, and a log that has written what it was told to."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.file = ScriptedFile(self.clock)
        self.executor = CountingExecutor(1)
        self.lane = CommitLane(
            disk=SimDisk(),
            executor=self.executor,
            on_fatal=lambda error: pytest.fail(str(error)),
            clock=self.clock,
            inline_bytes_max=INLINE_BYTES_MAX,
        )
        self.finished: list[DiskError | None] = []
        self._next: Job | None = None

    async def write(self, size: int, *, sync: bool = False, is_new: bool = False) -> None:
        """Let one write pass through the lane."""
        segment = Segment(DIRECTORY, 0)
        step = Write(segment, self.file, 0, [bytes(size)], size, is_new)
        self._next = Job(directory=DIRECTORY, steps=[step], end_offset=1, size=size, sync=sync)
        self.lane.touch(self)
        await self.lane.drained()

    def take_job(self) -> Job | None:
        job, self._next = self._next, None
        return job

    def finish_job(self, job: Job, error: DiskError | None) -> None:
        del job
        self.finished.append(error)


@pytest.fixture
def ground() -> Ground:
    return Ground()


async def test_a_small_write_needs_no_thread(ground: Ground) -> None:
    await ground.write(INLINE_BYTES_MAX)
    assert (ground.executor.handed, ground.file.happened) == (0, ["write"])


async def test_a_small_write_is_synced_in_a_thread_and_written_once(ground: Ground) -> None:
    await ground.write(INLINE_BYTES_MAX, sync=True)
    assert (ground.executor.handed, ground.file.happened) == (1, ["write", "sync"])
    assert ground.finished == [None]


async def test_a_write_that_failed_is_not_synced(ground: Ground) -> None:
    ground.file.failure = DiskError("write", DIRECTORY, "no")
    await ground.write(1, sync=True)
    assert (ground.executor.handed, ground.file.happened) == (0, [])
    assert ground.finished == [ground.file.failure]


async def test_a_large_write_goes_to_a_thread(ground: Ground) -> None:
    await ground.write(INLINE_BYTES_MAX + 1)
    assert (ground.executor.handed, ground.file.happened) == (1, ["write"])


async def test_after_a_slow_write_threads_write_for_a_while(ground: Ground) -> None:
    ground.file.write_ms = int(SLOW_WRITE_SECONDS * 1000) + 1
    await ground.write(1)
    ground.file.write_ms = 0
    await ground.write(1)
    assert ground.executor.handed == 1
    ground.clock.advance(int(THREADS_SECONDS * 1000))
    await ground.write(1)
    assert ground.executor.handed == 1
