"""The logs as their clients know them: which record is where, and who has seen it."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.history.anomalies import Anomaly, Kind
from tests.history.operations import DAMAGED, History, Outcome, Partition


@dataclass(slots=True, kw_only=True)
class SeenLog:
    """One partition.

    Attributes:
        values: By offset, as first heard of, from a reader or an acknowledgement that promises.
        epochs: Leader epochs, by offset, of what was read.
        conflicts: What is not the same for all.
        read: Offset of each value that anybody has read.
        read_at_end: Values that the final readers have read.
        others: Values that were read at another offset too.
    """

    values: dict[int, int] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    read: dict[int, int] = field(default_factory=dict)
    read_at_end: set[int] = field(default_factory=set)
    others: dict[int, int] = field(default_factory=dict)
    _sorted: list[int] = field(default_factory=list)

    def known_between(self, after: int, before: int) -> int:
        """Return how many offsets strictly between two are known to have a record."""
        if len(self._sorted) != len(self.values):
            self._sorted = sorted(self.values)
        return bisect_left(self._sorted, before) - bisect_right(self._sorted, after)

    def note_read(self, offsets: Iterable[int], values: Iterable[int]) -> None:
        """Take in what somebody has read."""
        known, read = self.values, self.read
        for offset, value in zip(offsets, values, strict=True):
            if known.setdefault(offset, value) != value:
                self.conflicts.append(f"offset {offset} has {known[offset]} and {value}")
            if read.setdefault(value, offset) != offset:
                self.others[value] = offset

    def note_epochs(self, offsets: Iterable[int], epochs: Iterable[int]) -> None:
        """Take in which leaders wrote what somebody has read."""
        known = self.epochs
        for offset, epoch in zip(offsets, epochs, strict=True):
            if epoch >= 0 and known.setdefault(offset, epoch) != epoch:
                self.conflicts.append(f"offset {offset} is of epochs {known[offset]} and {epoch}")


Logs = dict[Partition, SeenLog]


def seen_logs(history: History) -> Logs:
    """Put together what all clients know of all partitions."""
    logs: defaultdict[Partition, SeenLog] = defaultdict(SeenLog)
    for poll in history.polls:
        log = logs[poll.partition]
        log.note_read(poll.offsets, poll.values)
        log.note_epochs(poll.offsets, poll.epochs)
        if poll.is_final:
            log.read_at_end.update(poll.values)
    for send in history.sends:
        if send.offset is None or not send.is_promised:
            continue
        log = logs[send.partition]
        known = log.values.setdefault(send.offset, send.value)
        if known != send.value:
            log.conflicts.append(f"offset {send.offset} has {known} and {send.value} by its ack")
    return dict(logs)


def conflicts(_: History, logs: Logs) -> Iterator[Anomaly]:
    """Find offsets with two records, or of two leader epochs."""
    for partition, log in logs.items():
        for what in log.conflicts:
            yield Anomaly(Kind.INCONSISTENT_OFFSETS, partition, what)


def duplicates(history: History, logs: Logs) -> Iterator[Anomaly]:
    """Find promised records that are at two offsets, by their readers or by their promise."""
    for send in history.sends:
        log = logs.get(send.partition)
        if (
            send.process in history.disturbed
            or not send.is_promised
            or log is None
            or send.value not in log.read
        ):
            continue
        first = log.read[send.value]
        offsets = {first, log.others.get(send.value, first)}
        offsets |= set() if send.offset is None else {send.offset}
        if len(offsets) > 1:
            what = f"{send.value} of {send.process} is at {sorted(offsets)}"
            yield Anomaly(Kind.DUPLICATE, send.partition, what)


def missing(history: History, logs: Logs) -> Iterator[Anomaly]:
    """Find what was promised and never read."""
    ends = {partition: max(log.read.values(), default=-1) for partition, log in logs.items()}
    for send in history.sends:
        if send.offset is None or not send.is_promised:
            continue
        if send.value not in logs[send.partition].read:
            kind = Kind.LOST_WRITE if send.offset <= ends[send.partition] else Kind.UNSEEN
            what = f"{send.value} of {send.process}, promised at {send.offset}"
            yield Anomaly(kind, send.partition, what)


def vanished(_: History, logs: Logs) -> Iterator[Anomaly]:
    """Find what was read and is gone at the end, where there were final readers."""
    for partition, log in logs.items():
        if not log.read_at_end:
            continue
        for value, offset in log.read.items():
            if value not in log.read_at_end:
                yield Anomaly(Kind.VANISHED, partition, f"{value} was at {offset}")


def strangers(history: History, logs: Logs) -> Iterator[Anomaly]:
    """Find records that nobody sent, or that their producer knows to have failed."""
    sent: defaultdict[Partition, dict[int, Outcome]] = defaultdict(dict)
    for send in history.sends:
        sent[send.partition][send.value] = send.outcome
    for partition, log in logs.items():
        outcomes = sent[partition]
        for value, offset in log.read.items():
            if value not in outcomes:
                what = "damaged bytes" if value == DAMAGED else str(value)
                yield Anomaly(Kind.PHANTOM, partition, f"{what} at {offset}")
            elif outcomes[value] is Outcome.FAILED:
                yield Anomaly(Kind.FAILED_READ, partition, f"{value} at {offset}")


def epochs_going_back(_: History, logs: Logs) -> Iterator[Anomaly]:
    """Find records of a lower leader epoch than one before them in the log."""
    for partition, log in logs.items():
        highest = -1
        for offset in sorted(log.epochs):
            epoch = log.epochs[offset]
            if epoch < highest:
                what = f"offset {offset} is of {epoch}, one before it of {highest}"
                yield Anomaly(Kind.LEADER_EPOCH_REGRESS, partition, what)
            highest = max(highest, epoch)
