"""A consumer that reads topics from offset 0 again and again, and believes nothing."""

import threading
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.fault.idempotent_load import payload_of

AT_ONCE = 200
"""Records that are taken together; then others get a turn."""

PAUSE_S = 0.05


class ColdReader:
    """Reads in a thread.

    Args:
        payload_bytes: Of each topic, how long its records are.

    Attributes:
        problems: What was wrong, or was refused.
        records: How many were read and right.
        passes: How often the end of every partition was reached.
    """

    def __init__(
        self, bootstrap: str, partitions: Mapping[str, int], payload_bytes: Mapping[str, int]
    ) -> None:
        self.problems: list[str] = []
        self.records = 0
        self.passes = 0
        self._payload_bytes = payload_bytes
        self._places = [
            TopicPartition(topic, number, 0)
            for topic, count in partitions.items()
            for number in range(count)
        ]
        self._next: dict[tuple[str, int], int] = {}
        self._ended: set[tuple[str, int]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="cold-reader", daemon=True)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "cold-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "fetch.error.backoff.ms": 100,
                "log_level": 0,
            }
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        self._begin()
        while not self._stopping.wait(PAUSE_S):
            for message in self._consumer.consume(AT_ONCE, timeout=0.1):
                self._take(message)
            if len(self._ended) == len(self._places):
                self.passes += 1
                self._begin()

    def _begin(self) -> None:
        self._next.clear()
        self._ended.clear()
        self._consumer.assign(self._places)

    def _take(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        place = (topic, partition)
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._ended.add(place)
            else:
                self.problems.append(f"{place} at {offset}: {error}")
            return
        expected = self._next.get(place, 0)
        key = message.key()
        if offset != expected or key is None:
            self.problems.append(f"{place}: offset {offset} came where {expected} was next")
            return
        if message.value() != payload_of(partition, int(key), self._payload_bytes[topic]):
            self.problems.append(f"{place}: the record at {offset} is not what was sent")
        self._next[place] = expected + 1
        self.records += 1
