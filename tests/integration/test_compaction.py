"""A compacted topic on a real broker, seen by librdkafka."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.fault.broker_process import BrokerProcess

TOPIC = "tables"
KEYS = 50
ROUNDS = 60
DELETED = {b"key-%d" % number for number in range(0, KEYS, 5)}
SECONDS_MAX = 30


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path) as broker:
        yield broker


def create_topic(broker: BrokerProcess) -> None:
    topic = NewTopic(
        TOPIC,
        1,
        config={
            "cleanup.policy": "compact",
            "segment.bytes": "16384",
            "min.cleanable.dirty.ratio": "0.1",
        },
    )
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([topic])[TOPIC].result(SECONDS_MAX)


def delivered(error: object, _message: object) -> None:
    assert error is None, error


def produce(broker: BrokerProcess) -> dict[bytes, bytes]:
    """Write every key again and again, and delete some at the end; return what counts."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
    wanted: dict[bytes, bytes] = {}
    for turn in range(ROUNDS):
        for number in range(KEYS):
            key, value = b"key-%d" % number, b"value-%d-%d" % (turn, number) * 5
            producer.produce(TOPIC, key=key, value=value, on_delivery=delivered)
            wanted[key] = value
        assert producer.flush(SECONDS_MAX) == 0
    for key in DELETED:
        producer.produce(TOPIC, key=key, value=None, on_delivery=delivered)
        del wanted[key]
    for number in range(400):
        producer.produce(TOPIC, key=b"last", value=b"%d" % number * 20, on_delivery=delivered)
        if number % 20 == 0:
            assert producer.flush(SECONDS_MAX) == 0
    wanted[b"last"] = b"399" * 20
    assert producer.flush(SECONDS_MAX) == 0
    return wanted


def consume(broker: BrokerProcess) -> tuple[dict[bytes, bytes], list[int]]:
    """Read the topic from its start; return what is known at its end, and the offsets."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    known: dict[bytes, bytes] = {}
    offsets: list[int] = []
    while True:
        message = consumer.poll(SECONDS_MAX)
        assert message is not None, "no end in sight"
        if message.error():
            break
        offsets.append(message.offset())
        if message.value() is None:
            known.pop(message.key(), None)
        else:
            known[message.key()] = message.value()
    consumer.close()
    return known, offsets


def size(broker: BrokerProcess) -> int:
    """Bytes of the segments; one that is just being replaced does not count."""
    total = 0
    for path in broker.data_dir.glob("logs/*/0/*.log"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def wait_until_compact(broker: BrokerProcess, *, bytes_max: int) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while size(broker) > bytes_max:
        assert time.monotonic() < deadline, f"{size(broker)} bytes\n{broker.log_tail()}"
        time.sleep(0.05)


def test_a_compacted_topic_keeps_the_latest_values_and_shrinks(broker: BrokerProcess) -> None:
    create_topic(broker)
    wanted = produce(broker)
    written = KEYS * ROUNDS + len(DELETED) + 400
    wait_until_compact(broker, bytes_max=80_000)
    known, offsets = consume(broker)
    assert known == wanted
    assert offsets == sorted(offsets)
    assert offsets[-1] == written - 1
    assert len(offsets) < written / 2
    broker.kill()
    broker.start()
    assert consume(broker)[0] == wanted
