"""Replicas move between processes under load, by the admin client of kafka-python."""

import os
import signal
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaAdminClient, TopicPartition

from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.test_dev_cluster import dev_cluster, members, three_ports
from tests.fault.test_failover import in_sync
from tests.waiting import WAIT_SECONDS_MAX, wait_until

TOPIC = "orders"
PARTITION = TopicPartition(TOPIC, 0)


def replicas_of(admin: AdminClient) -> list[int]:
    found = admin.list_topics(TOPIC, timeout=WAIT_SECONDS_MAX).topics[TOPIC]
    return list(found.partitions[0].replicas)


def segments_in(data: Path) -> int:
    """Return how many segments all brokers have of the only topic, which fills none."""
    return sum(each.parent.name == "0" for each in data.rglob("*.log"))


@pytest.mark.rule("KIP-455")
def test_a_partition_moves_under_load_while_its_new_broker_is_killed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        process, bootstrap = stack.enter_context(dev_cluster(tmp_path, three_ports()))
        admin = AdminClient({"bootstrap.servers": bootstrap})
        topic = NewTopic(TOPIC, 1, replica_assignment=[[1, 2]])
        for created in admin.create_topics([topic]).values():
            created.result(WAIT_SECONDS_MAX)
        wait_until(lambda: in_sync(admin, TOPIC) == 2, "not all are in sync")
        mover = stack.enter_context(closing(KafkaAdminClient(bootstrap_servers=bootstrap)))
        load = IdempotentLoad(bootstrap, TOPIC, 1, pause_s=0.001)
        load.start()
        load.wait_for_progress()
        assert mover.alter_partition_reassignments({PARTITION: [3, 2]}) == {PARTITION: None}
        os.kill(members(process.pid)[3], signal.SIGKILL)
        load.wait_for_progress()
        wait_until(lambda: replicas_of(admin) == [3, 2], "it does not end")
        assert mover.list_partition_reassignments() == {}
        assert mover.alter_partition_reassignments({PARTITION: [1]}) == {PARTITION: None}
        wait_until(lambda: replicas_of(admin) == [1], "it does not end")
        load.wait_for_progress()
        load.stop()
        wait_until(lambda: segments_in(tmp_path / "data") == 1, "others keep its log")
        found = read_numbers(bootstrap, TOPIC, 0)
        assert violations(load.acknowledged.offsets[0], found) == []
