"""A real broker that serves what another one archives, through the same directory."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from everlog.stores.temporary_folder import TEMPORARY_FOLDER
from tests.conformance.waiting import wait_until_true
from tests.fault.broker_pages import BrokerPages
from tests.fault.broker_process import BrokerProcess, ReadOnlyBroker
from tests.integration.command import Command
from tests.waiting import wait_until
from tests.walk.broker_facts import metric

TOPIC = "flights"
SLICES = {"remote.copy.lag.max.ms": "60", "log.retention.check.interval.ms": "50"}
POLL = {"archive.read.only.poll.ms": "100"}
NEVER = {"archive.read.only.poll.ms": str(24 * 3_600_000)}
WAIT_SECONDS_MAX = 30


@contextmanager
def both(
    directory: Path, settings: dict[str, str], poll: dict[str, str]
) -> Iterator[tuple[BrokerProcess, ReadOnlyBroker]]:
    """Run a broker that writes, and give one that reads, which is not started yet."""
    homes = directory / "writer", directory / "reader"
    for each in homes:
        each.mkdir()
    store = f"file://{directory}/store"
    with BrokerProcess(homes[0], settings, store=store) as writer:
        reader = ReadOnlyBroker(homes[1], poll, store=store)
        try:
            yield writer, reader
        finally:
            reader.kill()


def value(number: int) -> bytes:
    return f"{number:0200d}".encode()


def produce(bootstrap: str, first: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for number in range(first, first + count):
        producer.produce(TOPIC, value(number), partition=0)
    assert producer.flush(WAIT_SECONDS_MAX) == 0


def archived(broker: BrokerProcess) -> None:
    wait_until_true(lambda: not metric(broker.log_path, "everlog_tier_lag_bytes"))


@contextmanager
def consumer(bootstrap: str, offset: int = 0) -> Iterator[Consumer]:
    found = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "none", "enable.partition.eof": True}
    )
    found.assign([TopicPartition(TOPIC, 0, offset)])
    yield found
    found.close()


def taken(reader: Consumer, count: int) -> list[tuple[int, bytes]]:
    """Take so many records, however often the log ends before there are as many."""
    records: list[tuple[int, bytes]] = []
    while len(records) < count:
        message = reader.poll(WAIT_SECONDS_MAX)
        assert message is not None, f"{len(records)} of {count} records came"
        error = message.error()
        if error is None:
            records.append((message.offset() or 0, message.value() or b""))
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
    return records


def expected(first: int, count: int) -> list[tuple[int, bytes]]:
    return [(number, value(number)) for number in range(first, first + count)]


def objects(directory: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of everything in a store, folders included."""
    found = {}
    for path in [directory / "store", *sorted((directory / "store").rglob("*"))]:
        status = os.stat(path)
        found[str(path)] = status.st_size, status.st_mtime_ns
    return found


@pytest.mark.rule("TIER-31")
def test_a_reader_has_every_archived_byte_sees_what_is_new_and_changes_nothing(
    tmp_path: Path,
) -> None:
    with both(tmp_path, SLICES, POLL) as (writer, reader):
        produce(writer.bootstrap, 0, 200)
        archived(writer)
        reader.start()
        with consumer(reader.bootstrap) as tail:
            assert taken(tail, 200) == expected(0, 200)
            for first in (200, 230, 260):
                produce(writer.bootstrap, first, 30)
                assert taken(tail, 30) == expected(first, 30)
        archived(writer)
        writer.stop()
        writer.wait_for_helpers()
        # As a writer leaves it that is cut off, or has it in hand: no business of a reader.
        (tmp_path / "store" / TEMPORARY_FOLDER / "half-written").write_bytes(b"half")
        before = objects(tmp_path)
        commit_and_refuse(reader)
        reader.stop()
        reader.wait_for_helpers()
        reader.start()
        with group(reader.bootstrap) as again:
            assert [each.offset for each in again.committed([TopicPartition(TOPIC, 0)])] == [123]
            assert taken(again, 5) == expected(123, 5)
        assert objects(tmp_path) == before


@contextmanager
def group(bootstrap: str) -> Iterator[Consumer]:
    member = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "g", "enable.auto.commit": False}
    )
    member.subscribe([TOPIC])
    yield member
    member.close()


def commit_and_refuse(reader: BrokerProcess) -> None:
    with group(reader.bootstrap) as member:
        member.commit(offsets=[TopicPartition(TOPIC, 0, 123)], asynchronous=False)
    admin = AdminClient({"bootstrap.servers": reader.bootstrap})
    entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    config = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[entry])
    futures = [
        *admin.create_topics([NewTopic("new", 1, 1)]).values(),
        *admin.delete_topics([TOPIC]).values(),
        *admin.delete_records([TopicPartition(TOPIC, 0, 5)]).values(),
        *admin.incremental_alter_configs([config]).values(),
    ]
    for future in futures:
        with pytest.raises(KafkaException) as caught:
            future.result(WAIT_SECONDS_MAX)
        assert caught.value.args[0].code() == KafkaError.POLICY_VIOLATION
    assert refused(reader.bootstrap) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    no_producer_id(reader.bootstrap)
    assert reader.metric("everlog_source_partitions") == 1


