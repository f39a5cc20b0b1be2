"""kafka-python 3."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance.client import (
    HEARTBEAT_MS,
    IN_FLIGHT_MAX,
    SESSION_MS,
    ClientError,
    Committed,
    Surroundings,
)
from tests.conformance.records import PARTITIONS, Record

with warnings.catch_warnings():
    # It reads its schemas by a function of importlib.resources that 3.11 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import (
        KafkaAdminClient,
        KafkaConsumer,
        KafkaProducer,
        OffsetAndMetadata,
        TopicPartition,
    )
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.codec import has_gzip, has_lz4, has_snappy, has_zstd

_PATIENCE_SECONDS = 30
_BATCH = 1000

_HAS = {"gzip": has_gzip, "snappy": has_snappy, "lz4": has_lz4, "zstd": has_zstd}

# snappy, lz4 and zstd are there when python-snappy, lz4 and zstandard are installed.
CODECS = ("none", *(codec for codec, has in _HAS.items() if has()))


class KafkaPythonClient:
    """kafka-python."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._bootstrap = surroundings.bootstrap
        self.admin = KafkaPythonAdmin(surroundings.bootstrap)

    def produce(
        self, topic: str, records: Sequence[Record], *, codec: str, idempotent: bool
    ) -> None:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap,
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
            max_in_flight_requests_per_connection=IN_FLIGHT_MAX if idempotent else 1,
            acks="all",
            linger_ms=5,
        )
        try:
            sent = [
                producer.send(
                    topic,
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                )
                for record in records
            ]
            for record, future in zip(records, sent, strict=True):
                done = future.get(_PATIENCE_SECONDS)
                if (done.partition, done.offset) != (record.partition, record.offset):
                    raise ClientError(f"{record[:2]} was acknowledged as {done}")
        finally:
            producer.close()

    def consume(self, topic: str, count: int) -> list[Record]:
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", group_id=None
        )
        try:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            return _read(consumer, count)
        finally:
            consumer.close()

    def join(self, group: str, topic: str) -> "KafkaPythonMember":
        return KafkaPythonMember(self._bootstrap, group, topic)

    def close(self) -> None:
        self.admin.close()


class KafkaPythonMember:
    """A group consumer of kafka-python."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._topic = topic
        self._early: list[Record] = []
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=HEARTBEAT_MS,
            session_timeout_ms=SESSION_MS,
            metadata_max_age_ms=1000,
        )
        # 3.0 may lead its group before it knows the topic, and then shares out no partitions.
        self._consumer.partitions_for_topic(topic)
        self._consumer.subscribe([topic])

    def assigned(self) -> frozenset[int]:
        self._early += _records(self._consumer.poll(timeout_ms=100))
        return frozenset(each.partition for each in self._consumer.assignment())

    def read(self, count: int) -> list[Record]:
        records, self._early = self._early, []
        return records + _read(self._consumer, max(0, count - len(records)))

    def commit(self, offsets: Mapping[int, int], metadata: str) -> None:
        self._consumer.commit(
            {
                TopicPartition(self._topic, partition): OffsetAndMetadata(offset, metadata, -1)
                for partition, offset in offsets.items()
            }
        )

    def leave(self) -> None:
        self._consumer.close(autocommit=False)


def _read(consumer: KafkaConsumer, count: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        fetched = consumer.poll(timeout_ms=_PATIENCE_SECONDS * 1000, max_records=_BATCH)
        if not fetched:
            raise ClientError(f"only {len(records)} of {count} records came")
        records += _records(fetched)
    return records


def _records(fetched: Mapping[Any, Sequence[Any]]) -> list[Record]:
    return [
        Record(
            partition=message.partition,
            offset=message.offset,
            timestamp_ms=message.timestamp,
            key=message.key,
            value=message.value,
            headers=tuple(message.headers),
        )
        for messages in fetched.values()
        for message in messages
    ]


class KafkaPythonAdmin:
    """kafka-python's admin client."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def close(self) -> None:
        self._admin.close()

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        wanted = {"num_partitions": partitions, "replication_factor": -1, "configs": dict(config)}
        self._admin.create_topics({topic: wanted})

    def delete_topic(self, topic: str) -> None:
        self._admin.delete_topics([topic])

    def topics(self) -> frozenset[str]:
        return frozenset(self._admin.list_topics())

    def partitions(self, topic: str) -> frozenset[int]:
        (found,) = self._admin.describe_topics([topic])
        return frozenset(each["partition_index"] for each in found["partitions"])

    def config(self, topic: str, name: str) -> str:
        asked = ConfigResource(ConfigResourceType.TOPIC, topic)
        found = self._admin.describe_configs([asked], config_filter="all")
        return str(found["topic"][topic][name]["value"])

    def set_config(self, topic: str, name: str, value: str) -> None:
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})
        self._admin.alter_configs([asked])

    def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int | None:
        place = TopicPartition(topic, partition)
        found = self._admin.list_partition_offsets({place: timestamp_ms})[place].offset
        return None if found < 0 else int(found)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        self._admin.delete_records({TopicPartition(topic, partition): before})

    def group(self, group: str) -> tuple[str, int]:
        found = self._admin.describe_groups([group])[group]
        return found["group_state"].lower(), len(found["members"])

    def committed(self, group: str, topic: str) -> Committed:
        return {
            place.partition: (each.offset, each.metadata)
            for place, each in self._admin.list_group_offsets([group])[group].items()
            if place.topic == topic
        }
