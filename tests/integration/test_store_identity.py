"""A data directory keeps to the store that holds its archive, wherever that is."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.conformance.waiting import wait_until_true
from tests.fault.broker_process import BrokerDiedError, BrokerProcess

VALUES = [b"%04d" % number * 256 for number in range(200)]
SETTINGS = {
    "num.partitions": "1",
    "log.segment.bytes": "65536",
    "log.local.retention.bytes": "65536",
    "log.retention.check.interval.ms": "100",
}


def broker(directory: Path, store: Path | None) -> BrokerProcess:
    url = None if store is None else f"file://{store}"
    return BrokerProcess(directory, SETTINGS, store=url)


def write(bootstrap: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "batch.num.messages": 10})
    for value in VALUES:
        producer.produce("t", value, partition=0)
    assert producer.flush(30) == 0


def read(bootstrap: str) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g"})
    consumer.assign([TopicPartition("t", 0, 0)])
    found = [each.value() for each in consumer.consume(len(VALUES), timeout=30)]
    consumer.close()
    return found


def test_a_start_with_another_store_is_refused_and_one_with_the_moved_store_goes_on(
    tmp_path: Path,
) -> None:
    first, moved = tmp_path / "first", tmp_path / "moved"
    with broker(tmp_path, first) as running:
        write(running.bootstrap)
        assert read(running.bootstrap) == VALUES
        wait_until_true(lambda: "segments_released" in running.log_tail())
        running.stop()
    for other in (None, tmp_path / "empty"):
        with pytest.raises(BrokerDiedError) as refused:
            broker(tmp_path, other).start()
        last = str(refused.value).splitlines()[-1]
        assert f"the archive of this directory is in file://{first}" in last
        assert f"start with --store 'file://{first}'" in last
    first.rename(moved)
    with broker(tmp_path, moved) as running:
        assert read(running.bootstrap) == VALUES
        running.stop()
    with broker(tmp_path, moved) as running:
        assert read(running.bootstrap) == VALUES
