"""Pure: which fetch goes next, under a budget of bytes and requests.

What somebody waits for goes before what is fetched ahead, and always finds a part of the budget
that nothing else may take. Among equals the lanes, one for each partition, take turns, so that
nobody's scan starves another's.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
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
        self._urgent: _Lanes[KeyT] = _Lanes()
        self._ahead: _Lanes[KeyT] = _Lanes()
        self._running: dict[KeyT, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._urgent) + len(self._ahead)

    def add(self, key: KeyT, *, lane: Hashable, length: int, urgent: bool) -> None:
        """Take in a fetch that is neither waiting nor under way."""
        (self._urgent if urgent else self._ahead).add(key, _Fetch(lane, length))

    def urge(self, key: KeyT) -> None:
        """Note that somebody waits for a fetch now."""
        if key in self._ahead:
            self._urgent.add(key, self._ahead.pop(key))

    def start(self) -> Iterator[KeyT]:
        """Yield the fetches that may begin now, and count them as under way."""
        while (key := self._next()) is not None:
            yield key

    def end(self, key: KeyT) -> None:
        """Give back what a fetch had, or its place in the queue."""
        for waiting in (self._urgent, self._ahead):
            if key in waiting:
                waiting.pop(key)
        self._bytes -= self._running.pop(key, 0)

    def _next(self) -> KeyT | None:
        waiting = self._urgent or self._ahead
        first = waiting.peek()
        if first is None:
            return None
        key, fetch = first
        share = 0 if waiting is self._urgent else RESERVED_SHARE
        if self._running and not self._has_room(fetch.length, share):
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
