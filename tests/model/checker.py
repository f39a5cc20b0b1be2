"""Looks at every state that can be reached, the nearest first, until one is wrong."""

import gc
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

State = TypeVar("State", bound=Hashable)

Step = tuple[object, ...]
"""What happened, and to whom."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search has come to.

    Attributes:
        states: How many different ones were reached.
        is_whole: Whether these are all that can be reached; otherwise the search was cut off.
        fault: What is wrong with the last state of ``trace``; None if nothing was found.
        trace: The steps to it from the start; no shorter way leads to a wrong state.
    """

    states: int
    is_whole: bool
    fault: str | None = None
    trace: tuple[Step, ...] = ()

    def __str__(self) -> str:
        if self.fault is None:
            return f"{self.states:,} states, {'all of them' if self.is_whole else 'cut off'}"
        steps = "\n".join("  " + " ".join(map(str, step)) for step in self.trace)
        return f"{self.fault}, after {len(self.trace)} steps ({self.states:,} states):\n{steps}"


def search(
    start: State,
    steps: Callable[[State], Iterable[tuple[Step, State]]],
    fault_of: Callable[[State], str | None],
    *,
    states_max: int,
) -> Search:
    """Search breadth first.

    Args:
        start: Where everything begins; taken for right.
        steps: Gives what can happen in a state, and the state then.
        fault_of: Says what is wrong with a state.
        states_max: With so many different states the search is cut off.
    """
    # Nothing that is kept here is part of a cycle, and the collector would go through all of it.
    gc.disable()
    try:
        return _search(start, steps, fault_of, states_max)
    finally:
        gc.enable()


def _search(
    start: State,
    steps: Callable[[State], Iterable[tuple[Step, State]]],
    fault_of: Callable[[State], str | None],
    states_max: int,
) -> Search:
    reached: dict[State, tuple[State, Step] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for step, after in steps(state):
            if after in reached:
                continue
            reached[after] = state, step
            fault = fault_of(after)
            if fault is not None:
                way = _way_to(after, reached)
                return Search(len(reached), is_whole=False, fault=fault, trace=way)
            if len(reached) >= states_max:
                return Search(len(reached), is_whole=False)
            waiting.append(after)
    return Search(len(reached), is_whole=True)


def _way_to(state: State, reached: dict[State, tuple[State, Step] | None]) -> tuple[Step, ...]:
    way = []
    while (before := reached[state]) is not None:
        state, step = before
        way.append(step)
    return tuple(reversed(way))
