"""aiokafka, on an event loop of its own in a thread."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRecord,
    OffsetAndMetadata,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.conformance.client import (
    EARLIEST,
    HEARTBEAT_MS,
    LATEST,
    SESSION_MS,
    ClientError,
    Committed,
    Surroundings,
)
from tests.conformance.records import PARTITIONS, Record

_PATIENCE_SECONDS = 30

T = TypeVar("T")


class LoopThread:
    """An event loop that runs while the adapter lives, as aiokafka's members want it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class AiokafkaClient:
    """aiokafka."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._bootstrap = surroundings.bootstrap
        self._thread = LoopThread()
        self.admin = AiokafkaAdmin(surroundings.bootstrap, self._thread)

    def produce(
        self, topic: str, records: Sequence[Record], *, codec: str, idempotent: bool
    ) -> None:
        self._thread.run(self._produce(topic, records, codec, idempotent=idempotent))

    async def _produce(
        self, topic: str, records: Sequence[Record], codec: str, *, idempotent: bool
    ) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
            acks="all",
            linger_ms=5,
        )
        async with producer:
            sent = [
                await producer.send(
                    topic,
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                )
                for record in records
            ]
            for record, done in zip(records, await asyncio.gather(*sent), strict=True):
                if (done.partition, done.offset) != (record.partition, record.offset):
                    raise ClientError(f"{record[:2]} was acknowledged as {done}")

    def consume(self, topic: str, count: int) -> list[Record]:
        return self._thread.run(self._consume(topic, count))

    async def _consume(self, topic: str, count: int) -> list[Record]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", group_id=None
        )
        async with consumer:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            return await _read(consumer, count)

    def join(self, group: str, topic: str) -> "AiokafkaMember":
        return AiokafkaMember(self._bootstrap, self._thread, group, topic)

    def close(self) -> None:
        self._thread.run(self.admin.close())
        self._thread.close()


class AiokafkaMember:
    """A group consumer of aiokafka; it heartbeats and rebalances by itself."""

    def __init__(self, bootstrap: str, thread: LoopThread, group: str, topic: str) -> None:
        self._thread = thread
        self._topic = topic
        self._consumer = thread.run(self._start(bootstrap, group, topic))

    async def _start(self, bootstrap: str, group: str, topic: str) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=HEARTBEAT_MS,
            session_timeout_ms=SESSION_MS,
            metadata_max_age_ms=1000,
        )
        await consumer.start()
        return consumer

    def assigned(self) -> frozenset[int]:
        self._thread.run(asyncio.sleep(0.05))
        return frozenset(each.partition for each in self._consumer.assignment())

    def read(self, count: int) -> list[Record]:
        return self._thread.run(_read(self._consumer, count))

    def commit(self, offsets: Mapping[int, int], metadata: str) -> None:
        places = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(offset, metadata)
            for partition, offset in offsets.items()
        }
        self._thread.run(self._consumer.commit(places))

    def leave(self) -> None:
        self._thread.run(self._consumer.stop())


async def _read(consumer: AIOKafkaConsumer, count: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        fetched = await consumer.getmany(timeout_ms=_PATIENCE_SECONDS * 1000)
        if not fetched:
            raise ClientError(f"only {len(records)} of {count} records came")
        for messages in fetched.values():
            records += map(_record, messages)
    return records


def _record(message: ConsumerRecord[Any, Any]) -> Record:
    return Record(
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=message.timestamp,
        key=message.key,
        value=message.value,
        headers=tuple(message.headers),
    )


class AiokafkaAdmin:
    """aiokafka's admin client; it looks up offsets with a consumer."""

    def __init__(self, bootstrap: str, thread: LoopThread) -> None:
        self._bootstrap = bootstrap
        self._thread = thread
        self._admin = thread.run(self._start())

    async def _start(self) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        return admin

    async def close(self) -> None:
        await self._admin.close()

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        new = NewTopic(topic, partitions, 1, topic_configs=dict(config))
        reply = self._thread.run(self._admin.create_topics([new]))
        _check(*(error for _, error, *_ in reply.topic_errors))

    def delete_topic(self, topic: str) -> None:
        reply = self._thread.run(self._admin.delete_topics([topic]))
        _check(*(error for _, error in reply.topic_error_codes))

    def topics(self) -> frozenset[str]:
        return frozenset(self._thread.run(self._admin.list_topics()))

    def partitions(self, topic: str) -> frozenset[int]:
        (found,) = self._thread.run(self._admin.describe_topics([topic]))
        _check(found["error_code"])
        return frozenset(each["partition"] for each in found["partitions"])

    def config(self, topic: str, name: str) -> str:
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: None})
        (reply,) = self._thread.run(self._admin.describe_configs([asked]))
        (found,) = reply.resources
        _check(found[0])
        return str({entry[0]: entry[1] for entry in found[4]}[name])

    def set_config(self, topic: str, name: str, value: str) -> None:
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})
        (reply,) = self._thread.run(self._admin.alter_configs([asked]))
        _check(*(each[0] for each in reply.resources))

    def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int | None:
        return self._thread.run(self._offset_at(TopicPartition(topic, partition), timestamp_ms))

    async def _offset_at(self, place: TopicPartition, timestamp_ms: int) -> int | None:
        async with AIOKafkaConsumer(bootstrap_servers=self._bootstrap) as consumer:
            if timestamp_ms == EARLIEST:
                return int((await consumer.beginning_offsets([place]))[place])
            if timestamp_ms == LATEST:
                return int((await consumer.end_offsets([place]))[place])
            found = (await consumer.offsets_for_times({place: timestamp_ms}))[place]
            return None if found is None else int(found.offset)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        asked = {TopicPartition(topic, partition): RecordsToDelete(before_offset=before)}
        self._thread.run(self._admin.delete_records(asked))

    def group(self, group: str) -> tuple[str, int]:
        (reply,) = self._thread.run(self._admin.describe_consumer_groups([group]))
        (found,) = reply.groups
        _check(found[0])
        return found[2].lower(), len(found[5])

    def committed(self, group: str, topic: str) -> Committed:
        found = self._thread.run(self._admin.list_consumer_group_offsets(group))
        return {
            place.partition: (each.offset, each.metadata)
            for place, each in found.items()
            if place.topic == topic
        }


def _check(*codes: int) -> None:
    if any(codes):
        raise ClientError(f"the server answered with error codes {codes}")
