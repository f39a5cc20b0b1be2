"""UnifiedLog: one log out of two tiers; what is below the local start comes from the cold one."""

from collections.abc import Awaitable

from everlog.model.offsets import Offset
from service.model.log import (
    LogReader,
    LogSlice,
    OffsetOutOfRangeError,
    ReadBounds,
    TimestampOffset,
)


class UnifiedLog:
    """A `LogReader` that picks the tier.

    Args:
        hot: What is on this disk.
        cold: What is in the object store; None for a topic that is not tiered.
    """

    def __init__(self, *, hot: LogReader, cold: LogReader | None) -> None:
        self.hot = hot
        self.cold = cold

    @property
    def start(self) -> Offset:
        """First offset of either tier."""
        if self.cold is None or self.cold.start == self.cold.end:
            return self.hot.start
        return min(self.cold.start, self.hot.start)

    @property
    def end(self) -> Offset:
        """Log end; only the hot tier has it."""
        return self.hot.end

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        if offset >= self.hot.start:
            return self.hot.read(offset, bounds)
        if self.cold is None or not self.cold.start <= offset < self.cold.end:
            raise OffsetOutOfRangeError(offset, self.start, self.end)
        return self.cold.read(offset, bounds)

    async def newest_timestamp(self) -> int | None:
        hot = await self.hot.newest_timestamp()
        cold = None if self.cold is None else await self.cold.newest_timestamp()
        return max((each for each in (hot, cold) if each is not None), default=None)

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        if self.cold is not None:
            found = await self.cold.find_time(timestamp_ms, min(end, self.hot.start))
            if found is not None:
                return found
        return await self.hot.find_time(timestamp_ms, end)
