"""What has been read from the archive is given back: memory does not grow with what goes by."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.conformance.waiting import wait_until_true
from tests.contract.object_stores import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.fault.broker_process import BrokerProcess

MIB = 1 << 20
TOPIC = "history"
RECORDS = 3000
RECORD_BYTES = 8 << 10
SETTINGS = {
    "log.retention.check.interval.ms": "50",
    "remote.cache.bytes": str(4 * MIB),
    "remote.fetch.range.bytes": str(MIB),
}
COLD = {"segment.bytes": str(4 * MIB), "local.retention.bytes": "1"}
FIRST_SCANS = 4
MORE_SCANS = 8
"""Of 24 MiB each, through a cache of 4: 192 MiB more, of which a tenth would be seen."""

GROWTH_BYTES_MAX = 16 * MIB


@pytest.fixture
def store(seaweedfs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    prefix = tmp_path.name.replace("_", "-")
    return f"s3://{BUCKET}/{prefix}?endpoint={seaweedfs}&region=us-east-1"


def produce(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(TOPIC, 1, 1, config=COLD)])[TOPIC].result()
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for number in range(RECORDS):
        producer.produce(TOPIC, (b"%07d " % number) * (RECORD_BYTES // 8), partition=0)
        producer.poll(0)
    assert producer.flush(30) == 0


def scan(bootstrap: str) -> int:
    """Read everything from the start; return how many records there were."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "none", "enable.partition.eof": True}
    consumer = Consumer({**settings, "queued.max.messages.kbytes": 4096})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    count = 0
    try:
        while True:
            message = consumer.poll(30)
            assert message is not None, f"nothing came for half a minute after {count} records"
            error = message.error()
            if error is None:
                count += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                return count
            else:
                raise AssertionError(error)
    finally:
        consumer.close()


def memory_bytes(pid: int) -> int:
    """Return the proportional share of memory of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    (pss,) = (line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(pss) << 10


@pytest.mark.rule("TIER-55")
def test_memory_does_not_grow_with_what_is_read_from_the_archive(
    tmp_path: Path, store: str
) -> None:
    with BrokerProcess(tmp_path, SETTINGS, store=store) as broker:
        produce(broker.bootstrap)
        wait_until_true(lambda: broker.metric("everlog_tier_object_bytes") >= 19 * MIB)
        worker = broker.worker_pid
        assert worker is not None
        before = {}
        for number in range(FIRST_SCANS + MORE_SCANS):
            if number == FIRST_SCANS:
                before = {pid: memory_bytes(pid) for pid in (broker.pid, worker)}
                fetched = broker.metric("everlog_tier_range_bytes")
            assert scan(broker.bootstrap) == RECORDS
        growth = {pid: memory_bytes(pid) - was for pid, was in before.items()}
        assert broker.metric("everlog_tier_range_bytes") - fetched > 100 * MIB
    assert max(growth.values()) < GROWTH_BYTES_MAX, growth
