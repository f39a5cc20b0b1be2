"""Waiting for what the server promises to show soon, not at once."""

from collections.abc import Callable
from threading import Event

_ROUNDS_MAX = 300
_PAUSE_SECONDS = 0.05


def wait_until_true(question: Callable[[], bool]) -> None:
    """Ask until the answer is yes, for 15 seconds and more."""
    for _ in range(_ROUNDS_MAX):
        if question():
            return
        Event().wait(_PAUSE_SECONDS)
    raise AssertionError("it did not become true in time")
