"""Each nemesis does what it says, and what would lose records does, where a promise is rigged.

These take minutes, so ``make test`` leaves them to ``make fault SUITE=cluster``.
"""

import gc
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tests.cluster.cluster import CLIENTS, Cluster, broker_name, running_cluster
from tests.cluster.fault_run import Plan, fault_run
from tests.cluster.nemeses import power_failure_of_all
from tests.cluster.schedule import NEMESES, POWER, Nemesis, named
from tests.cluster.weather import FAIR
from tests.cluster.workload import TOPIC_CONFIG, TOPICS, Size
from tests.contract.object_stores import ACCESS_KEY, SECRET_KEY
from tests.contract.zookeeper_server import ADVICE, is_installed, running_zookeeper
from tests.fault.idempotent_load import IdempotentLoad
from tests.history.anomalies import Kind
from tests.waiting import WAIT_SECONDS_MAX, wait_until

IS_LONG = "EVERLOG_TEST_FAULT_SECONDS" in os.environ
LOSSES = {Kind.LOST_WRITE, Kind.UNSEEN, Kind.VANISHED, Kind.INCONSISTENT_OFFSETS, Kind.OUT_OF_RANGE}
NEVER_SYNCED = {"flush.messages": "1000000", "flush.ms": "3600000"}

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not is_installed(), reason=ADVICE),
    # What a consumer of kafka-python leaves open that met a fault while it was made.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
long_only = pytest.mark.skipif(not IS_LONG, reason="minutes; make fault SUITE=cluster")


