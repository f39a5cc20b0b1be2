"""A member of a consumer group that notes everything it is told, errors included."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
    }
)
"""What the library says of connections; it goes on by itself, and the application sees nothing."""


@dataclass
class Told:
    """What the application was told.

    Attributes:
        numbers: Of each partition, the records' in the order in which they came.
        errors: Instead of records, or of a commit.
        joins: How often it was given partitions.
    """

    numbers: dict[int, list[int]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    joins: int = 0


class GroupReader:
    """Reads a topic as the only member of a group, and commits what it has read now and then."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        self.told = Told()
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "error_cb": self._note_error,
                "log_level": 0,
            }
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def committed(self, partitions: int) -> Sequence[int]:
        """Return what it has committed, by partition; only once it has stopped."""
        wanted = [TopicPartition(self._topic, number) for number in range(partitions)]
        found = self._consumer.committed(wanted, timeout=20)
        self._consumer.close()
        return [each.offset for each in found]

    def _read(self) -> None:
        self._consumer.subscribe([self._topic], on_assign=self._note_join)
        while not self._stopping.is_set():
            messages = self._consumer.consume(1000, timeout=0.1)
            for message in messages:
                partition, key = message.partition(), message.key()
                if message.error() is not None:
                    self.told.errors.append(f"read: {message.error()}")
                    continue
                assert partition is not None
                assert key is not None
                self.told.numbers.setdefault(partition, []).append(int(key))
            if messages:
                self._commit()

    def _commit(self) -> None:
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            self.told.errors.append(f"commit: {error}")

    def _note_join(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self.told.joins += 1

    def _note_error(self, error: KafkaError) -> None:
        if error.code() not in _PASSING:
            self.told.errors.append(f"told: {error}")
