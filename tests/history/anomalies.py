"""What may not be in a history, each with the name that Jepsen's Kafka workload has for it."""

from enum import Enum
from typing import NamedTuple

from tests.history.operations import Partition


class Kind(Enum):
    INCONSISTENT_OFFSETS = "inconsistent-offsets"
    """Two records, or two leader epochs, at one offset."""
    DUPLICATE = "duplicate"
    """One record at two offsets."""
    REPEATED_SEQUENCE = "repeated-sequence"
    """Two batches of a producer's epoch have one sequence number, or one is left out."""
    LOST_WRITE = "lost-write"
    """Acknowledged, and passed over by whoever has read beyond it."""
    UNSEEN = "unseen"
    """Acknowledged, and nobody has read so far."""
    VANISHED = "vanished"
    """Read once, and not there at the end."""
    PHANTOM = "phantom"
    """Read, and sent by nobody."""
    FAILED_READ = "failed-read"
    """Read, although its producer was told that it was not taken."""
    POLL_SKIP = "poll-skip"
    NONMONOTONIC_POLL = "nonmonotonic-poll"
    OUT_OF_RANGE = "out-of-range"
    """A reader of what is kept for ever was told that it is not there."""
    NONMONOTONIC_SEND = "nonmonotonic-send"
    REALTIME_REORDER = "realtime-reorder"
    """It has an offset below one that was acknowledged before it was sent."""
    HIGH_WATERMARK_REGRESS = "high-watermark-regress"
    LOG_START_REGRESS = "log-start-regress"
    LEADER_EPOCH_REGRESS = "leader-epoch-regress"
    TWO_OWNERS = "two-owners"
    """Two members of a generation have one partition."""
    COMMITTED_UNREAD = "committed-unread"
    """A group has committed beyond what its members were given."""
    COMMIT_LOST = "commit-lost"
    """A group goes on before where it had committed."""
    COMMIT_PHANTOM = "commit-phantom"
    """A group goes on where nobody has committed."""
    REPLICA_DIVERGENCE = "replica-divergence"
    """Below the high watermark, replicas have other bytes."""
    REPLICA_GAP = "replica-gap"
    """A log lacks offsets between two that it has, or overlaps itself."""
    BUCKET = "bucket"
    """The archive lacks what it says it has, or has what nobody accounts for."""


class Anomaly(NamedTuple):
    kind: Kind
    partition: Partition | None
    what: str

    def __str__(self) -> str:
        where = "" if self.partition is None else f" {self.partition.topic}-{self.partition.number}"
        return f"{self.kind.value}{where}: {self.what}"
