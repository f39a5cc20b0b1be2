"""A real broker whose topic gets a clone, is deleted, and whose clone goes on with its objects."""

import asyncio
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from tests.fault.broker_process import BrokerProcess
from tests.fault.tier_audit import audit
from tests.integration.command import Command
from tests.waiting import WAIT_SECONDS_MAX, wait_until
from tests.walk.broker_facts import metric

SETTINGS = {
    "remote.copy.lag.max.ms": "60",
    "log.retention.check.interval.ms": "50",
    "archive.delete.grace.ms": "0",
    "archive.reader.grace.ms": "0",
    "archive.restore.window.ms": "0",
}
PARTITIONS = 2


def produce(bootstrap: str, topic: str, first: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for number in range(first, first + count):
        producer.produce(topic, f"{number:0200d}".encode(), partition=number % PARTITIONS)
    assert producer.flush(30) == 0


def digest(bootstrap: str, topic: str) -> tuple[int, str]:
    """Number and digest of all records of a topic, read from the beginning."""
    config = {"group.id": "none", "enable.partition.eof": True, "fetch.wait.max.ms": 5}
    consumer = Consumer({"bootstrap.servers": bootstrap, **config})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    found: dict[int, list[bytes]] = {number: [] for number in range(PARTITIONS)}
    left = PARTITIONS
    while left:
        message = consumer.poll(WAIT_SECONDS_MAX)
        assert message is not None
        error, offset = message.error(), message.offset()
        if error is None:
            found[message.partition() or 0].append(b"%d " % (offset or 0) + message.value())
            continue
        assert error.code() == KafkaError._PARTITION_EOF
        left -= 1
    consumer.close()
    whole = [value for number in range(PARTITIONS) for value in found[number]]
    return len(whole), sha256(b"|".join(whole)).hexdigest()


def create(admin: AdminClient, name: str, *, partitions: int = -1, **config: str) -> None:
    settings = {key.replace("_", "."): value for key, value in config.items()}
    topic = NewTopic(name, num_partitions=partitions, replication_factor=-1, config=settings)
    admin.create_topics([topic])[name].result(30)


def objects(store: Path) -> list[str]:
    """Names in a store whose broker may be removing some."""
    walked = os.walk(store)  # passes over what has just gone
    return [f"{directory}/{name}" for directory, _, names in walked for name in names]


def archived(broker: BrokerProcess) -> None:
    wait_until(lambda: not metric(broker.log_path, "everlog_tier_lag_bytes"))


@pytest.mark.rule("TIER-56")
def test_a_clone_outlives_its_source_and_the_bucket_ends_empty(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, SETTINGS) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        create(admin, "source", partitions=PARTITIONS)
        for round_number in range(5):
            produce(broker.bootstrap, "source", round_number * 40, 40)
            archived(broker)
        whole = digest(broker.bootstrap, "source")
        before = segments(broker)
        create(admin, "copy", archive_clone_from="source")
        assert digest(broker.bootstrap, "copy") == whole
        assert segments(broker) == before, "nothing was copied"

        described = admin.describe_configs([ConfigResource("topic", "copy")])
        (settings,) = [future.result(30) for future in described.values()]
        assert "archive.clone.from" not in settings

        produce(broker.bootstrap, "copy", 200, 40)  # it goes on behind what it was made of
        archived(broker)
        larger = digest(broker.bootstrap, "copy")
        assert larger[0] == whole[0] + 40
        assert digest(broker.bootstrap, "source") == whole
        broker.stop()
        assert asyncio.run(audit(broker.data_dir)).problems == []
        broker.start()

        admin.delete_topics(["source"])["source"].result(30)
        log = broker.log_path
        wait_until(lambda: swept(log, "source"))
        broker.stop()
        broker.start()  # nothing of the clone is in a cache any more
        assert digest(broker.bootstrap, "copy") == larger
        create(admin, "copy2", archive_clone_from="copy")
        assert digest(broker.bootstrap, "copy2") == larger
        admin.delete_topics(["copy"])["copy"].result(30)
        wait_until(lambda: swept(log, "copy"))
        assert digest(broker.bootstrap, "copy2") == larger
        admin.delete_topics(["copy2"])["copy2"].result(30)
        wait_until(lambda: only_marker(broker))


@pytest.mark.rule("TIER-56")
@pytest.mark.parametrize("source_is_deleted", [False, True])
def test_a_clone_that_is_restored_finds_its_source_s_objects_and_keeps_them(
    tmp_path: Path, *, source_is_deleted: bool
) -> None:
    url = f"file://{tmp_path}/store"
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with BrokerProcess(tmp_path / "first", SETTINGS, store=url) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        create(admin, "source", partitions=PARTITIONS)
        produce(broker.bootstrap, "source", 0, 60)
        archived(broker)
        create(admin, "copy", archive_clone_from="source")
        produce(broker.bootstrap, "copy", 100, 20)
        archived(broker)
        whole = digest(broker.bootstrap, "copy")
        if source_is_deleted:
            admin.delete_topics(["source"])["source"].result(30)
            wait_until(lambda: swept(broker.log_path, "source"))
    data_dir = str(tmp_path / "second" / "data")
    facts = Command("127.0.0.1:1").facts("tier", "restore", "--store", url, "--data-dir", data_dir)
    restored = {each["topic"] for each in facts["topics"]}
    assert restored == ({"copy"} if source_is_deleted else {"copy", "source"})
    with BrokerProcess(tmp_path / "second", SETTINGS, store=url) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        assert digest(broker.bootstrap, "copy") == whole
        if not source_is_deleted:
            admin.delete_topics(["source"])["source"].result(30)
            wait_until(lambda: swept(broker.log_path, "source"))
        broker.stop()
        broker.start()
        assert digest(broker.bootstrap, "copy") == whole
        admin.delete_topics(["copy"])["copy"].result(30)
        store = tmp_path / "store"
        wait_until(lambda: not any(name.endswith(".seg") for name in objects(store)))


def segments(broker: BrokerProcess) -> int:
    return sum(name.endswith(".seg") for name in objects(broker.data_dir / "store"))


def only_marker(broker: BrokerProcess) -> bool:
    """Whether nothing is left but the marker and cuts, of which the newest always stays."""
    names = objects(broker.data_dir / "store")
    return all(name.endswith("/cluster.json") or "/cuts/" in name for name in names)


def swept(log: Path, topic: str) -> bool:
    """Whether the first sweep of a deleted topic is over."""
    lines = log.read_text().splitlines()
    return any('"deleted_topic_swept"' in line and f'"{topic}"' in line for line in lines)


@pytest.mark.parametrize(
    ("config", "partitions", "reason"),
    [
        ({"archive_clone_from": "nothing"}, -1, "there is no such topic"),
        ({"archive_clone_from": "plain"}, -1, "it is not tiered"),
        ({"archive_clone_from": "table"}, -1, "it is compacted"),
        ({"archive_clone_from": "source"}, 3, "has its 2 partitions, not 3"),
        (
            {"archive_clone_from": "source", "remote_storage_enable": "false"},
            -1,
            "the clone is not tiered",
        ),
    ],
)
def test_what_cannot_be_cloned_is_refused_with_a_reason(
    running: BrokerProcess, config: dict[str, str], partitions: int, reason: str
) -> None:
    admin = AdminClient({"bootstrap.servers": running.bootstrap})
    with pytest.raises(KafkaException, match=reason):
        create(admin, "copy", partitions=partitions, **config)


def test_the_command_says_what_is_in_a_clone_and_what_is_not(running: BrokerProcess) -> None:
    command = Command(running.bootstrap)
    produce(running.bootstrap, "source", 0, 10)
    archived(running)
    facts = command.facts("tier", "clone", "source", "branch", "-c", "retention.ms=-1")
    assert [each["end"] for each in facts["partition_list"]] == [5, 5]
    assert [each["left_out"] for each in facts["partition_list"]] == [0, 0]
    explained = command.facts("tier", "explain", "branch")
    assert explained["cloned_from"] == ["source"]
    again = command.facts("tier", "clone", "branch", "twig")
    assert sum(each["end"] for each in again["partition_list"]) == 10
    wait_until(
        lambda: command.facts("tier", "explain", "twig")["cloned_from"] == ["branch", "source"]
    )
    settings = command.facts("topic", "describe", "twig")["settings"]
    assert settings["retention.ms"] == "-1"
    store = f"file://{running.data_dir}/store"
    assert command.facts("tier", "verify", "--store", store)["problems"] == 0


def test_a_name_that_is_taken_cannot_be_a_clone_s(running: BrokerProcess) -> None:
    admin = AdminClient({"bootstrap.servers": running.bootstrap})
    with pytest.raises(KafkaException, match="already exists"):
        create(admin, "plain", archive_clone_from="source")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path_factory.mktemp("clones"), SETTINGS) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        create(admin, "source", partitions=PARTITIONS)
        create(admin, "plain", partitions=1, remote_storage_enable="false")
        create(
            admin,
            "table",
            partitions=1,
            cleanup_policy="compact",
            remote_storage_enable="false",
        )
        yield broker
