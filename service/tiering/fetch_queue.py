"""Pure: which fetch goes next, under a budget of bytes and requests.

What somebody has jumped to goes first, then what somebody waits for who reads in order, then what
is fetched ahead; what somebody waits for always finds a part of the budget that nothing else may
take. Among equals the lanes, one for each partition, take turns, so that nobody's scan starves
another's. Scans, but no jumps, also need a permission each.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

RESERVED_SHARE = 4
"""One part in so many of the budget is for what somebody waits for."""


@dataclass(frozen=True, slots=True)
class _Fetch:
    lane: Hashable
    length: int


class _Lanes(Generic[KeyT]):
    """What waits, by lanes that take turns."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[Hashable, OrderedDict[KeyT, _Fetch]] = OrderedDict()
        self._lane_of: dict[KeyT, Hashable] = {}

    def __contains__(self, key: KeyT) -> bool:
        return key in self._lane_of

    def __len__(self) -> int:
        return len(self._lane_of)

    def add(self, key: KeyT, fetch: _Fetch) -> None:
        self._lane_of[key] = fetch.lane
        self._lanes.setdefault(fetch.lane, OrderedDict())[key] = fetch

    def peek(self) -> tuple[KeyT, _Fetch] | None:
        lane = next(iter(self._lanes.values()), None)
        return None if lane is None else next(iter(lane.items()))

    def pop(self, key: KeyT) -> _Fetch:
        name = self._lane_of.pop(key)
        lane = self._lanes[name]
        fetch = lane.pop(key)
        if lane:
            self._lanes.move_to_end(name)
        else:
            del self._lanes[name]
        return fetch


class FetchQueue(Generic[KeyT]):
    """Fetches that wait, and those that are under way.

    Args:
        bytes_max: Bytes under way at a time; a fetch that is larger goes alone.
        fetches_max: Fetches under way at a time.
    """

    def __init__(self, *, bytes_max: int, fetches_max: int) -> None:
        self._bytes_max = bytes_max
        self._fetches_max = fetches_max
        self._jumps: _Lanes[KeyT] = _Lanes()
        self._urgent: _Lanes[KeyT] = _Lanes()
        self._ahead: _Lanes[KeyT] = _Lanes()
        self._running: dict[KeyT, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._jumps) + len(self._urgent) + len(self._ahead)

    def add(
        self, key: KeyT, *, lane: Hashable, length: int, urgent: bool, jump: bool = False
    ) -> None:
        """Take in a fetch that is neither waiting nor under way."""
        waiting = self._jumps if jump else self._urgent if urgent else self._ahead
        waiting.add(key, _Fetch(lane, length))

    def urge(self, key: KeyT) -> None:
        """Note that somebody waits for a fetch now."""
        if key in self._ahead:
            self._urgent.add(key, self._ahead.pop(key))

    def start(self, may_scan: Callable[[int], bool] = lambda _: True) -> Iterator[KeyT]:
        """Yield the fetches that may begin now, and count them as under way.

        Args:
            may_scan: Permits a scan to fetch so many bytes; what it refuses stays where it is.
        """
        while (key := self._next(may_scan)) is not None:
            yield key

    def end(self, key: KeyT) -> None:
        """Give back what a fetch had, or its place in the queue."""
        for waiting in (self._jumps, self._urgent, self._ahead):
            if key in waiting:
                waiting.pop(key)
        self._bytes -= self._running.pop(key, 0)

    def _next(self, may_scan: Callable[[int], bool]) -> KeyT | None:
        waiting = self._jumps or self._urgent or self._ahead
        first = waiting.peek()
        if first is None:
            return None
        key, fetch = first
        share = RESERVED_SHARE if waiting is self._ahead else 0
        if self._running and not self._has_room(fetch.length, share):
            return None
        if waiting is not self._jumps and not may_scan(fetch.length):
            return None
        waiting.pop(key)
        self._running[key] = fetch.length
        self._bytes += fetch.length
        return key

    def _has_room(self, length: int, reserved_share: int) -> bool:
        fetches_max, bytes_max = self._fetches_max, self._bytes_max
        if reserved_share:
            fetches_max -= -(-fetches_max // reserved_share)
            bytes_max -= bytes_max // reserved_share
        return len(self._running) < fetches_max and self._bytes + length <= bytes_max
