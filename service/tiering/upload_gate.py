"""Where uploads wait until they may begin."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from everlog.model.clock import Clock
from service.tiering.upload_queue import Ticket, UploadLimits, UploadQueue


class UploadGate:
    """Lets uploads through as `UploadQueue` has it."""

    def __init__(self, limits: UploadLimits, *, clock: Clock) -> None:
        self._queue = UploadQueue(limits)
        self._clock = clock
        self._entrances: dict[Ticket, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def uploads(self) -> int:
        """Objects on their way."""
        return len(self._queue.uploads)

    @property
    def bytes(self) -> int:
        """Bytes of those."""
        return self._queue.bytes

    @property
    def waiting(self) -> int:
        """Objects that wait for others."""
        return len(self._queue.waiting)

    @asynccontextmanager
    async def admitted(
        self, partition: Hashable, *, size: int, since_ms: int
    ) -> AsyncIterator[None]:
        """Wait until an upload may begin; it counts until the block is left."""
        now = self._clock.monotonic()
        ticket = self._queue.ask(partition, size=size, since_ms=since_ms, now=now)
        entrance = self._entrances[ticket] = asyncio.get_running_loop().create_future()
        try:
            self._admit()
            await entrance
            yield
        finally:
            self._entrances.pop(ticket, None)
            self._queue.leave(ticket)
            self._admit()

    def _admit(self) -> None:
        now = self._clock.monotonic()
        for ticket in self._queue.admitted(now):
            entrance = self._entrances.pop(ticket)
            if not entrance.done():  # one that was cancelled just now leaves by itself
                entrance.set_result(None)
        free_at = self._queue.free_at
        if free_at is not None and free_at > now and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(free_at - now, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._admit()
