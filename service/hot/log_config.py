"""What a log is given by its topic and by its broker."""

from dataclasses import dataclass

from service.hot.cleaning import CleaningRules
from service.hot.commit_group import CommitLane
from service.hot.rolling import RollLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class HotLogConfig:
    """What the topic's configuration means for its local logs.

    Attributes:
        flush_always: Whether a batch counts only once it is synced (``flush.messages=1``).
        flush_ms: Longest time that a written byte stays unsynced otherwise.
        index_interval_bytes: About how far apart the rows of the sparse index are.
        cleaning: How it is compacted; None for a topic that is not.
    """

    roll: RollLimits
    flush_always: bool
    flush_ms: int
    index_interval_bytes: int
    cleaning: CleaningRules | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLanes:
    """The two ways to become durable; a log uses one of them at a time."""

    always: CommitLane
    interval: CommitLane
