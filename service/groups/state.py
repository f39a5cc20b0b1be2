"""The five states of a classic group, and how one follows another.

```
          join                all joined            assignment stored
  EMPTY ───────► PREPARING ───────────────► COMPLETING ───────────────► STABLE
    ▲               │  ▲                        │                          │
    └───────────────┘  └────────────────────────┴──────────────────────────┘
      nobody is left       a member joins anew, leaves, or falls silent
```
An empty group is DEAD while it is being deleted (`Group.begin_delete`).
"""

from collections.abc import Mapping
from enum import Enum


class GroupState(Enum):
    """The state of a group; the value is what Kafka's tools print."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


_NEXT: Mapping[GroupState, frozenset[GroupState]] = {
    GroupState.EMPTY: frozenset({GroupState.PREPARING_REBALANCE}),
    GroupState.PREPARING_REBALANCE: frozenset({GroupState.COMPLETING_REBALANCE, GroupState.EMPTY}),
    GroupState.COMPLETING_REBALANCE: frozenset({GroupState.STABLE, GroupState.PREPARING_REBALANCE}),
    GroupState.STABLE: frozenset({GroupState.PREPARING_REBALANCE}),
    GroupState.DEAD: frozenset(),
}


def may_follow(state: GroupState, following: GroupState) -> bool:
    """Return whether the life of a group goes from ``state`` to ``following``."""
    return following in _NEXT[state]
