"""Consumers that name their rack read from the replica in it (KIP-392), with a real client."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from service.model.broker_cluster_settings import RACK_AWARE_SELECTOR
from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.fault.broker_process import BrokerProcess
from tests.fault.test_failover import bootstrap, in_sync, leader_of, running_cluster
from tests.waiting import WAIT_SECONDS_MAX, wait_until

TOPIC = "near"
RECORDS = 2_000
VALUE_BYTES = 500


def rack_of(number: int) -> dict[str, str]:
    return {"broker.rack": f"rack-{number}", "replica.selector.class": RACK_AWARE_SELECTOR}


def produced(brokers: list[BrokerProcess], numbers: range) -> None:
    producer = Producer({"bootstrap.servers": bootstrap(brokers), "linger.ms": 5})
    for number in numbers:
        producer.produce(TOPIC, value=b"%d" % number + b"." * VALUE_BYTES)
    assert producer.flush(WAIT_SECONDS_MAX) == 0


def numbers_read(consumer: Consumer, count: int) -> list[int]:
    read: list[int] = []
    while len(read) < count:
        message = consumer.poll(WAIT_SECONDS_MAX)
        assert message is not None, f"{len(read)} of {count} records came"
        assert message.error() is None, message.error()
        read.append(int(message.value().split(b".")[0]))
    return read


@pytest.mark.rule("KIP-392")
def test_a_consumer_reads_from_the_replica_in_its_rack(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble
) -> None:
    with running_cluster(tmp_path, zookeeper, settings_of=rack_of) as brokers:
        admin = AdminClient({"bootstrap.servers": bootstrap(brokers)})
        for created in admin.create_topics([NewTopic(TOPIC, 1, 3)]).values():
            created.result(WAIT_SECONDS_MAX)
        wait_until(lambda: in_sync(admin, TOPIC) == 3, "not all are in sync")
        leader = leader_of(admin, TOPIC)
        assert leader is not None
        near = leader % len(brokers) + 1
        produced(brokers, range(RECORDS))
        consumer = Consumer(
            {
                "bootstrap.servers": bootstrap(brokers),
                "group.id": "near",
                "client.rack": f"rack-{near}",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10_000,
            }
        )
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        assert numbers_read(consumer, RECORDS) == list(range(RECORDS))
        # Records that come while it waits at the follower's end.
        more = range(RECORDS, 2 * RECORDS)
        produced(brokers, more)
        assert numbers_read(consumer, RECORDS) == list(more)
        # It has them from the follower, which sends nobody else as much.
        sent = brokers[near - 1].metric("everlog_sent_bytes")
        assert sent > 2 * RECORDS * VALUE_BYTES
        # The follower goes; its consumer goes back to the leader.
        brokers[near - 1].kill()
        last = range(2 * RECORDS, 3 * RECORDS)
        produced(brokers, last)
        assert numbers_read(consumer, RECORDS) == list(last)
        consumer.close()
