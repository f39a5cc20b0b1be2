"""What opening a log directory has found."""

from dataclasses import dataclass

from everlog.model.ids import PartitionId
from service.hot.leader_epochs import LeaderEpochs
from service.hot.producer_state import ProducerStates
from service.hot.segment import Segment
from service.hot.tear import Known


@dataclass(slots=True, kw_only=True)
class Cut:
    """What was cut off a log, in words that help whoever has to explain it.

    Attributes:
        offset: The first one that is not there any more.
        size: Bytes behind it in its segment.
        saved_as: Where they are, if they may be of use.
        segments: Later segments that were set aside as a whole.
    """

    path: str
    offset: int
    size: int
    reason: str
    saved_as: str | None = None
    segments: int = 0


@dataclass(slots=True)
class RecoveredLog:
    """What opening a directory found: the state that a `HotLog` starts from.

    Attributes:
        known: What was known of it before.
        segments: In order of offsets; the last one is active. Empty when the log is new.
        producers_end: Batches below it were in the snapshot of producers.
        cut: Of the torn tail that was cut off.
    """

    partition: PartitionId
    directory: str
    log_start: int
    segments: list[Segment]
    epochs: LeaderEpochs
    producers: ProducerStates
    known: Known
    producers_end: int = 0
    cut: Cut | None = None

    @property
    def end(self) -> int:
        """Offset of the next append."""
        return self.segments[-1].next_offset if self.segments else self.log_start

    @property
    def cut_bytes(self) -> int:
        """Bytes that were cut off the segment that was torn."""
        return 0 if self.cut is None else self.cut.size
