"""One log out of two tiers."""

from collections.abc import Awaitable
from dataclasses import dataclass

import pytest

from everlog.model.offsets import Offset
from service.model.log import LogSlice, OffsetOutOfRangeError, ReadBounds, TimestampOffset
from service.partition.unified_log import UnifiedLog

BOUNDS = ReadBounds(end=Offset(100), bytes_max=1, at_least_one=True)


@dataclass
class Tier:
    """A log whose records have their offsets for timestamps."""

    name: bytes
    start: Offset
    end: Offset

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        assert self.start <= offset <= self.end
        return LogSlice(self.name)

    async def newest_timestamp(self) -> int | None:
        return self.end - 1 if self.end > self.start else None

    async def find_time(self, timestamp_ms: int, end: Offset) -> TimestampOffset | None:
        found = max(self.start, timestamp_ms)
        if found >= min(end, self.end):
            return None
        return TimestampOffset(found, Offset(found), None)


def log(hot: tuple[int, int], cold: tuple[int, int] | None = None) -> UnifiedLog:
    return UnifiedLog(
        hot=Tier(b"hot", Offset(hot[0]), Offset(hot[1])),
        cold=None if cold is None else Tier(b"cold", Offset(cold[0]), Offset(cold[1])),
    )


@pytest.mark.parametrize(
    ("offset", "tier"), [(10, b"cold"), (29, b"cold"), (30, b"hot"), (45, b"hot"), (60, b"hot")]
)
def test_what_is_on_this_disk_is_read_from_it(offset: int, tier: bytes) -> None:
    assert log((30, 60), (10, 50)).read(Offset(offset), BOUNDS) == LogSlice(tier)


@pytest.mark.parametrize("cold", [None, (10, 10), (10, 20)])
def test_what_neither_tier_holds_is_refused(cold: tuple[int, int] | None) -> None:
    with pytest.raises(OffsetOutOfRangeError):
        log((30, 60), cold).read(Offset(25), BOUNDS)


@pytest.mark.parametrize(
    ("cold", "start"), [(None, 30), ((0, 0), 30), ((10, 30), 10), ((40, 50), 30)]
)
def test_the_log_starts_where_either_tier_does(cold: tuple[int, int] | None, start: int) -> None:
    assert (log((30, 60), cold).start, log((30, 60), cold).end) == (start, 60)


@pytest.mark.parametrize(("wanted", "found"), [(0, 10), (25, 25), (35, 35), (59, 59), (60, None)])
async def test_a_time_is_looked_for_in_the_older_tier_first(wanted: int, found: int | None) -> None:
    place = await log((30, 60), (10, 50)).find_time(wanted, Offset(100))
    assert (None if place is None else place.offset) == found


async def test_the_newest_time_is_that_of_either_tier() -> None:
    assert await log((30, 60), (10, 50)).newest_timestamp() == 59
    assert await log((30, 30), (10, 30)).newest_timestamp() == 29
    assert await log((0, 0)).newest_timestamp() is None
