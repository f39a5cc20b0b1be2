"""Three brokers whose ZooKeeper loses its leader, and then goes away for longer than a session."""

import os
import threading
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.contract.zookeeper_server import ZooKeeperEnsemble, ZooKeeperServer
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.test_failover import SESSION_SECONDS, bootstrap, in_sync, running_cluster
from tests.waiting import WAIT_SECONDS_MAX, wait_until

AWAY_SECONDS = float(os.environ.get("EVERLOG_TEST_ZOOKEEPER_AWAY", "6"))
TOPICS = {"all": "all", "one": "1"}
PARTITIONS = 3

pytestmark = pytest.mark.timeout(180 + AWAY_SECONDS)

assert AWAY_SECONDS > 2 * SESSION_SECONDS, "what a shorter outage does is no news"


def leading(ensemble: ZooKeeperEnsemble) -> ZooKeeperServer:
    return next(each for each in ensemble.servers if b"Mode: leader" in each.said(b"srvr"))


class Reading(threading.Thread):
    """A group of one that reads and commits until it is stopped."""

    def __init__(self, addresses: str, topic: str) -> None:
        super().__init__(daemon=True)
        settings = {
            "bootstrap.servers": addresses,
            "group.id": "readers",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        self._consumer = Consumer(settings)
        self._consumer.subscribe([topic])
        self._stopping = threading.Event()
        self.errors: list[str] = []
        self.count = 0

    def run(self) -> None:
        while not self._stopping.is_set():
            for message in self._consumer.consume(500, timeout=0.2):
                if message.error() is not None:
                    self.errors.append(str(message.error()))
                else:
                    self.count += 1
            if self.count and not self.errors:
                self._commit()
        self._consumer.close()

    def _commit(self) -> None:
        for each in self._consumer.commit(asynchronous=False) or ():
            if each.error is not None:
                self.errors.append(f"commit: {each.error}")

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def wait_for_progress(self) -> None:
        before = self.count
        wait_until(lambda: self.count > before or bool(self.errors), "nothing is read any more")


class Clients:
    """Producers to each topic, and a group that reads one of them; all go on until stopped."""

    def __init__(self, addresses: str) -> None:
        self.addresses = addresses
        self.loads = {
            topic: IdempotentLoad(addresses, topic, PARTITIONS, pause_s=0.02, acks=acks)
            for topic, acks in TOPICS.items()
        }
        self.reading = Reading(addresses, "all")

    def start(self) -> None:
        for load in self.loads.values():
            load.start()
        self.reading.start()

    def go_on(self) -> str:
        """See that everybody does; return the longest times without an acknowledgement."""
        gaps = []
        for topic, load in self.loads.items():
            load.wait_for_progress()
            gaps.append(f"acks={TOPICS[topic]} {load.longest_gap():.2f} s")
        self.reading.wait_for_progress()
        return ", ".join(gaps)

    def stop(self) -> None:
        for load in self.loads.values():
            load.stop()
        self.reading.stop()

    def complaints(self) -> list[str]:
        """Return every error that a client has seen, and what is wrong with the records."""
        found = list(self.reading.errors)
        for load in self.loads.values():
            found += load.acknowledged.refused
        for partition, promised in self.loads["all"].acknowledged.offsets.items():
            found += violations(promised, read_numbers(self.addresses, "all", partition))
        return found


def create_topics(admin: AdminClient) -> None:
    new = [NewTopic(topic, PARTITIONS, 3) for topic in TOPICS]
    for created in admin.create_topics(new).values():
        created.result(WAIT_SECONDS_MAX)
    wait_until(lambda: all(in_sync(admin, topic) == 3 for topic in TOPICS), "not all are in sync")


@pytest.mark.rule("REL-I8")
def test_clients_notice_nothing_of_an_absent_zookeeper(
    tmp_path: Path, zookeeper_ensemble: ZooKeeperEnsemble
) -> None:
    with running_cluster(tmp_path, zookeeper_ensemble) as brokers:
        addresses = bootstrap(brokers)
        admin = AdminClient({"bootstrap.servers": addresses})
        create_topics(admin)
        clients = Clients(addresses)
        clients.start()
        print(f"\nbefore: {clients.go_on()}")
        server = leading(zookeeper_ensemble)
        server.kill()
        time.sleep(2 * SESSION_SECONDS)
        print(f"without its leader: {clients.go_on()}")
        server.start()
        server.wait()
        zookeeper_ensemble.kill()
        time.sleep(AWAY_SECONDS)
        print(f"{AWAY_SECONDS:g} s without all of it: {clients.go_on()}")
        zookeeper_ensemble.start()
        # Topics are made again.
        admin.create_topics([NewTopic("more", 1, 3)])["more"].result(WAIT_SECONDS_MAX)
        print(f"after: {clients.go_on()}")
        clients.stop()
        assert clients.complaints() == []
        assert in_sync(admin, "all") == 3
