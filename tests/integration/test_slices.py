"""A real broker that uploads before its segments are sealed, and merges what that makes."""

import asyncio
import shutil
import time
from hashlib import sha256
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from service.hot.layout import SYNCED_MARKS
from tests.fault.broker_process import BrokerProcess
from tests.fault.tier_audit import audit
from tests.walk.broker_facts import metric

TOPIC = "flights"
SETTINGS = {"remote.copy.lag.max.ms": "60", "log.retention.check.interval.ms": "50"}
WAIT_SECONDS_MAX = 60
READS_MIN = 3


class SlowLoad:
    """Records that come a few at a time, and the digest of all that were acknowledged."""

    def __init__(self) -> None:
        self.sent = 0

    def produce(self, bootstrap: str, count: int) -> None:
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        for number in range(self.sent, self.sent + count):
            producer.produce(TOPIC, value(number), partition=0)
        assert producer.flush(30) == 0
        self.sent += count


def value(number: int) -> bytes:
    return f"{number:0200d}".encode()


def digest(values: list[bytes]) -> str:
    return sha256(b"".join(values)).hexdigest()


def consume(bootstrap: str) -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "none", "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found = []
    while (message := consumer.poll(WAIT_SECONDS_MAX)) is not None and message.error() is None:
        assert message.offset() == len(found)
        found.append(message.value())
    consumer.close()
    return found


def everything_is_archived(broker: BrokerProcess) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while metric(broker.log_path, "everlog_tier_lag_bytes"):
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a page that has to be asked


@pytest.mark.rule("TIER-33")
@pytest.mark.rule("TIER-31")
def test_a_lost_disk_costs_what_came_after_the_last_slice_and_merges_cost_nothing(
    tmp_path: Path,
) -> None:
    load = SlowLoad()
    with BrokerProcess(tmp_path, SETTINGS) as broker:
        for _ in range(9):
            load.produce(broker.bootstrap, 5)
            everything_is_archived(broker)
        safe = load.sent
        load.produce(broker.bootstrap, 5)
        broker.kill()
        broker.wait_for_helpers()
        shutil.rmtree(broker.data_dir / "logs")
        (broker.data_dir / SYNCED_MARKS).unlink(missing_ok=True)
        broker.start()
        kept = consume(broker.bootstrap)
        assert safe <= len(kept) <= load.sent
        assert kept == [value(number) for number in range(len(kept))]
        load.sent = len(kept)
        # What is below the local start comes from the store, while its objects are being merged.
        reads, deadline = 0, time.monotonic() + WAIT_SECONDS_MAX
        while reads < READS_MIN or not metric(broker.log_path, "everlog_tier_merges_total"):
            assert time.monotonic() < deadline
            reads += 1
            load.produce(broker.bootstrap, 5)
            found = consume(broker.bootstrap)
            assert digest(found) == digest([value(number) for number in range(load.sent)])
            everything_is_archived(broker)
        broker.stop()
    broker.wait_for_helpers()
    after = asyncio.run(audit(broker.data_dir))
    assert after.problems == []
    assert list(after.ends.values()).count(load.sent) == 1
    assert after.segments < load.sent / 5, "each five records were an object"
