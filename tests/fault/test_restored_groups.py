"""Groups, settings and topics without an archive come back with a cluster whose disk is gone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from everlog.format.cut import Cut
from everlog.stores.url import open_store
from service.app.system import SystemClock, SystemIds
from service.partition.restoration import clusters_in
from service.tiering.cut_choice import choose_cut
from service.tiering.cut_objects import CutObjects
from tests.conformance.waiting import wait_until_true
from tests.fault.broker_process import BrokerProcess
from tests.integration.command import Command
from tests.walk.broker_facts import metric

SETTINGS = {
    "log.segment.bytes": str(16 << 10),
    "log.retention.check.interval.ms": "50",
    "archive.restore.window.ms": str(24 * 3_600_000),
    "archive.cut.interval.ms": "300",
}
POLL_SECONDS_MAX = 60
TOPICS = {
    "orders": {},
    "cache": {"cleanup.policy": "compact"},
    "local": {"remote.storage.enable": "false", "retention.ms": "3600000"},
}


def consumer(bootstrap: str, group: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )


def make_cluster(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = [NewTopic(name, 2, 1, config=config) for name, config in TOPICS.items()]
    for created in admin.create_topics(new).values():
        created.result()
    setting = ConfigEntry(
        "log.retention.ms", "987654321", incremental_operation=AlterConfigOpType.SET
    )
    broker = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[setting])
    for altered in admin.incremental_alter_configs([broker]).values():
        altered.result()


def produce(bootstrap: str, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "batch.size": 4000})
    for number in range(count):
        value = f"{topic} {number} ".encode() * 40
        producer.produce(topic, value, key=b"%d" % number, partition=number % 2)
        producer.poll(0)
    assert producer.flush(30) == 0


def commit(bootstrap: str, group: str, *places: tuple[str, int, int]) -> None:
    client = consumer(bootstrap, group)
    offsets = [TopicPartition(*place, metadata=f"noted by {group}") for place in places]
    client.commit(offsets=offsets, asynchronous=False)
    client.close()


def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """Return what a group has committed; without what it has not."""
    client = consumer(bootstrap, group)
    asked = [TopicPartition(topic, number) for topic in TOPICS for number in range(2)]
    found = client.committed(asked, timeout=POLL_SECONDS_MAX)
    client.close()
    return {
        (each.topic, each.partition): each.offset
        for each in found
        if each.offset is not None and each.offset >= 0
    }


def first_read(bootstrap: str, group: str, topic: str) -> dict[int, Message]:
    """Join as a group does, and return the first record of each partition."""
    client = consumer(bootstrap, group)
    client.subscribe([topic])
    found: dict[int, Message] = {}
    while len(found) < 2:
        message = client.poll(POLL_SECONDS_MAX)
        assert message is not None
        assert message.error() is None, message.error()
        found.setdefault(message.partition() or 0, message)
    client.close()
    return found


def ends(bootstrap: str) -> list[int]:
    facts = Command(bootstrap).facts("tier", "status", "orders")
    return [each["archived_end"] for each in sorted(facts, key=lambda each: each["partition"])]


def archived(broker: BrokerProcess) -> list[int]:
    """Wait until every sealed segment of the topic is in the archive; return where it ends."""
    wait_until_true(lambda: not metric(broker.log_path, "everlog_tier_lag_bytes"))
    return ends(broker.bootstrap)


async def newest_cut(url: str) -> Cut | None:
    store = open_store(url, clock=SystemClock())
    (cluster_id,) = await clusters_in(store)
    objects = CutObjects(store, cluster_id=cluster_id, ids=SystemIds())
    chosen = await choose_cut(objects, at_ms=None)
    await store.close()
    return chosen.cut


def wait_for_a_cut(url: str, *, offsets: int) -> int:
    """Wait until the newest cut has so many offsets, and no other follows; return its time.

    One is made when something has changed: if none comes for a while, the last one has it all.
    """
    started_ms, found = SystemClock().wall_ms(), list[Cut]()

    def is_there() -> bool:
        cut = asyncio.run(newest_cut(url))
        if cut is None or cut.offsets != offsets:
            return False
        found[:] = [cut]
        return SystemClock().wall_ms() - max(started_ms, cut.created_ms) > 1000

    wait_until_true(is_there)
    return found[0].created_ms


def restore(url: str, directory: Path, *more: str) -> Any:
    directory.mkdir()
    words = ("tier", "restore", "--store", url, "--data-dir", str(directory / "data"), *more)
    return Command("127.0.0.1:1").facts(*words)


@pytest.mark.timeout(180)
@pytest.mark.rule("TIER-56")
def test_groups_go_on_where_they_had_committed_after_the_disk_is_gone(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    (tmp_path / "old").mkdir()
    old = BrokerProcess(tmp_path / "old", SETTINGS, store=url)
    with old:
        make_cluster(old.bootstrap)
        for topic in TOPICS:
            produce(old.bootstrap, topic, 300)
        early = archived(old)
        commit(old.bootstrap, "readers", ("orders", 0, 17), ("orders", 1, 23), ("cache", 0, 5))
        commit(old.bootstrap, "at the end", ("orders", 0, 150), ("orders", 1, 150))
        at_ms = wait_for_a_cut(url, offsets=5)
        commit(old.bootstrap, "readers", ("orders", 0, 90))
        produce(old.bootstrap, "orders", 200)
        late = archived(old)
        wait_for_a_cut(url, offsets=5)
        old.kill()
    assert all(before < 150 <= after for before, after in zip(early, late, strict=True))

    report = restore(url, tmp_path / "then", "--at", str(at_ms))
    assert report["cut"]["created_ms"] == at_ms
    assert report["cut"]["offsets"] == 4
    assert (report["cut"]["offsets_clamped"], report["cut"]["offsets_dropped"]) == (2, 1)
    assert {each["topic"]: each["partitions"] for each in report["empty_topics"]} == {
        "cache": 2,
        "local": 2,
    }
    with BrokerProcess(tmp_path / "then", SETTINGS, store=url) as then:
        assert ends(then.bootstrap) == early
        assert committed(then.bootstrap, "readers") == {("orders", 0): 17, ("orders", 1): 23}
        found = first_read(then.bootstrap, "readers", "orders")
        assert {number: each.offset() for number, each in found.items()} == {0: 17, 1: 23}
        # What was not archived is lost: these go on behind what is there.
        produce(then.bootstrap, "orders", 2)
        found = first_read(then.bootstrap, "at the end", "orders")
        assert {number: each.offset() for number, each in found.items()} == dict(enumerate(early))
        assert settings_of(then.bootstrap, ResourceType.BROKER, "1")["log.retention.ms"] == (
            "987654321"
        )
        for topic in "cache", "local":
            config = settings_of(then.bootstrap, ResourceType.TOPIC, topic)
            assert TOPICS[topic].items() <= config.items()
            produce(then.bootstrap, topic, 2)
        then.stop()

    # The restored cluster has cuts of its own: what its predecessor did later does not count.
    report = restore(url, tmp_path / "again")
    assert report["cut"]["offsets"] == 4
    with BrokerProcess(tmp_path / "again", SETTINGS, store=url) as again:
        assert committed(again.bootstrap, "readers") == {("orders", 0): 17, ("orders", 1): 23}


def settings_of(bootstrap: str, kind: ResourceType, name: str) -> dict[str, str]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (answer,) = admin.describe_configs([ConfigResource(kind, name)]).values()
    return {each.name: each.value for each in answer.result().values()}


def test_a_cluster_without_tiered_topics_writes_no_cut(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    (tmp_path / "broker").mkdir()
    broker = BrokerProcess(tmp_path / "broker", SETTINGS, store=url)
    with broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        new = NewTopic("local", 2, 1, config={"remote.storage.enable": "false"})
        admin.create_topics([new])["local"].result()
        produce(broker.bootstrap, "local", 10)
        commit(broker.bootstrap, "readers", ("local", 0, 3))
        broker.stop()
    assert not list((tmp_path / "store").rglob("cuts/*"))
