"""The order of things: what one client did one after the other, and what all did in real time."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from tests.history.anomalies import Anomaly, Kind
from tests.history.operations import Bounds, History, Partition, Send
from tests.history.records_seen import Logs


def polls_out_of_order(history: History, logs: Logs) -> Iterator[Anomaly]:
    """Find readers that were given records twice, backwards, or with one left out."""
    last: dict[tuple[str, Partition, int], int] = {}
    for poll in history.polls:
        key = (poll.process, poll.partition, poll.assignment)
        previous = last.get(key)
        for offset in poll.offsets:
            # The usual case first: there are millions.
            if previous is not None and offset != previous + 1:
                if offset <= previous:
                    what = f"{poll.process} was given {offset} after {previous}"
                    yield Anomaly(Kind.NONMONOTONIC_POLL, poll.partition, what)
                elif left_out := logs[poll.partition].known_between(previous, offset):
                    what = f"{poll.process} was given {offset} after {previous}: {left_out} missing"
                    yield Anomaly(Kind.POLL_SKIP, poll.partition, what)
            previous = offset
        if previous is not None:
            last[key] = previous


def readers_out_of_range(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find readers that were told that their place is none."""
    for each in history.out_of_range:
        yield Anomaly(Kind.OUT_OF_RANGE, each.partition, f"{each.process}: {each.what}")


def sends_out_of_order(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find producers whose records are in another order than they were sent in."""
    by_producer: defaultdict[tuple[str, Partition], list[Send]] = defaultdict(list)
    for send in history.sends:
        is_of_one_epoch = send.process not in history.disturbed
        if send.offset is not None and send.is_promised and is_of_one_epoch:
            by_producer[send.process, send.partition].append(send)
    for (process, partition), sends in by_producer.items():
        # Values of a producer count up; acknowledgements are noted as they come.
        sends.sort(key=lambda send: send.value)
        highest = -1
        for send in sends:
            assert send.offset is not None
            if send.offset <= highest:
                what = f"{process} sent {send.value}, at {send.offset}, after one at {highest}"
                yield Anomaly(Kind.NONMONOTONIC_SEND, partition, what)
            highest = max(highest, send.offset)


def sequences_out_of_order(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find batches that a broker should have known, or known that one before them is missing."""
    for partition, batches in history.batches.items():
        expected: dict[tuple[int, int], int] = {}
        for base in sorted(batches):
            written = batches[base]
            producer = (written.producer_id, written.producer_epoch)
            due = expected.get(producer, written.sequence)
            if written.sequence != due:
                what = f"producer {producer} has {written.sequence} at {base}, {due} is due"
                yield Anomaly(Kind.REPEATED_SEQUENCE, partition, what)
            expected[producer] = written.sequence + written.records


def reordered_in_real_time(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find records below one that was acknowledged before they were sent."""
    by_partition: defaultdict[Partition, list[Send]] = defaultdict(list)
    for send in history.sends:
        if send.offset is not None and send.is_promised:
            by_partition[send.partition].append(send)
    for partition, sends in by_partition.items():
        completed = sorted(sends, key=lambda send: send.completed)
        highest, done = -1, 0
        for send in sorted(sends, key=lambda send: send.invoked):
            while completed[done].completed < send.invoked:
                highest = max(highest, completed[done].offset or 0)
                done += 1
            if send.offset is not None and send.offset <= highest:
                what = f"{send.value} is at {send.offset}, {highest} was acknowledged before"
                yield Anomaly(Kind.REALTIME_REORDER, partition, what)


_BOUNDS: tuple[tuple[Kind, Callable[[Bounds], int | None]], ...] = (
    (Kind.HIGH_WATERMARK_REGRESS, lambda bounds: bounds.high_watermark),
    (Kind.LOG_START_REGRESS, lambda bounds: bounds.log_start),
    (Kind.LEADER_EPOCH_REGRESS, lambda bounds: bounds.leader_epoch),
)


def bounds_going_back(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find clients to whom the ends or the epoch of a partition went back."""
    highest: dict[tuple[Kind, str, Partition], int] = {}
    for bounds in history.bounds:
        for kind, of in _BOUNDS:
            now = of(bounds)
            if now is None:
                continue
            key = (kind, bounds.process, bounds.partition)
            before = highest.get(key, now)
            if now < before:
                what = f"{bounds.process} was told {now} after {before}"
                yield Anomaly(kind, bounds.partition, what)
            highest[key] = max(before, now)
