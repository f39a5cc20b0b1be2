"""Consumers that choose their places themselves: some follow, others travel in time."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from typing_extensions import override

from tests.cluster.recording import Client, Recorder, value_of
from tests.history.operations import OutOfRange, Partition

POLL_SECONDS = 0.2
POLL_RECORDS = 500
JOURNEY_RECORDS_MAX = 600
JOURNEY_SECONDS_MAX = 10.0
LOOK_BACK_SECONDS_MAX = 60

SETTINGS: Mapping[str, object] = {
    "group.id": "nobody",
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "check.crcs": True,
    "socket.timeout.ms": 5000,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,
    "fetch.wait.max.ms": 100,
    "topic.metadata.refresh.interval.ms": 2000,
    "log_level": 0,
}

_PLACES_LOST = {KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION}  # type: ignore[attr-defined]


class Reading(Client):
    """What both kinds have in common: a consumer, and what it is given."""

    def __init__(self, name: str, recorder: Recorder, *, seed: int, bootstrap: str) -> None:
        super().__init__(name, recorder, seed=seed)
        self._servers = bootstrap

    def new_consumer(self) -> Consumer:
        return Consumer({"bootstrap.servers": self._servers, **SETTINGS})

    def take(self, consumer: Consumer, assignment: int) -> dict[Partition, int]:
        """Poll once, and note what there is; return the offset after the last record of each."""
        found: defaultdict[Partition, list[tuple[int, int, int]]] = defaultdict(list)
        for message in consumer.consume(POLL_RECORDS, timeout=POLL_SECONDS):
            partition = _partition_of(message)
            if (error := message.error()) is not None:
                self._note_error(error, partition)
                continue
            offset, epoch = message.offset(), message.leader_epoch()
            assert offset is not None
            value = value_of(message.value())
            found[partition].append((offset, value, -1 if epoch is None else epoch))
        for partition, records in found.items():
            self.recorder.poll(self.name, partition, assignment, records)
        return {partition: records[-1][0] + 1 for partition, records in found.items()}

    def _note_error(self, error: KafkaError, partition: Partition) -> None:
        self.recorder.count(f"readers: {error.name()}")
        if error.code() in _PLACES_LOST:
            self.recorder.history.out_of_range.append(
                OutOfRange(process=self.name, partition=partition, what=error.str())
            )


class Following(Reading):
    """Reads some partitions from their start to whatever comes, by one consumer after the other.

    All of them are one reader: each goes on where the last one was.
    """

    def __init__(
        self,
        name: str,
        recorder: Recorder,
        *,
        seed: int,
        bootstrap: str,
        partitions: Sequence[Partition],
    ) -> None:
        super().__init__(name, recorder, seed=seed, bootstrap=bootstrap)
        self.positions = dict.fromkeys(partitions, 0)

    @override
    def work(self) -> None:
        while not self.is_stopping:
            consumer = self.new_consumer()
            consumer.assign(
                [TopicPartition(each.topic, each.number, at) for each, at in self.positions.items()]
            )
            end = self.end_of_life()
            while not self.is_stopping and time.monotonic() < end:
                self.positions |= self.take(consumer, 0)
            consumer.close()


class Travelling(Reading):
    """Goes to random places of random partitions, by offset or by time, and reads a little there.

    Args:
        ends: Where partitions end, as far as anybody knows.
    """

    def __init__(
        self,
        name: str,
        recorder: Recorder,
        *,
        seed: int,
        bootstrap: str,
        ends: Mapping[Partition, int],
    ) -> None:
        super().__init__(name, recorder, seed=seed, bootstrap=bootstrap)
        self._ends = ends
        self._begun_ms = int(time.time() * 1000)

    @override
    def work(self) -> None:
        consumer = self.new_consumer()
        journeys = 0
        while not self.is_stopping:
            places = [(each, end) for each, end in self._ends.items() if end > 0]
            if not places:
                self.rest(POLL_SECONDS)
                continue
            partition, end = self.random.choice(places)
            at = self._place(consumer, partition, end)
            if at is None:
                continue
            journeys += 1
            consumer.assign([TopicPartition(partition.topic, partition.number, at)])
            goal = min(end, at + self.random.randint(1, JOURNEY_RECORDS_MAX))
            limit = time.monotonic() + JOURNEY_SECONDS_MAX
            while at < goal and not self.is_stopping and time.monotonic() < limit:
                at = self.take(consumer, journeys).get(partition, at)
            self.recorder.count("journeys" if at >= goal else "journeys cut short")
        consumer.close()

    def _place(self, consumer: Consumer, partition: Partition, end: int) -> int | None:
        """Choose where to go; None if nobody tells."""
        if self.random.random() < 0.8:
            # Rather to what is old.
            return int(end * self.random.random() ** 2)
        when_ms = self.random.randint(self._begun_ms, int(time.time() * 1000))
        wanted = TopicPartition(partition.topic, partition.number, when_ms)
        try:
            (found,) = consumer.offsets_for_times([wanted], timeout=5)
        except KafkaException as error:
            self.recorder.count(f"times: {error.args[0].name()}")
            return None
        # Behind the end: nothing is so new.
        return found.offset if found.error is None and 0 <= found.offset < end else None


def _partition_of(message: Message) -> Partition:
    topic, number = message.topic(), message.partition()
    assert topic is not None
    assert number is not None
    return Partition(topic, number)
