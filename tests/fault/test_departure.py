"""A broker that waits for others to take over, and somebody who does not want to wait."""

import os
import signal
from pathlib import Path

from confluent_kafka.admin import AdminClient

from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.fault.test_failover import TOPIC, bootstrap, create, running_cluster
from tests.waiting import WAIT_SECONDS_MAX, wait_until

LASTING = {"zookeeper.session.timeout.ms": "40000"}
"""Whoever is suspended stays registered for long enough."""

NEVER = {"controlled.shutdown.max.retries": "1000"}


def test_a_second_signal_ends_the_wait(tmp_path: Path, zookeeper: ZooKeeperEnsemble) -> None:
    with running_cluster(tmp_path, zookeeper, settings_of=lambda _: LASTING | NEVER) as brokers:
        admin = AdminClient({"bootstrap.servers": bootstrap(brokers)})
        create(admin, TOPIC, 3)
        controller = admin.list_topics(timeout=WAIT_SECONDS_MAX).controller_id
        leaving, *_ = [each for n, each in enumerate(brokers, 1) if n != controller]
        others = [each for each in brokers if each is not leaving]
        for each in others:
            os.kill(each.pid, signal.SIGSTOP)
        os.kill(leaving.pid, signal.SIGTERM)
        wait_until(lambda: '"draining"' in leaving.log_tail(), "it does not drain")
        os.kill(leaving.pid, signal.SIGTERM)
        assert leaving.wait() == 0
        assert "draining_cut_short" in leaving.log_tail()