@pytest.fixture(scope="module", autouse=True)
def _credentials() -> Iterator[None]:
    """Let the brokers, which inherit it, know the store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        yield
    gc.collect()


@long_only
def test_a_power_failure_that_nobody_is_told_of_loses_what_was_not_synced(
    tmp_path: Path, seaweedfs: str
) -> None:
    """The checker sees that, or it would see nothing: the same run with syncs finds nothing."""
    untold = Nemesis(
        number="N3",
        name="power-all, untold",
        kinds=(POWER,),
        act=power_failure_of_all(is_told=False),
        seconds=(0, 1),
    )
    plan = Plan(
        seconds=5,
        seed=1,
        size=Size(producers=3, followers=1, members=1, travellers=1),
        choice=(untold,),
        topic_config=NEVER_SYNCED,
        checks_disks=False,
    )
    report = fault_run(plan, tmp_path, seaweedfs)
    assert {each.kind for each in report.anomalies} & LOSSES, report


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, seaweedfs: str) -> Iterator[Cluster]:
    """A cluster with a load on its topics that goes on all the time."""
    directory = tmp_path_factory.mktemp("cluster")
    with (
        running_zookeeper() as zookeeper,
        running_cluster(directory, zookeeper, seaweedfs, seed=1) as cluster,
    ):
        for topic in TOPICS:
            cluster.create_topic(topic, 3, TOPIC_CONFIG)
        _ask_a_coordinator(cluster)
        load = IdempotentLoad(cluster.bootstrap, TOPICS[0], 3, pause_s=0.02)
        load.start()
        yield cluster
        load.stop()


def _ask_a_coordinator(cluster: Cluster) -> None:
    """Let the topic of committed offsets be made, as it is for the first group."""
    settings = {"bootstrap.servers": cluster.bootstrap, "group.id": "first", "log_level": 0}
    consumer = Consumer(settings)

    def answers() -> bool:
        try:
            consumer.committed([TopicPartition(TOPICS[0], 0)], timeout=WAIT_SECONDS_MAX)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_COORDINATOR:
                raise
            return False
        return True

    wait_until(answers, "there is no coordinator")
    consumer.close()


@dataclass(frozen=True, kw_only=True)
class Before:
    """What there was before the nemesis came."""

    failed_uploads: int
    clean_stops: int
    broken_lines: int
    store_faults: int
    boots: set[str]

    @classmethod
    def of(cls, cluster: Cluster) -> "Before":
        return cls(
            failed_uploads=_said(cluster, '"upload_failed"'),
            clean_stops=_said(cluster, '"last_stop_was_clean": true'),
            broken_lines=cluster.network.figures.broken,
            store_faults=sum(cluster.plan.injected.values()),
            boots=_boots(cluster),
        )


def _all_have_records(cluster: Cluster) -> bool:
    return all(
        any(path.stat().st_size for path in cluster.brokers[number].data_dir.rglob("*.log"))
        for number in cluster.brokers.numbers
    )


def _said(cluster: Cluster, words: str) -> int:
    """Return how often brokers have said something."""
    brokers = (cluster.brokers[number] for number in cluster.brokers.numbers)
    return sum(broker.log_path.read_text().count(words) for broker in brokers)


def _boots(cluster: Cluster) -> set[str]:
    """Return the starts of operating systems that power failures have made up."""
    files = (cluster.brokers[n].ledger_dir / "boot_id" for n in cluster.brokers.numbers)
    return {file.read_text() for file in files if file.exists()}


Bite = Callable[[Cluster, str, Before], bool]
"""Whether a nemesis that says what it does has done it."""


def _victim(what: str) -> int:
    """Return the broker that a nemesis names."""
    return next(int(word) for word in what.replace(":", " ").split() if word.isdigit())


def _is_gone(cluster: Cluster, what: str, _: Before) -> bool:
    return _victim(what) not in cluster.view.registered()


def _the_killed_one_is_gone(cluster: Cluster, what: str, before: Before) -> bool:
    return _is_gone(cluster, what.partition("-9 of ")[2], before)


def _all_are_gone(cluster: Cluster, _what: str, _: Before) -> bool:
    return not cluster.view.registered()


def _was_stopped_in_order(cluster: Cluster, _: str, before: Before) -> bool:
    return _said(cluster, '"last_stop_was_clean": true') >= before.clean_stops + 3


def _stands_still(cluster: Cluster, what: str, _: Before) -> bool:
    stat = Path(f"/proc/{cluster.brokers[_victim(what)].pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def _somebody_is_behind(cluster: Cluster, _what: str, _: Before) -> bool:
    return bool(cluster.behind(TOPICS[:1]))


def _clients_hear_nothing(cluster: Cluster, what: str, _: Before) -> bool:
    """Ask for the versions by way of the proxy, as any client would first."""
    number = _victim(what)
    port = int(cluster.bootstrap.split(",")[number - 1].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=1) as line, suppress(TimeoutError):
        line.sendall(bytes.fromhex("0000000a00120000000000070000"))
        return line.recv(1) == b""
    return True


def _lines_broke(cluster: Cluster, _: str, before: Before) -> bool:
    return cluster.network.figures.broken > before.broken_lines


def _is_slow(cluster: Cluster, what: str, _: Before) -> bool:
    name = broker_name(_victim(what.partition("of ")[2]))
    return cluster.network.weather(name, CLIENTS) != FAIR != cluster.network.weather(CLIENTS, name)


def _zookeeper_is_silent(cluster: Cluster, _what: str, _: Before) -> bool:
    return not cluster.zookeeper.servers[0].said(b"srvr")


def _the_store_fails(cluster: Cluster, _: str, before: Before) -> bool:
    return sum(cluster.plan.injected.values()) > before.store_faults


def _uploads_fail(cluster: Cluster, _: str, before: Before) -> bool:
    return _said(cluster, '"upload_failed"') > before.failed_uploads


def _power_was_cut(cluster: Cluster, _: str, before: Before) -> bool:
    """Whether a broker is to learn that its operating system was started anew."""
    return bool(_boots(cluster) - before.boots)


def _has_a_new_directory(cluster: Cluster, what: str, _: Before) -> bool:
    return not (cluster.brokers[_victim(what)].data_dir / "meta.json").exists()


BITES: dict[str, Bite] = {
    "kill-one": _is_gone,
    "kill-all": _all_are_gone,
    "power-one": _power_was_cut,
    "power-all": _power_was_cut,
    "rolling": _was_stopped_in_order,
    "pause-short": _stands_still,
    "pause-long": _is_gone,
    "isolate": _is_gone,
    "one-way": _somebody_is_behind,
    "peers": _somebody_is_behind,
    "clients": _clients_hear_nothing,
    "zombie": _is_gone,
    "reset": _lines_broke,
    "slow": _is_slow,
    "zookeeper-kill": _zookeeper_is_silent,
    "zookeeper-away": _zookeeper_is_silent,
    "session": _is_gone,
    "store-faults": _the_store_fails,
    "store-away": _uploads_fail,
    "damage": lambda _, what, __: what.endswith((".log", ".index", ".producers", "leader-epochs")),
    "wipe": _has_a_new_directory,
    "kill-and-partition": _the_killed_one_is_gone,
    "kill-and-store": _the_killed_one_is_gone,
}


def test_every_nemesis_has_something_that_shows_its_bite() -> None:
    assert set(BITES) == {each.name for each in NEMESES}


@long_only
@pytest.mark.parametrize("name", list(BITES))
def test_a_nemesis_does_what_it_says(cluster: Cluster, name: str) -> None:
    (nemesis,) = named(name)
    cluster.wait_in_sync(TOPICS)
    wait_until(lambda: _all_have_records(cluster), "there is nothing to lose")
    before = Before.of(cluster)
    with nemesis.act(cluster, random.Random(name)) as what:
        wait_until(lambda: BITES[name](cluster, what, before), f"{what}: nothing has happened")
    cluster.wait_in_sync(TOPICS)
