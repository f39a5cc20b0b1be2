"""What a follower asks its leader for, and what it is told; values of no protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from everlog.model.errors import RetriableError
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch, Offset
from service.replication.progress import NOWHERE

NO_RECORDS = memoryview(b"")


class LeaderLostError(RetriableError):
    """The leader does not answer, or not in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchAsk:
    """What a follower wants of one partition.

    Attributes:
        leader_epoch: The term in which it follows.
        offset: Of the first record that it lacks.
        last_epoch: Of its last batch; None without one.
        log_start: Where its own log starts.
        durable_end: Below it everything is safe on its disk.
        local_start: From there on it is on its disk.
        high_watermark: What it knows to be committed, if it wants to hear of more at once; None if
            that can wait until there are records.
        skips_archived: Whether it does without what is archived, even if its leader has that on its
            disk, too.
    """

    partition: PartitionId
    leader_epoch: LeaderEpoch
    offset: Offset
    last_epoch: LeaderEpoch | None
    log_start: Offset
    durable_end: Offset
    local_start: Offset
    high_watermark: Offset | None = None
    skips_archived: bool = False


class FetchFault(Enum):
    """Why a leader gives nothing."""

    OTHER_TERM = auto()
    """It does not lead in that term: the cluster's image tells who does, soon."""
    OUT_OF_RANGE = auto()
    """The log does not begin as early, or knows nothing of what the follower has."""
    ARCHIVED = auto()
    """The leader has it in the archive only (KIP-405), or the follower does without it."""
    STORAGE = auto()
    """Its disk or its store fails at the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchAnswer:
    """What a leader has told of one partition.

    Attributes:
        asked: What it is the answer to.
        fault: Why there are no records, if so.
        local_start: Where the log starts on the leader's disk; below it the archive has it.
        diverging: The greatest term that the leader has up to the follower's last one, and where it
            ends in its log; None if the logs agree.
        records: Whole batches, from the asked-for offset on; the follower's to keep.
    """

    asked: FetchAsk
    fault: FetchFault | None = None
    high_watermark: Offset = NOWHERE
    log_start: Offset = NOWHERE
    local_start: Offset = NOWHERE
    diverging: tuple[int, int] | None = None
    records: memoryview = NO_RECORDS

    @property
    def leader_has_it(self) -> bool:
        """Whether the leader has on its disk what was asked for."""
        return self.local_start <= self.asked.offset


class LeaderChannel(Protocol):
    """A way to one other broker."""

    async def fetch(self, asks: Sequence[FetchAsk], *, is_hasty: bool = False) -> list[FetchAnswer]:
        """Ask for several partitions at once; those without news may be left out of the answer.

        Args:
            asks: All that are copied over this channel.
            is_hasty: Whether the leader answers soon, also without news.

        Raises:
            LeaderLostError: There is no answer.
        """
        ...

    def close(self) -> None:
        """Give it up; whoever waits gets a `LeaderLostError`."""
        ...
