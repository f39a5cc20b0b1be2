"""How far the tier of one partition is behind its local log, in bytes and in time.

Sealed segments wait for their upload. With slices (``remote.copy.lag.max.ms``) everything does that
is in the log, and these figures tell what a lost disk would cost.
"""

from everlog.model.clock import Clock
from everlog.model.offsets import Offset
from service.hot.log import HotLog
from service.tiering.copy_lag import CopyLag
from service.tiering.planner import UploadPlan


class PartitionLag:
    """The lag of one partition, for all who ask."""

    __slots__ = ("_clock", "_copy_lag", "_cut")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._copy_lag: CopyLag | None = None
        self._cut = (Offset(0), 0)

    def look(self, hot: HotLog) -> None:
        """Take note of where a log ends, often, or its slices come late."""
        now = self._clock.monotonic()
        if self._copy_lag is None:
            self._copy_lag = CopyLag(log_end=hot.log_end, now=now)
        else:
            self._copy_lag.look(log_end=hot.log_end, now=now)

    def note_commit(self, plan: UploadPlan) -> None:
        """Take note of where in a segment the tier ends now."""
        last = plan.ranges[-1]
        self._cut = plan.offsets.end, last.position + last.length

    def is_slice_due(self, hot: HotLog, tiered_end: Offset, *, lag_ms_max: int) -> bool:
        """Whether what waits has to go up although its segment is not sealed."""
        return self._copy_lag is not None and self._copy_lag.is_due(
            tiered_end=tiered_end,
            log_end=hot.log_end,
            now=self._clock.monotonic(),
            lag_s_max=lag_ms_max / 1000,
        )

    def bytes(self, hot: HotLog, tiered_end: Offset, *, with_slices: bool) -> int:
        """Return how many bytes wait."""
        segments = hot.segments if with_slices else hot.sealed
        waiting = [each for each in segments if each.next_offset > tiered_end]
        end, position = self._cut
        is_cut = bool(waiting) and end == tiered_end > waiting[0].base_offset
        return sum(each.size for each in waiting) - (position if is_cut else 0)

    def ms(self, hot: HotLog, tiered_end: Offset, *, with_slices: bool, now_ms: int) -> int:
        """Return the age of the oldest record, or of the oldest sealed segment, that waits."""
        if with_slices and self._copy_lag is not None:
            age_s = self._copy_lag.age_s(
                tiered_end=tiered_end, log_end=hot.log_end, now=self._clock.monotonic()
            )
            return int(age_s * 1000)
        oldest = next((each for each in hot.sealed if each.next_offset > tiered_end), None)
        if oldest is None or oldest.first_append_ms is None:
            return 0
        return max(0, now_ms - oldest.first_append_ms)
