"""Keeps a transfer process running, and gives calls to the one that runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from everlog.model.clock import Clock, IdSource
from everlog.model.errors import CorruptionError, EverlogError
from everlog.stores.backoff import RetryPolicy, wait_s
from service.tiering.worker.channel import Answer, Channel, Fields, worker_gone

STEADY_SECONDS = 30.0
"""A worker that has lived so long counts as a good one: the next restart is at once again."""

WAIT_SECONDS_MAX = 10.0
"""A call waits so long for a worker that is being started before it fails."""

RESTART_POLICY = RetryPolicy(transient_wait_s_min=0.1, transient_wait_s_max=10.0, deadline_s=None)

_log = structlog.get_logger(__name__)


class WorkerProcess(Protocol):
    """A process that was started, and the broker's end of its channel."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def reader(self) -> asyncio.StreamReader:
        """What it sends."""
        ...

    @property
    def writer(self) -> asyncio.StreamWriter:
        """What it is sent."""
        ...

    async def ended(self) -> int:
        """Wait for its end, which closing the channel brings about; return its exit status."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


LaunchWorker = Callable[[], Awaitable[WorkerProcess]]
"""Starts a process; raises OSError when it cannot."""


class WorkerSupervisor:
    """Starts the worker, again whenever it ends, ever more slowly if it ends early.

    Args:
        launch: Starts it.
        clean: Removes files that a worker has left; called between the end of one and the next.

    Attributes:
        restarts: How often a worker has ended without being asked to.
        pid: Of the running worker; None while there is none.
    """

    def __init__(
        self,
        launch: LaunchWorker,
        *,
        clean: Callable[[], Awaitable[None]],
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self.restarts = 0
        self.pid: int | None = None
        self._launch = launch
        self._clean = clean
        self._clock = clock
        self._ids = ids
        self._channel: Channel | None = None
        self._started = asyncio.Event()

    async def run(self) -> None:
        """Supervise until cancelled; the worker then ends, too."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                process = await self._launch()
            except OSError as error:
                _log.error("transfer_worker_not_started", reason=str(error))
            else:
                status = await self._attend(process)
                _log.error("transfer_worker_ended", pid=process.pid, status=status)
                await self._clear_up()
            self.restarts += 1
            failures = 0 if self._clock.monotonic() - began > STEADY_SECONDS else failures + 1
            wait = wait_s(
                RESTART_POLICY,
                failures=max(failures, 1),
                throttled=False,
                chance=self._ids.uniform(),
            )
            await asyncio.sleep(wait)

    async def call(self, op: str, fields: Fields, body: bytes = b"") -> Answer:
        """Make a call to the worker that is running, or is about to.

        Raises:
            StoreUnavailableError: There is none, or it ended during the call.
            EverlogError: Whatever the call raised over there.
        """
        channel = self._channel
        if channel is None:
            try:
                async with asyncio.timeout(WAIT_SECONDS_MAX):
                    await self._started.wait()
            except TimeoutError as error:
                raise worker_gone(op) from error
            channel = self._channel
        if channel is None:
            raise worker_gone(op)
        return await channel.call(op, fields, body)

    async def _serve(self, channel: Channel) -> None:
        try:
            await channel.run()
        except CorruptionError as error:
            # A worker that talks nonsense is ended, and another one is started.
            _log.error("transfer_worker_defect", reason=str(error))
        finally:
            # From now on calls wait for the next worker.
            self._channel, self.pid = None, None
            self._started.clear()

    async def _clear_up(self) -> None:
        try:
            await self._clean()
        except EverlogError as error:
            # The next worker needs none of it; it is tried again when that one ends.
            _log.warning("transfer_files_not_removed", reason=str(error))

    async def _attend(self, process: WorkerProcess) -> int:
        """Serve calls through a worker until it ends; return its exit status."""
        channel = Channel(process.reader, process.writer)
        self._channel, self.pid = channel, process.pid
        self._started.set()
        _log.info("transfer_worker_started", pid=process.pid)
        try:
            await self._serve(channel)
            return await process.ended()
        finally:
            channel.close()
            process.kill()
            await process.ended()
