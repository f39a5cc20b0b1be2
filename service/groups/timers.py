"""When to look at which group again."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from service.groups.hosted import HostedGroup

Act = Callable[[HostedGroup], None]


class Timers:
    """The earliest deadline of each group, earliest first. One entry a group, whatever its size.

    Attributes:
        on_earlier: Called when something has to be looked at before everything else.
    """

    def __init__(self, *, on_earlier: Callable[[], None]) -> None:
        self.on_earlier = on_earlier
        self._heap: list[tuple[int, int, HostedGroup, Act]] = []
        self._sequence = count()

    @property
    def earliest_ms(self) -> int | None:
        """When something has to be looked at next."""
        return self._heap[0][0] if self._heap else None

    def arm(self, hosted: HostedGroup, act: Act) -> None:
        """Call ``act`` with the group when its next deadline has passed."""
        at_ms = hosted.group.wake_ms
        scheduled_ms = hosted.scheduled_ms
        if at_ms is None or (scheduled_ms is not None and scheduled_ms <= at_ms):
            return
        hosted.scheduled_ms = at_ms
        is_earliest = not self._heap or at_ms < self._heap[0][0]
        heappush(self._heap, (at_ms, next(self._sequence), hosted, act))
        if is_earliest:
            self.on_earlier()

    def act_on_due(self, now_ms: int) -> None:
        """Act on every group whose deadline has passed."""
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, _, hosted, act = heappop(self._heap)
            # A group that was armed again for an earlier time has left this entry behind.
            if hosted.scheduled_ms == at_ms:
                hosted.scheduled_ms = None
                act(hosted)
