"""A stream of records, written and read by an ordinary client, with what can be said of it."""

import hashlib
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

STALL_SECONDS_MAX = 60
MESSAGES_MAX = 10_000
QUEUED_MAX = 200_000
MIB = 1 << 20


class StreamError(Exception):
    """The stream is not what was produced, or stood still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a stream is.

    Attributes:
        value_bytes: Of the values alone.
        sha256: Over ``key TAB value NEWLINE`` of each record, which is what kcat prints.
    """

    records: int
    value_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A stream that was read, and how: below an offset from objects, from there on locally."""

    stream: Stream
    cold_bytes: int
    cold_seconds: float
    hot_seconds: float

    @property
    def cold_share(self) -> float:
        """The part of the values that came from objects."""
        return self.cold_bytes / self.stream.value_bytes


class Digest:
    """Grows by each record to a `Stream`."""

    def __init__(self) -> None:
        self.records = 0
        self.value_bytes = 0
        self._sha256 = hashlib.sha256()

    def add(self, key: bytes, value: bytes) -> None:
        self.records += 1
        self.value_bytes += len(value)
        self._sha256.update(b"%b\t%b\n" % (key, value))

    def result(self) -> Stream:
        return Stream(
            records=self.records, value_bytes=self.value_bytes, sha256=self._sha256.hexdigest()
        )


def produce(bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes]]) -> Stream:
    """Write all records, in order; all are acknowledged on return."""
    refused: list[KafkaError] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 128 << 10,
            "batch.num.messages": MESSAGES_MAX,
            "queue.buffering.max.messages": QUEUED_MAX,
            "log_level": 4,
        }
    )

    def note(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            refused.append(error)

    digest = Digest()
    for key, value in records:
        digest.add(key, value)
        while len(producer) >= QUEUED_MAX:
            producer.poll(0.1)
        producer.produce(topic, value, key, partition=0, on_delivery=note)
        if not digest.records % MESSAGES_MAX:
            producer.poll(0)
    left = producer.flush(STALL_SECONDS_MAX)
    if left or refused:
        raise StreamError(f"{left} records were not answered, refused: {refused[:3]}")
    return digest.result()


def consume(bootstrap: str, topic: str, *, records: int, local_start: int) -> Reading:
    """Read from offset 0 to the end, and see that no offset is missing or comes twice.

    Args:
        bootstrap: The broker.
        topic: What to read; partition 0.
        records: How many there are to be.
        local_start: The first offset that the broker has in local segments.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "walk",
            "enable.auto.commit": False,
            # By default it stops at 100 000 queued records, for a second.
            "queued.min.messages": 10 * QUEUED_MAX,
            "fetch.queue.backoff.ms": 5,
        }
    )
    place = TopicPartition(topic, 0, 0)
    held = consumer.get_watermark_offsets(place, STALL_SECONDS_MAX)
    if held != (0, records):
        raise StreamError(f"the topic holds {held}, {records} records were produced")
    consumer.assign([place])
    digest = Digest()
    cold_bytes, began = 0, time.monotonic()
    cold_ended = began
    while digest.records < records:
        wanted = min(MESSAGES_MAX, records - digest.records)
        messages = consumer.consume(wanted, STALL_SECONDS_MAX)
        if not messages:
            raise StreamError(f"nothing came after {digest.records} of {records} records")
        for message in messages:
            if digest.records == local_start:
                cold_bytes, cold_ended = digest.value_bytes, time.monotonic()
            _add(digest, message)
    ended = time.monotonic()
    consumer.close()
    return Reading(
        stream=digest.result(),
        cold_bytes=cold_bytes,
        cold_seconds=cold_ended - began,
        hot_seconds=ended - cold_ended,
    )


def consume_with_kcat(bootstrap: str, topic: str) -> str:
    """Return the sha256 of what kcat prints of a topic, from offset 0 to the end."""
    command = ["kcat", "-C", "-q", "-e", "-b", bootstrap, "-t", topic, "-p", "0", "-o", "0"]
    found = hashlib.sha256()
    with subprocess.Popen([*command, "-K", "\t"], stdout=subprocess.PIPE) as kcat:
        assert kcat.stdout is not None
        while printed := kcat.stdout.read(MIB):
            found.update(printed)
    if kcat.returncode:
        raise StreamError(f"kcat ended with status {kcat.returncode}")
    return found.hexdigest()


def _add(digest: Digest, message: Message) -> None:
    error, offset, key, value = message.error(), message.offset(), message.key(), message.value()
    if error is not None:
        raise StreamError(str(error))
    if key is None or value is None:
        raise StreamError(f"the record at {offset} has lost its key or value")
    if offset != digest.records:
        raise StreamError(f"offset {offset} came where {digest.records} was due")
    digest.add(key, value)
