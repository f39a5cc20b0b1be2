"""Three brokers on a real ZooKeeper, all of which are started anew, one after the other."""

import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, PartitionMetadata

from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.fault.group_reader import GroupReader
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.test_failover import (
    TOPIC,
    bootstrap,
    create,
    in_sync,
    running_cluster,
    texts,
)
from tests.waiting import WAIT_SECONDS_MAX, wait_until

PARTITIONS = 3
OFFSETS = "__consumer_offsets"


def led(admin: AdminClient, topic: str) -> list[PartitionMetadata]:
    found = admin.list_topics(topic, timeout=WAIT_SECONDS_MAX).topics[topic]
    return list(found.partitions.values())


@pytest.mark.rule("REL-C9")
def test_no_client_is_told_of_an_error_while_all_brokers_are_started_anew(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble
) -> None:
    settings = {
        "offsets.topic.num.partitions": "3",
        "group.initial.rebalance.delay.ms": "0",
        # Leaders go back while others are still coming and going.
        "leader.imbalance.check.interval.seconds": "1",
    }
    with running_cluster(tmp_path, zookeeper, settings_of=lambda _: settings) as brokers:
        admin = AdminClient({"bootstrap.servers": bootstrap(brokers)})
        create(admin, TOPIC, PARTITIONS)
        load = IdempotentLoad(bootstrap(brokers), TOPIC, PARTITIONS, pause_s=0.002)
        reader = GroupReader(bootstrap(brokers), TOPIC, "readers")
        reader.start()
        load.start()
        wait_until(lambda: len(reader.told.numbers) == PARTITIONS, "nothing is read")
        gaps = []
        for broker in brokers:
            load.wait_for_progress()
            load.longest_gap()
            broker.stop()
            load.wait_for_progress()
            time.sleep(0.5)
            gaps.append(load.longest_gap())
            broker.start()
            wait_until(
                lambda: min(in_sync(admin, TOPIC), in_sync(admin, OFFSETS)) == 3,
                "it does not come back",
            )
        wait_until(
            lambda: all(each.leader == each.replicas[0] for each in led(admin, TOPIC)),
            "leaders do not go back",
        )
        load.stop()
        numbers = range(load.sent)
        wait_until(
            lambda: all(set(numbers) <= {*read} for read in reader.told.numbers.values()),
            "not everything is read",
        )
        reader.stop()
        print(f"\nlongest seconds without an acknowledgement: {texts(gaps)}")
        assert load.acknowledged.refused == []
        assert reader.told.errors == []
        assert reader.told.joins == 1, "it has stayed a member all the time"
        for partition in range(PARTITIONS):
            found = read_numbers(bootstrap(brokers), TOPIC, partition)
            assert violations(load.acknowledged.offsets[partition], found) == []
            assert reader.told.numbers[partition] == [number for _, number in found]
        assert reader.committed(PARTITIONS) == [load.sent] * PARTITIONS
