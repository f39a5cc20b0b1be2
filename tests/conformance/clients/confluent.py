"""confluent-kafka, which is librdkafka: a client under test, and what every other is read with."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # public, says its comment
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from tests.conformance.client import (
    EARLIEST,
    HEARTBEAT_MS,
    IN_FLIGHT_MAX,
    LATEST,
    SESSION_MS,
    ClientError,
    Committed,
    Surroundings,
)
from tests.conformance.records import PARTITIONS, Record

_PATIENCE_SECONDS = 30
_BATCH = 1000


class ConfluentClient:
    """The Python binding of librdkafka."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._bootstrap = surroundings.bootstrap
        self.admin = ConfluentAdmin(surroundings.bootstrap)

    def produce(
        self,
        topic: str,
        records: Sequence[Record],
        *,
        codec: str,
        idempotent: bool,
        acks: str = "all",
    ) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "compression.type": codec,
                "enable.idempotence": idempotent,
                "acks": acks,
                # Without idempotence, a batch that is sent again may be overtaken.
                "max.in.flight": IN_FLIGHT_MAX if idempotent else 1,
                "queue.buffering.max.messages": len(records) + 1,
            }
        )
        errors: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                errors.append(error)

        for record in records:
            producer.produce(
                topic,
                partition=record.partition,
                timestamp=record.timestamp_ms,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                on_delivery=delivered,
            )
        undelivered = producer.flush(_PATIENCE_SECONDS)
        if errors or undelivered:
            raise ClientError(f"{undelivered} not delivered, {len(errors)} failed: {errors[:1]}")

    def consume(self, topic: str, count: int) -> list[Record]:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )
        consumer.assign(
            [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)]
        )
        try:
            return _read(consumer, count)
        finally:
            consumer.close()

    def join(self, group: str, topic: str) -> "ConfluentMember":
        return ConfluentMember(self._bootstrap, group, topic)

    def close(self) -> None:
        """Nothing is kept open."""


class ConfluentMember:
    """A group consumer of librdkafka."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._topic = topic
        self._early: list[Record] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "session.timeout.ms": SESSION_MS,
            }
        )
        self._consumer.subscribe([topic])

    def assigned(self) -> frozenset[int]:
        self._early += map(_record, self._consumer.consume(_BATCH, 0.1))
        return frozenset(each.partition for each in self._consumer.assignment())

    def read(self, count: int) -> list[Record]:
        records, self._early = self._early, []
        return records + _read(self._consumer, max(0, count - len(records)))

    def commit(self, offsets: Mapping[int, int], metadata: str) -> None:
        places = [
            TopicPartition(self._topic, partition, offset, metadata)
            for partition, offset in offsets.items()
        ]
        self._consumer.commit(offsets=places, asynchronous=False)

    def leave(self) -> None:
        self._consumer.close()


def _read(consumer: Consumer, count: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        messages = consumer.consume(min(_BATCH, count - len(records)), _PATIENCE_SECONDS)
        if not messages:
            raise ClientError(f"only {len(records)} of {count} records came")
        records += map(_record, messages)
    return records


def _record(message: Message) -> Record:
    error = message.error()
    if error is not None:
        raise ClientError(str(error))
    return Record(
        partition=_known(message.partition()),
        offset=_known(message.offset()),
        timestamp_ms=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=tuple(cast("list[tuple[str, bytes | None]]", message.headers() or ())),
    )


def _known(number: int | None) -> int:
    assert number is not None
    return number


class ConfluentAdmin:
    """librdkafka's admin client."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        new = NewTopic(topic, num_partitions=partitions, config=dict(config))
        _only(self._admin.create_topics([new]))

    def delete_topic(self, topic: str) -> None:
        _only(self._admin.delete_topics([topic]))

    def topics(self) -> frozenset[str]:
        return frozenset(self._admin.list_topics(timeout=_PATIENCE_SECONDS).topics)

    def partitions(self, topic: str) -> frozenset[int]:
        found = self._admin.list_topics(topic, timeout=_PATIENCE_SECONDS).topics[topic]
        return frozenset(found.partitions)

    def leaders(self, topic: str) -> dict[int, tuple[str, int]]:
        """Return host and port of each partition's leader."""
        found = self._admin.list_topics(topic, timeout=_PATIENCE_SECONDS)
        partitions = found.topics[topic].partitions
        brokers = {number: found.brokers[each.leader] for number, each in partitions.items()}
        return {number: (str(broker.host), broker.port) for number, broker in brokers.items()}

    def config(self, topic: str, name: str) -> str:
        entries = _only(self._admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
        return str(entries[name].value)

    def set_config(self, topic: str, name: str, value: str) -> None:
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        _only(self._admin.incremental_alter_configs([resource]))

    def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int | None:
        offsets: Any = OffsetSpec  # its methods carry no types
        named = {EARLIEST: offsets.earliest(), LATEST: offsets.latest()}
        asked = named.get(timestamp_ms) or offsets.for_timestamp(timestamp_ms)
        found = _only(self._admin.list_offsets({TopicPartition(topic, partition): asked}))
        return None if found.offset < 0 else int(found.offset)

    def is_led(self, topic: str, partitions: Iterable[int]) -> bool:
        """Return whether the leaders of all these partitions answer."""
        # The listing of all topics makes librdkafka forget that it did not find this one.
        if topic not in self.topics():
            return False
        try:
            return all(self.offset_at(topic, each, LATEST) is not None for each in partitions)
        except KafkaException:
            return False

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        _only(self._admin.delete_records([TopicPartition(topic, partition, before)]))

    def group(self, group: str) -> tuple[str, int]:
        found = _only(self._admin.describe_consumer_groups([group]))
        return found.state.name.lower(), len(found.members)

    def committed(self, group: str, topic: str) -> Committed:
        asked = [ConsumerGroupTopicPartitions(group)]
        found = _only(self._admin.list_consumer_group_offsets(asked))
        # Not `each.metadata`: 2.16 reads on to the next null byte, where librdkafka sets none.
        return {
            each.partition: (each.offset, "")
            for each in found.topic_partitions
            if each.topic == topic
        }


def _only(futures: Mapping[Any, Any]) -> Any:
    """Return the result of a request for one thing."""
    (future,) = futures.values()
    return future.result(_PATIENCE_SECONDS)
