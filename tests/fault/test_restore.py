"""A broker whose disk is gone: its store alone brings it back, and fences what had it before."""

import asyncio
import os
from hashlib import sha256
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from everlog.format.object_keys import RootKey, parse_key
from everlog.stores.object_store import list_all
from everlog.stores.url import open_store
from service.app.system import SystemClock
from tests.conformance.waiting import wait_until_true
from tests.contract.object_stores import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.fault.broker_process import BrokerProcess
from tests.integration.command import Command
from tests.walk.broker_facts import metric

SETTINGS = {
    "log.segment.bytes": str(16 << 10),
    "log.retention.check.interval.ms": "50",
    "archive.restore.window.ms": str(24 * 3_600_000),
}
TOPICS = {"orders": 2, "clicks": 1}
IS_LONG = "EVERLOG_TEST_RESTORE_PARTITIONS" in os.environ
"""``make fault``: on SeaweedFS too, and with one broker more."""

WAIT_SECONDS_MAX = 60

Log = list[tuple[int, bytes]]
"""Offset of each record, and the SHA-256 of its key and value."""


@pytest.fixture(params=["file", "seaweedfs"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/store"
    if not IS_LONG:
        pytest.skip("`make fault` restores from SeaweedFS too")
    endpoint = request.getfixturevalue("seaweedfs")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    prefix = tmp_path.name.replace("_", "-")
    return f"s3://{BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1"


def create_topics(bootstrap: str) -> None:
    new = [
        NewTopic(name, count, 1, config={"max.message.bytes": "70000"})
        for name, count in TOPICS.items()
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for created in admin.create_topics(new).values():
        created.result()


def produce(bootstrap: str, first: int, count: int) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "batch.size": 4000, "enable.idempotence": True}
    )
    for number in range(first, first + count):
        for topic, partitions in TOPICS.items():
            value = f"{topic} {number} ".encode() * 40
            producer.produce(topic, value, key=b"%d" % number, partition=number % partitions)
        producer.poll(0)
    assert producer.flush(30) == 0


def consume(bootstrap: str) -> dict[tuple[str, int], Log]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "none", "enable.partition.eof": True}
    )
    found: dict[tuple[str, int], Log] = {
        (topic, number): [] for topic, count in TOPICS.items() for number in range(count)
    }
    consumer.assign([TopicPartition(*key, 0) for key in found])
    ended = 0
    while ended < len(found):
        message = consumer.poll(WAIT_SECONDS_MAX)
        assert message is not None
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF
            ended += 1
            continue
        digest = sha256((message.key() or b"") + b"\0" + (message.value() or b"")).digest()
        offset = message.offset()
        assert offset is not None
        found[str(message.topic()), message.partition() or 0].append((offset, digest))
    consumer.close()
    return found


def archived(broker: BrokerProcess) -> dict[tuple[str, int], int]:
    """Wait until every sealed segment is in the archive; return where it ends."""
    wait_until_true(lambda: not metric(broker.log_path, "everlog_tier_lag_bytes"))
    facts = Command(broker.bootstrap).facts("tier", "status", *TOPICS)
    return {(each["topic"], each["partition"]): each["archived_end"] for each in facts}


def restore(url: str, directory: Path, *more: str) -> int:
    """Restore; return how many records there are."""
    data_dir = str(directory / "data")
    facts = Command("127.0.0.1:1").facts(
        "tier", "restore", "--store", url, "--data-dir", data_dir, *more
    )
    assert {each["topic"]: each["partitions"] for each in facts["topics"]} == TOPICS
    return sum(each["records"] for each in facts["topics"])


def delete_roots(url: str) -> int:
    async def delete() -> int:
        store = open_store(url, clock=SystemClock())
        names = [info.key async for info in list_all(store, "")]
        roots = [name for name in names if isinstance(parse_key(name), RootKey)]
        await store.delete(roots)
        await store.close()
        return len(roots)

    return asyncio.run(delete())


def prefix_of(
    logs: dict[tuple[str, int], Log], ends: dict[tuple[str, int], int]
) -> dict[tuple[str, int], Log]:
    return {key: [each for each in log if each[0] < ends[key]] for key, log in logs.items()}


@pytest.mark.rule("TIER-25")
@pytest.mark.rule("TIER-56")
def test_a_store_alone_brings_every_archived_record_back_and_the_old_disk_is_refused(
    tmp_path: Path, url: str
) -> None:
    old_dir, new_dir, third_dir = (tmp_path / name for name in ("old", "new", "third"))
    for each in (old_dir, new_dir, third_dir):
        each.mkdir()
    old = BrokerProcess(old_dir, SETTINGS, store=url)
    with old:
        create_topics(old.bootstrap)
        produce(old.bootstrap, 0, 300)
        early = archived(old)
        at_ms = SystemClock().wall_ms()
        produce(old.bootstrap, 300, 300)
        ends = archived(old)
        before = consume(old.bootstrap)
        wait_until_true(lambda: len(topic_records(url)) >= len(TOPICS))
    assert restore(url, new_dir, "--at", str(at_ms)) == sum(early.values()) < sum(ends.values())
    if IS_LONG:
        with BrokerProcess(new_dir, SETTINGS, store=url) as new:
            assert consume(new.bootstrap) == prefix_of(before, early)
    # Without roots the objects of what came later, which are there for a day, count again.
    delete_roots(url)
    assert restore(url, third_dir) == sum(ends.values())
    with BrokerProcess(third_dir, SETTINGS, store=url) as third:
        restored = consume(third.bootstrap)
        assert restored == prefix_of(before, ends)
        produce(third.bootstrap, 600, 200)
        archived(third)
        for key, log in consume(third.bootstrap).items():
            assert [offset for offset, _ in log] == list(range(len(log)))
            assert log[: ends[key]] == restored[key]
            assert len(log) >= ends[key] + 100
    # Whoever had the store before comes back, and has to leave it alone.
    with old:
        wait_until_true(lambda: "store_lost_to_restore" in old.log_path.read_text())
        assert "must not write there any more" in old.log_tail(200)
        old.stop()
    refused = Command("127.0.0.1:1").refusal(
        "tier", "restore", "--store", url, "--data-dir", str(third_dir / "data"), status=1
    )
    assert "give another --data-dir" in refused


def topic_records(url: str) -> list[str]:
    async def names() -> list[str]:
        store = open_store(url, clock=SystemClock())
        found = [info.key async for info in list_all(store, "meta/")]
        await store.close()
        return [name for name in found if "/topics/" in name]

    return asyncio.run(names())
