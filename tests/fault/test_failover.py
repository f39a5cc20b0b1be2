"""Three brokers on a real ZooKeeper, whose leaders are killed under load."""

import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.fault.broker_process import BrokerProcess
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.waiting import WAIT_SECONDS_MAX, wait_until

KILLS = int(os.environ.get("EVERLOG_TEST_FAILOVERS", "3"))
SESSION_SECONDS = 2
TOPIC = "orders"
SEGMENT_BYTES = 64 << 10
LOCAL_BYTES_MAX = 4 * SEGMENT_BYTES


@contextmanager
def running_cluster(
    directory: Path,
    zookeeper: ZooKeeperEnsemble,
    *,
    size: int = 3,
    settings_of: Callable[[int], dict[str, str]] = lambda _: {},
) -> Iterator[list[BrokerProcess]]:
    """Run brokers of one cluster, with one store; some settings go by the number of a broker."""
    root = f"/clusters/{uuid.uuid4().hex}"
    with ExitStack() as stack:
        brokers = []
        for number in range(1, size + 1):
            place = directory / str(number)
            place.mkdir()
            settings = {
                "zookeeper.connect": zookeeper.addresses + root,
                "zookeeper.session.timeout.ms": str(SESSION_SECONDS * 1000),
                "broker.id": str(number),
                "replica.lag.time.max.ms": "2000",
                "replica.fetch.backoff.ms": "100",
                "log.retention.check.interval.ms": "200",
                **settings_of(number),
            }
            broker = BrokerProcess(place, settings, store=f"file://{directory}/store")
            brokers.append(stack.enter_context(broker))
        yield brokers


def bootstrap(brokers: Sequence[BrokerProcess]) -> str:
    return ",".join(broker.bootstrap for broker in brokers)


def leader_of(admin: AdminClient, topic: str) -> int | None:
    found = admin.list_topics(topic, timeout=WAIT_SECONDS_MAX).topics[topic]
    leader = found.partitions[0].leader
    return leader if leader > 0 else None


def preferred_of(admin: AdminClient, topic: str) -> int:
    found = admin.list_topics(topic, timeout=WAIT_SECONDS_MAX).topics[topic]
    return found.partitions[0].replicas[0]


def elect_preferred(admin: AdminClient, topic: str) -> None:
    """Have the first replica lead, unless it does already."""
    wanted = TopicPartition(topic, 0)
    # Its time limits are left out: confluent-kafka 2.x fails to read them.
    asked = admin.elect_leaders(ElectionType.PREFERRED, [wanted])
    error = asked.result(WAIT_SECONDS_MAX)[wanted]
    if error is not None:
        assert error.code() == KafkaError.ELECTION_NOT_NEEDED, error


def in_sync(admin: AdminClient, topic: str) -> int:
    found = admin.list_topics(topic, timeout=WAIT_SECONDS_MAX).topics[topic]
    return min(len(each.isrs) for each in found.partitions.values())


def create(admin: AdminClient, topic: str, partitions: int = 1, **config: str) -> None:
    """Create a topic with three replicas, and wait until all are in sync."""
    for created in admin.create_topics([NewTopic(topic, partitions, 3, config=config)]).values():
        try:
            created.result(WAIT_SECONDS_MAX)
        except KafkaException as error:
            # The client repeats a request whose connection it has lost, done or not.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    wait_until(lambda: in_sync(admin, topic) == 3, "not all are in sync")


def texts(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.2f}" for each in seconds)


def local_bytes(broker: BrokerProcess) -> int:
    """Return what a broker has of the topic on its disk; 400 records of it are some 64 KiB."""
    logs = (each for each in (broker.data_dir / "logs").rglob("*.log"))
    return sum(each.stat().st_size for each in logs)


@pytest.mark.rule("REL-I1")
def test_killed_leaders_take_no_acknowledged_record_with_them(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble
) -> None:
    rng = random.Random(1)
    with running_cluster(tmp_path, zookeeper) as brokers:
        admin = AdminClient({"bootstrap.servers": bootstrap(brokers)})
        config = {"segment.bytes": str(SEGMENT_BYTES), "local.retention.bytes": "1"}
        create(admin, TOPIC, **config)
        load = IdempotentLoad(bootstrap(brokers), TOPIC, 1, pause_s=0.001)
        load.start()
        gaps = []
        for _ in range(KILLS):
            load.wait_for_progress()
            time.sleep(rng.uniform(0.2, 1))
            leader = leader_of(admin, TOPIC)
            assert leader is not None
            brokers[leader - 1].kill()
            begun = time.monotonic()
            load.wait_for_progress()
            gaps.append(time.monotonic() - begun)
            brokers[leader - 1].start()
            wait_until(lambda: in_sync(admin, TOPIC) == 3, "it does not come back")
        load.stop()
        wait_until(
            lambda: all(local_bytes(broker) < LOCAL_BYTES_MAX for broker in brokers),
            "followers keep what the archive has",
        )
        print(f"\nseconds without an acknowledgement: {texts(gaps)}")
        found = read_numbers(bootstrap(brokers), TOPIC, 0)
        assert violations(load.acknowledged.offsets[0], found) == []
        assert not load.acknowledged.refused


@pytest.mark.rule("REL-C9")
def test_a_leader_that_is_asked_to_stop_hands_over_first(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble
) -> None:
    with running_cluster(tmp_path, zookeeper) as brokers:
        admin = AdminClient({"bootstrap.servers": bootstrap(brokers)})
        create(admin, TOPIC)
        load = IdempotentLoad(bootstrap(brokers), TOPIC, 1, pause_s=0.001)
        load.start()
        gaps, stops = [], []
        for _ in range(KILLS):
            load.wait_for_progress()
            leader = leader_of(admin, TOPIC)
            assert leader is not None
            load.longest_gap()
            begun = time.monotonic()
            brokers[leader - 1].stop()
            stops.append(time.monotonic() - begun)
            load.wait_for_progress()
            gaps.append(load.longest_gap())
            assert "drained" in brokers[leader - 1].log_tail()
            brokers[leader - 1].start()
            wait_until(lambda: in_sync(admin, TOPIC) == 3, "it does not come back")
        elect_preferred(admin, TOPIC)
        assert leader_of(admin, TOPIC) == preferred_of(admin, TOPIC)
        load.wait_for_progress()
        load.stop()
        print(f"\nlongest seconds without an acknowledgement: {texts(gaps)}; stops: {texts(stops)}")
        found = read_numbers(bootstrap(brokers), TOPIC, 0)
        assert violations(load.acknowledged.offsets[0], found) == []
        assert not load.acknowledged.refused


@pytest.mark.rule("REL-C9")
def test_nobody_waits_for_a_killed_follower_once_its_session_is_over(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble
) -> None:
    patient = {"replica.lag.time.max.ms": "600000"}
    with running_cluster(tmp_path, zookeeper, settings_of=lambda _: patient) as brokers:
        admin = AdminClient({"bootstrap.servers": bootstrap(brokers)})
        create(admin, TOPIC)
        load = IdempotentLoad(bootstrap(brokers), TOPIC, 1, pause_s=0.001)
        load.start()
        load.wait_for_progress()
        leader = leader_of(admin, TOPIC)
        follower, *_ = [each for n, each in enumerate(brokers, 1) if n != leader]
        follower.kill()
        wait_until(lambda: in_sync(admin, TOPIC) == 2, "it is not taken out of the ISR")
        load.wait_for_progress()
        load.stop()
        assert not load.acknowledged.refused