def no_producer_id(bootstrap: str) -> None:
    """Be an idempotent producer until it gives up for good."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    with pytest.raises(KafkaException) as caught:
        wait_until_true(lambda: producer.poll(0) < 0)
    assert caught.value.args[0].fatal()
    assert caught.value.args[0].code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED


def refused(bootstrap: str) -> int:
    told: list[int] = []
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(TOPIC, b"x", on_delivery=lambda error, _: told.append(error.code()))
    assert producer.flush(WAIT_SECONDS_MAX) == 0
    return told[0]


@pytest.mark.rule("TIER-31")
def test_merges_and_deletions_behind_a_readers_back_cost_it_nothing(tmp_path: Path) -> None:
    settings = {**SLICES, "archive.reader.grace.ms": "0"}
    with both(tmp_path, settings, NEVER) as (writer, reader):
        for first in range(0, 60, 5):
            produce(writer.bootstrap, first, 5)
            archived(writer)
        reader.start()
        with consumer(reader.bootstrap) as middle:
            assert taken(middle, 7) == expected(0, 7)
            count = 60
            deleted = "everlog_tier_deleted_objects_total"
            while not metric(writer.log_path, deleted) or count < 90:
                produce(writer.bootstrap, count, 5)
                count += 5
                archived(writer)
                assert count < 3000, "nothing was merged"
        with consumer(reader.bootstrap) as whole:
            assert taken(whole, 60) == expected(0, 60)


def test_commands_that_would_write_say_where_to_and_others_find_the_archive(
    tmp_path: Path,
) -> None:
    with both(tmp_path, SLICES, POLL) as (writer, reader):
        produce(writer.bootstrap, 0, 5)
        archived(writer)
        reader.start()
        everlog = Command(reader.bootstrap)
        for words in (
            ["produce", TOPIC],
            ["produce", "absent"],
            ["topic", "create", "new"],
            ["topic", "alter", TOPIC, "--set", "retention.ms=1"],
            ["topic", "alter", TOPIC, "--partitions", "5"],
            ["topic", "delete", TOPIC, "--yes"],
            ["tier", "hold", TOPIC],
            ["tier", "clone", TOPIC, "copy"],
            ["tier", "undelete", "gone"],
            ["tier", "scrub", "--now"],
        ):
            said = everlog.refusal(*words, status=1)
            assert said.startswith("everlog: this broker is read-only, it serves the archive "), (
                said
            )
            assert "; write to a broker of " in said
        assert everlog.facts("tier", "locate", f"{TOPIC}:0@3")["object"]["start"] <= 3
        assert everlog.facts("tier", "explain", TOPIC)["archive_objects"] >= 1
        Command(writer.bootstrap).out("topic", "delete", TOPIC, "--yes")
        wait_until_true(lambda: bool(everlog.facts("tier", "deleted")))


def test_topics_come_and_grow_as_they_do_at_the_writer(tmp_path: Path) -> None:
    with both(tmp_path, SLICES, POLL) as (writer, reader):
        produce(writer.bootstrap, 0, 5)
        archived(writer)
        reader.start()
        write, read = (
            AdminClient({"bootstrap.servers": each.bootstrap}) for each in (writer, reader)
        )

        def seen() -> dict[str, int]:
            topics = read.list_topics(timeout=WAIT_SECONDS_MAX).topics
            return {name: len(topic.partitions) for name, topic in topics.items()}

        assert seen() == {TOPIC: 1}
        write.create_topics([NewTopic("more", 2, 1)])["more"].result()
        wait_until_true(lambda: seen() == {TOPIC: 1, "more": 2})
        write.create_partitions([NewPartitions("more", 5)])["more"].result()
        wait_until_true(lambda: seen() == {TOPIC: 1, "more": 5})


def test_damage_that_consumers_meet_is_told_once_and_the_reader_stays_ready(
    tmp_path: Path,
) -> None:
    with both(tmp_path, SLICES, POLL) as (writer, reader):
        produce(writer.bootstrap, 0, 200)
        archived(writer)
        reader.start()
        pages = BrokerPages(reader.log_path)
        assert "degraded" not in pages.readiness()[1]
        damaged = sorted((tmp_path / "store").rglob("*.seg"))
        sound = [each.read_bytes() for each in damaged]
        for each, body in zip(damaged, sound, strict=True):
            each.write_bytes(body[:100] + bytes([body[100] ^ 1]) + body[101:])
        with consumer(reader.bootstrap) as waiting:
            # It is told to ask again, and does.
            wait_until(lambda: waiting.poll(0.1) or _reads(reader) > 2, reader.log_tail)
            status, text = pages.readiness()
            assert status == 200
            assert "degraded: 1 archived object is damaged or missing" in text
            assert reader.log_path.read_text().count('"archive_object_unreadable"') == 1
            page = f"http://{_admin(reader)}/metrics"
            shown = Command(reader.bootstrap).out("tier", "status", "--metrics", page)
            assert b"Damage: 1 archived object damaged or missing" in shown
            for each, body in zip(damaged, sound, strict=True):
                each.write_bytes(body)
            assert taken(waiting, 200) == expected(0, 200)
        assert "degraded" not in pages.readiness()[1]


def _reads(broker: BrokerProcess) -> float:
    return broker.metric("everlog_tier_damaged_reads")


def _admin(broker: BrokerProcess) -> str:
    return re.findall(r'"admin": "http://([^"]+)"', broker.log_path.read_text())[-1]
