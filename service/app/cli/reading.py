"""Reads a topic and hands its records on: planned from offset to offset, or as one of a group."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from service.app.cli.client_library import NO_OFFSET, PARTITION_EOF, UNKNOWN_TOPIC, Cluster, kafka
from service.app.cli.connection import REQUEST_SECONDS_MAX, client_settings
from service.app.cli.marks import tier_marks
from service.app.cli.offsets_text import (
    AtTime,
    Edge,
    Place,
    Stretch,
    clamped_text,
    nothing_text,
    resolve_place,
)
from service.app.cli.progress import Progress
from service.app.cli.record_format import Piece, ReceivedRecord
from service.app.cli.topic_options import check_partition, find_topic
from service.app.cli.watch import Watch, topic_gone

RECORDS_AT_ONCE = 1000
WAIT_SECONDS = 0.2
FETCH_BYTES_MAX = 8 * 1024 * 1024
GROUP_IDLE_SECONDS = 10.0
"""A group's member that does not follow leaves when it has had nothing for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What to read.

    Attributes:
        partitions: None for all.
        end: Where to stop; None for the high watermark of the beginning.
        follow: Whether to go on with what comes later.
        limit: Records at most.
        by_tier: Whether to find out which tier each record comes from.
    """

    topic: str
    partitions: list[int] | None
    begin: Place
    end: Place | None
    follow: bool
    limit: int | None
    by_tier: bool = False


class Reading(Protocol):
    """A way to read, and what it has read.

    Attributes:
        archive_bytes: Those of ``bytes`` that no local disk had when the reading began; None if
            that is not known.
    """

    records: int
    bytes: int
    archive_bytes: int | None
    seconds: float

    def run(self, write: Piece) -> None:
        """Read to the end and write every record to standard output."""
        ...


class _Counting:
    """Writes records to standard output and counts them."""

    def __init__(self, limit: int | None) -> None:
        self.records = 0
        self.bytes = 0
        self.archive_bytes: int | None = None
        self.seconds = 0.0
        self._local_from: dict[int, int] = {}
        self._limit = limit
        self._out = sys.stdout.buffer

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self._limit is not None and self.records >= self._limit

    def put(self, message: Any, write: Piece) -> None:
        """Write one message."""
        kind, timestamp = message.timestamp()
        record = ReceivedRecord(
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            timestamp_ms=timestamp if kind else None,
            key=message.key(),
            value=message.value(),
            headers=message.headers() or (),
        )
        self._out.write(write(record))
        self.records += 1
        size = len(record.value or b"") + len(record.key or b"")
        self.bytes += size
        if self.archive_bytes is not None and record.offset < self._local_from[record.partition]:
            self.archive_bytes += size

    def flush(self) -> None:
        """Let whoever reads our output see it."""
        self._out.flush()


def _check(error: Any, topic: str) -> None:
    """End for what is an error; the end of a partition is none."""
    if error.code() == UNKNOWN_TOPIC:
        topic_gone(topic)
    if error.code() != PARTITION_EOF:
        raise kafka().KafkaException(error)


class PlannedReading(_Counting):
    """Reads each partition from its offset to its end; commits nothing.

    Args:
        bootstrap: Where the cluster is.
        span: What to read.
    """

    def __init__(self, bootstrap: str, span: Span) -> None:
        super().__init__(span.limit)
        self._span = span
        self._bootstrap = bootstrap
        self._consumer = kafka().Consumer(
            client_settings(bootstrap)
            | {
                "group.id": "everlog-cli",  # never used: nothing is committed
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.message.max.bytes": FETCH_BYTES_MAX,
            }
        )
        self._ends: dict[int, int] = {}

    def run(self, write: Piece) -> None:
        """Read to the end, or until Ctrl-C, which is how following ends.

        Raises:
            KeyboardInterrupt: The end was not reached.
        """
        started = time.perf_counter()
        try:
            total = self._assign()
            is_watched = sys.stdout.isatty()
            with Progress("reading", records_total=total, is_silent=is_watched) as bar:
                watch = Watch(
                    self._consumer,
                    topic=self._span.topic,
                    bootstrap=self._bootstrap,
                    expects_records=not self._span.follow,
                )
                while (self._ends or self._span.follow) and not self.is_full:
                    watch.note(is_quiet=not self._take(write))
                    bar.show(self.records, self.bytes)
        except KeyboardInterrupt:
            if not self._span.follow or self._span.limit is not None:
                raise
        finally:
            self.seconds = time.perf_counter() - started
            self.flush()
            self._consumer.close()

    def _assign(self) -> int | None:
        """Find begin and end of each partition; return how many offsets lie between."""
        metadata = self._consumer.list_topics(timeout=REQUEST_SECONDS_MAX)
        topic = find_topic(metadata, self._span.topic)
        wanted = self._span.partitions or sorted(topic.partitions)
        for number in wanted:
            check_partition(topic.topic, number, topic.partitions)
        if self._span.by_tier:
            self._find_tiers(metadata, wanted)
        stretches = self._stretches(wanted)
        plan: list[Any] = []
        total = 0
        for number, each in stretches.items():
            total += max(0, each.stop - each.begin)
            if each.begin < each.stop or self._span.follow:
                plan.append(kafka().TopicPartition(topic.topic, number, each.begin))
            if each.begin < each.stop and not self._span.follow:
                self._ends[number] = each.stop
        self._consumer.assign(plan)
        if self._span.follow:
            self._say_clamped(stretches)
            return None
        if not total:
            print(f"everlog: {nothing_text(topic.topic, stretches)}", file=sys.stderr)
        return total if self._span.limit is None else min(total, self._span.limit)

    def _find_tiers(self, metadata: Cluster, numbers: list[int]) -> None:
        """Ask where the local disk begins in each partition; unknown of one is unknown of all."""
        marks = tier_marks(metadata, [(self._span.topic, number) for number in numbers])
        local = {number: local for (_, number), (local, _) in marks.items() if local is not None}
        if len(local) == len(numbers):
            self._local_from = local
            self.archive_bytes = 0

    def _stretches(self, numbers: list[int]) -> dict[int, Stretch]:
        """Return what is to be read of each partition."""
        marks = {
            number: self._consumer.get_watermark_offsets(
                kafka().TopicPartition(self._span.topic, number), timeout=REQUEST_SECONDS_MAX
            )
            for number in numbers
        }
        begins = self._offsets(marks, self._span.begin)
        stops = self._offsets(marks, self._span.end or Edge.LATEST)
        return {
            number: Stretch(begin=begins[number], stop=stops[number], start=start, end=end)
            for number, (start, end) in marks.items()
        }

    def _say_clamped(self, stretches: Mapping[int, Stretch]) -> None:
        for number, each in stretches.items():
            text = clamped_text(self._span.begin, start=each.start, end=each.end)
            if text is not None:
                place = f"{self._span.topic}/{number}"
                print(f"everlog: {place}: {text}; it begins at {each.begin:,}", file=sys.stderr)

    def _offsets(self, marks: Mapping[int, tuple[int, int]], place: Place) -> dict[int, int]:
        """Return the offset that a place is in each partition, given where those begin and end."""
        at_times: dict[int, int] = {}
        if isinstance(place, AtTime):
            asked = [
                kafka().TopicPartition(self._span.topic, number, place.timestamp_ms)
                for number in marks
            ]
            for found in self._consumer.offsets_for_times(asked, timeout=REQUEST_SECONDS_MAX):
                if found.error is None and found.offset >= 0:
                    at_times[found.partition] = found.offset
        return {
            number: resolve_place(place, start=start, end=end, at_time=at_times.get(number))
            for number, (start, end) in marks.items()
        }

    def _take(self, write: Piece) -> bool:
        """Take what has come; return whether anything has."""
        messages = self._consumer.consume(RECORDS_AT_ONCE, timeout=WAIT_SECONDS)
        for message in messages:
            error = message.error()
            number = message.partition()
            if error is not None:
                _check(error, self._span.topic)
                if message.offset() >= self._ends.get(number, 0):
                    self._finish(number)
                continue
            end = self._ends.get(number)
            if not self._span.follow and (end is None or message.offset() >= end):
                self._finish(number)
                continue
            self.put(message, write)
            if end is not None and message.offset() + 1 >= end:
                self._finish(number)
            if self.is_full:
                break
        self.flush()
        return bool(messages)

    def _finish(self, number: int) -> None:
        """Ask for no more of a partition that has been read to its end."""
        if self._ends.pop(number, None) is not None:
            self._consumer.incremental_unassign([kafka().TopicPartition(self._span.topic, number)])


class GroupReading(_Counting):
    """Reads as a member of a group, from what it has committed, and commits what was written.

    Args:
        bootstrap: Where the cluster is.
        span: Only its topic, limit and whether to follow.
        group: Name of the group.
    """

    def __init__(self, bootstrap: str, span: Span, group: str) -> None:
        super().__init__(span.limit)
        self._span = span
        self._bootstrap = bootstrap
        self._consumer = kafka().Consumer(
            client_settings(bootstrap)
            | {
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.message.max.bytes": FETCH_BYTES_MAX,
            }
        )
        self._at_end: set[int] = set()

    def run(self, write: Piece) -> None:
        """Read until everything that is assigned is at its end, or with follow until Ctrl-C.

        Raises:
            KeyboardInterrupt: The end was not reached.
        """
        started = time.perf_counter()
        find_topic(self._consumer.list_topics(timeout=REQUEST_SECONDS_MAX), self._span.topic)
        self._consumer.subscribe([self._span.topic], on_assign=self._begin)
        quiet_since = started
        watch = Watch(
            self._consumer,
            topic=self._span.topic,
            bootstrap=self._bootstrap,
            expects_records=False,
        )
        try:
            while not self.is_full and (self._span.follow or not self._is_done(quiet_since)):
                has_come = self._take(write)
                watch.note(is_quiet=not has_come)
                if has_come or watch.is_cut_off:
                    quiet_since = time.perf_counter()
        except KeyboardInterrupt:
            if not self._span.follow or self._span.limit is not None:
                raise
        finally:
            self.seconds = time.perf_counter() - started
            self.flush()
            self._commit(is_last=True)
            self._consumer.close()

    def _begin(self, _consumer: Any, _partitions: Any) -> None:
        self._at_end.clear()

    def _is_done(self, quiet_since: float) -> bool:
        assigned = {each.partition for each in self._consumer.assignment()}
        if assigned and assigned <= self._at_end:
            return True
        return time.perf_counter() - quiet_since > GROUP_IDLE_SECONDS

    def _take(self, write: Piece) -> bool:
        """Take what has come; return whether anything has."""
        count = RECORDS_AT_ONCE
        if self._span.limit is not None:
            count = min(count, self._span.limit - self.records)
        messages = self._consumer.consume(count, timeout=WAIT_SECONDS)
        for message in messages:
            error = message.error()
            if error is None:
                self.put(message, write)
                self._consumer.store_offsets(message)
                self._at_end.discard(message.partition())
            elif error.code() == PARTITION_EOF:
                self._at_end.add(message.partition())
            else:
                _check(error, self._span.topic)
        self.flush()
        if messages:
            # Not waited for: a broker that is gone would hold up the reading, and the next commit
            # says all that this one does.
            self._commit(is_last=False)
        return bool(messages)

    def _commit(self, *, is_last: bool) -> None:
        """Commit what was written; nothing to commit is no error."""
        try:
            self._consumer.commit(asynchronous=not is_last)
        except kafka().KafkaException as error:
            if error.args[0].code() != NO_OFFSET:
                raise
