"""A broker that has lost its disk copies what is not archived, and nothing else (KIP-405)."""

import os
import shutil
import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.fault.broker_process import BrokerProcess
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.test_failover import bootstrap, in_sync, leader_of, running_cluster
from tests.waiting import WAIT_SECONDS_MAX, wait_until

MIB = 1 << 20
REJOIN_MIB = int(os.environ.get("EVERLOG_TEST_REJOIN_MIB", "8"))
TOPIC = "orders"
SEGMENT_BYTES = 256 << 10
PAYLOAD_BYTES = 4_000
COPIED_SHARE_MAX = 1.2
"""Of what is not archived."""

pytestmark = pytest.mark.timeout(120 + REJOIN_MIB)


def log_bytes(broker: BrokerProcess) -> int:
    """Return the size of all segments on a broker's disk."""
    return sum(each.stat().st_size for each in (broker.data_dir / "logs").rglob("*.log"))


def written(brokers: list[BrokerProcess], admin: AdminClient) -> IdempotentLoad:
    """Write the topic, until all but its newest segments are in the archive alone."""
    config = {"segment.bytes": str(SEGMENT_BYTES), "local.retention.bytes": "1"}
    new = NewTopic(TOPIC, 1, 3, config=config)
    for created in admin.create_topics([new]).values():
        created.result(WAIT_SECONDS_MAX)
    wait_until(lambda: in_sync(admin, TOPIC) == 3, "not all are in sync")
    load = IdempotentLoad(
        bootstrap(brokers),
        TOPIC,
        1,
        payload_bytes=PAYLOAD_BYTES,
        pause_s=0,
        numbers_max=REJOIN_MIB * MIB // PAYLOAD_BYTES,
        batch_bytes=64 << 10,
    )
    load.start()
    wait_until(lambda: load.is_done, "not all is acknowledged")
    wait_until(
        lambda: all(log_bytes(broker) < 3 * SEGMENT_BYTES for broker in brokers),
        "what is archived stays on disks",
    )
    return load


@pytest.mark.rule("KIP-405")
def test_a_wiped_broker_copies_what_is_not_archived_and_then_leads(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble
) -> None:
    with running_cluster(tmp_path, zookeeper) as brokers:
        admin = AdminClient({"bootstrap.servers": bootstrap(brokers)})
        load = written(brokers, admin)
        leader = leader_of(admin, TOPIC)
        assert leader is not None
        wiped = brokers[leader % len(brokers)]
        wiped.kill()
        shutil.rmtree(wiped.data_dir)
        not_archived = log_bytes(brokers[leader - 1])
        begun = time.monotonic()
        wiped.start()
        started = time.monotonic()
        wait_until(lambda: in_sync(admin, TOPIC) == 3, "it does not come back")
        copied = wiped.metric("everlog_replica_fetched_bytes")
        print(
            f"\n{REJOIN_MIB} MiB written, {not_archived / MIB:.2f} not archived, "
            f"{copied / MIB:.2f} copied; served after {started - begun:.2f} s, "
            f"in sync {time.monotonic() - started:.2f} s later"
        )
        assert wiped.metric("everlog_replica_archive_starts") == 1
        assert copied <= COPIED_SHARE_MAX * not_archived
        for broker in brokers:
            if broker is not wiped:
                broker.kill()
        wait_until(lambda: leader_of(admin, TOPIC) == brokers.index(wiped) + 1, "it does not lead")
        # What it has is committed when another one has it, too.
        brokers[leader - 1].start()
        found = read_numbers(bootstrap(brokers), TOPIC, 0, payload_bytes=PAYLOAD_BYTES)
        load.stop()
        assert violations(load.acknowledged.offsets[0], found) == []
