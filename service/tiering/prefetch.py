"""Pure: how far ahead of a reader to fetch.

Readers of one log are told apart by where they have to go on. Whoever goes on exactly where a range
ended is reading in order, and each further range that it enters doubles what is fetched ahead.
"""

from collections import OrderedDict

STREAMS_MAX = 64
"""Readers of one log that are remembered."""


class ReadAhead:
    """The readers of one log.

    Args:
        window_max: Ranges that are fetched ahead at most; 0 turns it off.
    """

    def __init__(self, *, window_max: int, streams_max: int = STREAMS_MAX) -> None:
        self._window_max = window_max
        self._streams_max = streams_max
        self._windows: OrderedDict[int, int] = OrderedDict()

    def enter(self, offset: int, range_end: int) -> int:
        """Note a read at ``offset`` in a range that ends at ``range_end``.

        Return how many ranges after it to fetch now; 0 for a reader that was in it before.
        """
        before = self._windows.pop(offset, None)
        if before is None and range_end in self._windows:
            return 0
        window = min(self._window_max, 1 if before is None else 2 * before)
        self._windows[range_end] = max(window, self._windows.get(range_end, 0))
        if len(self._windows) > self._streams_max:
            self._windows.popitem(last=False)
        return window
