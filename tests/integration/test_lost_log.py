"""A real broker whose local log is gone, or cut short, between two runs."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from service.hot.layout import SYNCED_MARKS
from tests.fault.broker_process import BrokerProcess
from tests.walk.broker_facts import metric

TOPIC = "flights"
SETTINGS = {"log.segment.bytes": str(16 << 10), "log.retention.check.interval.ms": "50"}
WAIT_SECONDS_MAX = 60


def produce(bootstrap: str, first: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "batch.size": 2000})
    for number in range(first, first + count):
        producer.produce(TOPIC, f"{number:01000d}".encode(), partition=0)
    assert producer.flush(30) == 0


def consume(bootstrap: str) -> list[tuple[int, int]]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "none", "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found = []
    while (message := consumer.poll(WAIT_SECONDS_MAX)) is not None and message.error() is None:
        found.append((message.offset(), int(message.value())))
    consumer.close()
    return found


def everything_is_archived(broker: BrokerProcess) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while metric(broker.log_path, "everlog_tier_lag_bytes"):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # a page that has to be asked


def lose_all(log: Path) -> None:
    shutil.rmtree(log)


def lose_the_end(log: Path) -> None:
    for path in sorted(log.glob("*.log"))[2:]:
        path.unlink()


@pytest.mark.rule("TIER-12")
@pytest.mark.parametrize("lose", [lose_all, lose_the_end])
def test_a_lost_log_goes_on_behind_the_archive_once_the_loss_is_accepted(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    with BrokerProcess(tmp_path, SETTINGS) as broker:
        produce(broker.bootstrap, 0, 200)
        everything_is_archived(broker)
        broker.stop()
        (log,) = (path for path in broker.data_dir.glob("logs/*/0") if list(path.glob("*.index")))
        lose(log)
        broker.start()
        # What had not been archived was on this disk alone, and had been synced.
        assert "to go on without these records" in broker.log_path.read_text()
        broker.stop()
        (broker.data_dir / SYNCED_MARKS).unlink()
        broker.start()
        kept = consume(broker.bootstrap)
        assert 150 < len(kept) < 200
        assert kept == [(number, number) for number in range(len(kept))]
        produce(broker.bootstrap, len(kept), 100)
        assert consume(broker.bootstrap) == [(number, number) for number in range(len(kept) + 100)]
        assert metric(broker.log_path, "everlog_tier_log_restarts_total") == 1
        assert broker.log_path.read_text().count("log_restarted_at_archive_end") == 1
        broker.stop()
        broker.start()
        assert len(consume(broker.bootstrap)) == len(kept) + 100
