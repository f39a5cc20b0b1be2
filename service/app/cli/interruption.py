"""How a command is stopped: SIGTERM is what Ctrl-C is, so that nothing is left half done."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block on SIGTERM, too; a group's member leaves its group."""
    with _handling(signal.default_int_handler, signal.SIGTERM):
        yield


class Stop:
    """A wish to stop, noted on SIGINT and SIGTERM.

    The client library does not survive an exception in a callback, so one is raised only where
    nobody but the input is waited for.

    Attributes:
        is_asked: Whether somebody wishes it.
        may_raise: Whether KeyboardInterrupt is raised, too.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self.may_raise = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Take note in the block."""
        with _handling(self._take, signal.SIGINT, signal.SIGTERM):
            yield

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.is_asked = True
        if self.may_raise:
            self.may_raise = False
            raise KeyboardInterrupt


@contextmanager
def _handling(take: Callable[[int, FrameType | None], Any], *numbers: int) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        # What is ignored stays so: a shell starts what runs in the background like that.
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, take)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
