"""A broker whose metadata is on a real ZooKeeper, and what either of them survives."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError

from service.app.zookeeper_metadata import LOOP_STUCK_STATUS
from tests.contract.guarded_zookeeper import KEY_PASSWORD, PASSWORD, USER, Guarded
from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.fault.broker_process import BrokerDiedError, BrokerProcess
from tests.waiting import WAIT_SECONDS_MAX, wait_until

SESSION_LOST = 75
SESSION_SECONDS = 4


@pytest.fixture
def root() -> str:
    return f"/clusters/{uuid.uuid4().hex}"


def _broker(directory: Path, zookeeper: ZooKeeperEnsemble, root: str, **more: str) -> BrokerProcess:
    directory.mkdir(exist_ok=True)
    settings = {
        "zookeeper.connect": zookeeper.addresses + root,
        "zookeeper.session.timeout.ms": str(SESSION_SECONDS * 1000),
        "broker.id": "1",
    } | {name.replace("_", "."): value for name, value in more.items()}
    return BrokerProcess(directory, settings, store=f"file://{directory}/store")


def _create(broker: BrokerProcess, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for created in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        created.result(WAIT_SECONDS_MAX)


def _produce(broker: BrokerProcess, topic: str, numbers: range) -> None:
    failed: list[object] = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
    for number in numbers:
        producer.produce(topic, str(number), on_delivery=lambda error, _: failed.append(error))
    assert producer.flush(WAIT_SECONDS_MAX) == 0
    assert set(failed) == {None}


def _consume(broker: BrokerProcess, topic: str, count: int) -> list[int]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "never joined",
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: list[int] = []
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while len(found) < count and time.monotonic() < deadline:
        found += [int(each.value()) for each in consumer.consume(count, 0.5) if not each.error()]
    consumer.close()
    return found


@contextmanager
def _onlooker(addresses: str, root: str) -> Iterator[KazooClient]:
    client = KazooClient(addresses + root)
    client.start()
    try:
        yield client
    finally:
        client.stop()
        client.close()


def test_records_outlive_kill_nine_and_a_restart_of_zookeeper(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble, root: str
) -> None:
    with _broker(tmp_path, zookeeper, root) as broker:
        assert not (broker.data_dir / "metadata").exists()
        _create(broker, "orders")
        _produce(broker, "orders", range(100))
        assert _consume(broker, "orders", 100) == list(range(100))
        broker.kill()
        zookeeper.restart()
        broker.start()
        assert _consume(broker, "orders", 100) == list(range(100))
        zookeeper.kill()
        wait_until(
            lambda: broker.metric("everlog_metadata_silent_seconds") > SESSION_SECONDS, "no silence"
        )
        # What needs no metadata goes on.
        _produce(broker, "orders", range(100, 150))
        zookeeper.start()
        _produce(broker, "orders", range(150, 200))
        _create(broker, "more")
        _produce(broker, "more", range(10))
        assert _consume(broker, "orders", 200) == list(range(200))
        broker.stop()
        with _onlooker(zookeeper.addresses, root) as tree:
            assert tree.get_children("/brokers/ids") == []
            assert {"more", "orders"} <= set(tree.get_children("/topics"))


@pytest.mark.rule("REL-K2")
@pytest.mark.rule("REL-C4")
def test_a_broker_that_stood_still_past_its_session_leaves_and_can_come_back(
    tmp_path: Path, zookeeper: ZooKeeperEnsemble, root: str
) -> None:
    with _broker(tmp_path, zookeeper, root) as broker, _onlooker(zookeeper.addresses, root) as tree:
        _create(broker, "orders")
        _produce(broker, "orders", range(10))
        os.kill(broker.pid, signal.SIGSTOP)
        wait_until(lambda: tree.get_children("/brokers/ids") == [], "the session did not end")
        os.kill(broker.pid, signal.SIGCONT)
        assert broker.wait() == SESSION_LOST
        assert tree.get_children("/brokers/ids") == []
        assert "start the broker again" in broker.log_tail()
        broker.start()
        assert tree.get_children("/brokers/ids") == ["1"]
        assert _consume(broker, "orders", 10) == list(range(10))


@contextmanager
def _stuck_process(
    zookeeper: ZooKeeperEnsemble, root: str, *, session_seconds: float, stuck_seconds: float
) -> Iterator[subprocess.Popen[str]]:
    """Run a process whose loop is stuck once it holds ``/mine``."""
    command = [sys.executable, "-m", "tests.fault.stuck_loop", zookeeper.addresses + root]
    command += [str(int(session_seconds * 1000)), str(stuck_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line == "stuck\n":
                    yield process
                    return
        finally:
            process.kill()
    raise AssertionError("it ended before it was stuck")


@pytest.mark.rule("REL-K7")
@pytest.mark.rule("BP-6.7")
def test_a_stuck_loop_gives_its_session_up_and_then_ends_the_process(
    zookeeper: ZooKeeperEnsemble, root: str
) -> None:
    with (
        _stuck_process(zookeeper, root, session_seconds=4, stuck_seconds=60) as process,
        _onlooker(zookeeper.addresses, root) as tree,
    ):
        wait_until(lambda: tree.exists("/mine") is None, "a stuck process keeps its node")
        assert process.poll() is None
        assert process.wait(WAIT_SECONDS_MAX) == LOOP_STUCK_STATUS


@pytest.mark.rule("REL-K7")
def test_a_loop_that_goes_on_in_time_finds_its_session_given_up(
    zookeeper: ZooKeeperEnsemble, root: str
) -> None:
    with _stuck_process(zookeeper, root, session_seconds=5, stuck_seconds=3.5) as process:
        assert process.stdout is not None
        assert "lost\n" in process.stdout
        assert process.wait(WAIT_SECONDS_MAX) == 0


def test_a_broker_shows_zookeeper_who_it_is_and_keeps_its_nodes_to_itself(
    tmp_path: Path, guarded_zookeeper: Guarded, root: str
) -> None:
    settings = {
        "zookeeper.connect": guarded_zookeeper.tls_address + root,
        "zookeeper.ssl.client.enable": "true",
        "zookeeper.ssl.truststore.location": str(guarded_zookeeper.trusted),
        "zookeeper.ssl.keystore.location": str(guarded_zookeeper.certificate),
        "zookeeper.ssl.keystore.password": KEY_PASSWORD,
        "zookeeper.sasl.user": USER,
        "zookeeper.sasl.password": PASSWORD,
        "zookeeper.set.acl": "true",
    }
    store = f"file://{tmp_path}/store"
    with BrokerProcess(tmp_path, settings, store=store) as broker:
        _create(broker, "orders")
        _produce(broker, "orders", range(10))
        assert _consume(broker, "orders", 10) == list(range(10))
        with _onlooker(guarded_zookeeper.address, root) as stranger:
            for path in ("/", "/cluster/id", "/brokers/ids/1", "/topics/orders"):
                with pytest.raises(NoAuthError):
                    stranger.get(path)
        resource = ConfigResource(ConfigResource.Type.BROKER, "1")
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        described = admin.describe_configs([resource])[resource].result()
        assert described["zookeeper.sasl.user"].value == USER
        secret = described["zookeeper.sasl.password"]
        assert (secret.is_sensitive, secret.value) == (True, None)
        broker.stop()
        said = broker.log_path.read_text()
        assert PASSWORD not in said
        assert KEY_PASSWORD not in said
    wrong = settings | {"zookeeper.sasl.password": KEY_PASSWORD}
    with pytest.raises(BrokerDiedError, match="refused the credentials; check the user and the"):
        BrokerProcess(tmp_path, wrong, store=store).start()
