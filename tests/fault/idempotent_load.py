"""A producer that numbers its records and remembers which were acknowledged, and where."""

import threading
import time
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

PROGRESS_SECONDS_MAX = 60
READ_SECONDS_MAX = 60
PAYLOAD_BYTES = 400
BATCH_BYTES_MAX = 16 << 10


def payload_of(partition: int, number: int, size: int = PAYLOAD_BYTES) -> bytes:
    """Return what a record says, which no other record says."""
    text = b"%d/%d." % (partition, number)
    return (text * (size // len(text) + 1))[:size]


@dataclass
class Acknowledged:
    """What the broker has promised: the offset of each record, by partition and number."""

    offsets: dict[int, dict[int, int]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.offsets.values()))


class IdempotentLoad:
    """Produces to every partition in turn, as fast as the client takes it, until stopped.

    Args:
        pause_s: Between two records of a partition.
        numbers_max: After so many it is still until it is stopped.
        patience_seconds: A record that was not acknowledged for so long is given up.
        queue_records: How many may wait in the client.
        acks: As the client has it; a producer without ``all`` is not idempotent.

    Attributes:
        sent: Records that were given to the client, for each partition.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partitions: int,
        *,
        payload_bytes: int = PAYLOAD_BYTES,
        pause_s: float = 0.0002,
        numbers_max: int = 1 << 60,
        batch_bytes: int = BATCH_BYTES_MAX,
        patience_seconds: float = 120,
        queue_records: int = 20_000,
        acks: str = "all",
    ) -> None:
        self.sent = 0
        self._answered_at = dict.fromkeys(range(partitions), time.monotonic())
        self._gap = 0.0
        self._patience_seconds = patience_seconds
        self.acknowledged = Acknowledged({p: {} for p in range(partitions)})
        self._payload_bytes = payload_bytes
        self._pause_s = pause_s
        self._numbers_max = numbers_max
        self._topic = topic
        self._partitions = partitions
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": acks,
                "enable.idempotence": acks == "all",
                "linger.ms": 2,
                "batch.size": batch_bytes,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                # The broker comes back under its address; to look for another takes a second.
                "metadata.recovery.strategy": "none",
                "message.timeout.ms": int(1000 * patience_seconds),
                "queue.buffering.max.messages": queue_records,
                "log_level": 0,
            }
        )
        self._stopping = threading.Event()
        self._progress = threading.Event()
        self._thread = threading.Thread(target=self._produce, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_for_progress(self) -> None:
        """Wait until another record is acknowledged."""
        self._progress.clear()
        assert self._progress.wait(PROGRESS_SECONDS_MAX), "nothing is acknowledged any more"

    @property
    def is_done(self) -> bool:
        """Whether all of ``numbers_max`` are acknowledged."""
        return len(self.acknowledged) == self._numbers_max * self._partitions

    def longest_gap(self) -> float:
        """Return the longest time between two acknowledgements since the last call, in seconds.

        It is that of the partition that has waited for longest.
        """
        now = time.monotonic()
        waited = (now - answered_at for answered_at in self._answered_at.values())
        gap, self._gap = max(self._gap, *waited), 0.0
        return gap

    def stop(self) -> None:
        """Stop, and wait until every record has been answered."""
        self._stopping.set()
        self._thread.join()
        left = self._producer.flush(self._patience_seconds)
        assert left == 0, f"{left} records were never answered"

    def _produce(self) -> None:
        while not self._stopping.is_set():
            if self.sent < self._numbers_max:
                for partition in range(self._partitions):
                    self._send(partition, self.sent)
                self.sent += 1
            self._wait()

    def _wait(self) -> None:
        """Let some time pass, in which answers may come."""
        until = time.monotonic() + self._pause_s
        self._producer.poll(self._pause_s)
        time.sleep(max(0.0, until - time.monotonic()))

    def _send(self, partition: int, number: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=str(number),
                    value=payload_of(partition, number, self._payload_bytes),
                    partition=partition,
                    on_delivery=self._note,
                )
            except BufferError:
                self._producer.poll(0.01)
            else:
                return

    def _note(self, error: KafkaError | None, message: Message) -> None:
        partition, key = message.partition(), message.key()
        assert partition is not None
        assert key is not None
        if error is not None:
            self.acknowledged.refused.append(f"{partition}/{key.decode()}: {error}")
            return
        offset = message.offset()
        assert offset is not None
        self.acknowledged.offsets[partition][int(key)] = offset
        now = time.monotonic()
        self._gap = max(self._gap, now - self._answered_at[partition])
        self._answered_at[partition] = now
        self._progress.set()


def read_numbers(
    bootstrap: str, topic: str, partition: int, *, payload_bytes: int = PAYLOAD_BYTES
) -> list[tuple[int, int]]:
    """Read a partition from its start; return (offset, number) of every record, all as sent."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "checker",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0)])
    found: list[tuple[int, int]] = []
    deadline = time.monotonic() + READ_SECONDS_MAX
    try:
        while True:
            assert time.monotonic() < deadline, "the partition could not be read to its end"
            for message in consumer.consume(10_000, timeout=0.2):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    return found
                assert error is None, error
                offset, key = message.offset(), message.key()
                assert offset is not None
                assert key is not None
                assert message.value() == payload_of(partition, int(key), payload_bytes), offset
                found.append((offset, int(key)))
    finally:
        consumer.close()


def violations(promised: dict[int, int], found: list[tuple[int, int]]) -> list[str]:
    """Say what is wrong between what was acknowledged and what is there."""
    problems: list[str] = []
    where: dict[int, int] = {}
    for offset, number in found:
        if number in where:
            problems.append(f"record {number} is at {where[number]} and again at {offset}")
        where[number] = offset
    for number, offset in promised.items():
        if number not in where:
            problems.append(f"acknowledged record {number} is lost (offset {offset})")
        elif where[number] != offset:
            problems.append(f"record {number} was promised at {offset}, is at {where[number]}")
    numbers = [number for _, number in found]
    if numbers != sorted(numbers):
        problems.append("records are out of order")
    if [offset for offset, _ in found] != list(range(len(found))):
        problems.append("offsets have gaps")
    return problems
