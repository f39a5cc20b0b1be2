"""From kazoo's thread to the event loop: in order, with one wake-up for many."""

import asyncio
from collections import deque
from collections.abc import Callable

Delivery = Callable[[], None]


class Inbox:
    """Runs on the loop what another thread puts in, in that order.

    Without a limit of its own: there is one delivery for each call in flight, for each watch, and
    for each change of the session's state.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._deliveries: deque[Delivery] = deque()
        self._is_announced = False

    def put(self, delivery: Delivery) -> None:
        """Have the loop call ``delivery``; from any thread, never blocks."""
        self._deliveries.append(delivery)
        if self._is_announced:
            return
        self._is_announced = True
        try:
            self.loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            # The loop is closed, so there is nobody left to be told.
            self._deliveries.clear()

    def _deliver(self) -> None:
        # Before the first one is taken out: who puts one in from now on announces it again.
        self._is_announced = False
        for _ in range(len(self._deliveries)):
            self._deliveries.popleft()()
