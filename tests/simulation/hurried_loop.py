"""An event loop whose seconds are shorter than the world's: real files and threads, no waits."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

PACE = 100
"""Seconds of the loop in one of the world."""


class _HurriedSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> Any:
        return super().select(None if timeout is None else timeout / PACE)


class HurriedLoop(asyncio.SelectorEventLoop):
    """A loop that waits a hundredth of what it is told to."""

    def __init__(self) -> None:
        super().__init__(_HurriedSelector())

    def time(self) -> float:
        return super().time() * PACE


def run_hurried(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        return runner.run(main())
