"""A cluster of real processes, with a disturbed network between all of them."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from service.model.cluster import PartitionState
from tests.cluster.brokers import Brokers, ClusterBroker
from tests.cluster.chaos_network import ChaosNetwork
from tests.cluster.cluster_view import UNREADABLE, ClusterView, cluster_view, new_root
from tests.contract.object_stores import BUCKET
from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.fault.fault_plan import FaultPlan
from tests.fault.fault_proxy import Fault, fault_proxy
from tests.history.operations import Partition
from tests.waiting import WAIT_SECONDS_MAX, wait_until

BROKERS = 3
SESSION_SECONDS = 4
CLIENTS, ZOOKEEPER, STORE = "clients", "zookeeper", "store"
ALL_BROKERS = "brokers"
"""Whoever connects to the store: all do so in one place."""

OFFSETS_TOPIC = "__consumer_offsets"
GROUP_PARTITIONS = 3

_REPLICA = re.compile(rb"everlog-replica-(\d+)")

BROKER_SETTINGS: Mapping[str, str] = {
    "zookeeper.session.timeout.ms": str(SESSION_SECONDS * 1000),
    "replica.lag.time.max.ms": "4000",
    "replica.fetch.backoff.ms": "100",
    "replica.fetch.wait.max.ms": "200",
    "replica.socket.timeout.ms": "3000",
    "log.retention.check.interval.ms": "500",
    "offsets.topic.num.partitions": str(GROUP_PARTITIONS),
    "group.initial.rebalance.delay.ms": "200",
    "group.min.session.timeout.ms": "1000",
    # What is seldom read in a run of minutes comes from the store and not from a cache of it.
    "remote.cache.bytes": str(8 << 20),
}


def broker_name(number: int) -> str:
    """Return what a broker is called in the network."""
    return f"broker-{number}"


def _peer_name(first: bytes) -> str:
    """Tell which broker connects: followers say who they are, those that forward do not."""
    found = _REPLICA.search(first)
    return "forwarder" if found is None else broker_name(int(found[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What a fault run acts on.

    Attributes:
        view: What the metadata say, also of partitions whose brokers are away.
        plan: Which requests to the store fail; switched off in the beginning.
        bootstrap: Where clients connect, by way of proxies.
    """

    brokers: Brokers
    network: ChaosNetwork
    zookeeper: ZooKeeperEnsemble
    view: ClusterView
    plan: FaultPlan[Fault]
    bootstrap: str
    directory: Path
    root: str
    store_endpoint: str

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(
        self, name: str, partitions: int, config: Mapping[str, str]
    ) -> list[Partition]:
        """Create a topic with a replica on each broker; wait until all are in sync."""
        new = NewTopic(name, partitions, BROKERS, config=dict(config))
        admin = self.admin()
        admin.create_topics([new])[name].result(WAIT_SECONDS_MAX)
        self.wait_in_sync([name])
        return [Partition(name, number) for number in range(partitions)]

    def states(self, topics: Sequence[str]) -> dict[Partition, PartitionState]:
        """Return the states of all partitions of some topics."""
        return {each: state for topic in topics for each, state in self.view.states(topic).items()}

    def behind(self, topics: Sequence[str]) -> list[str]:
        """Say who is missing according to the metadata: brokers, leaders, and replicas."""
        try:
            there = [each for each in self.view.registered() if self.brokers[each].is_ready]
            if len(there) < BROKERS:
                return [f"only brokers {sorted(there)} are there and ready"]
            states = self.states(topics)
        except UNREADABLE as error:
            return [f"the metadata cannot be read: {error!r}"]
        return [
            f"{each.topic}-{each.number}: leader {state.leader}, in sync {state.isr}"
            for each, state in states.items()
            if state.leader is None or len(state.isr) < len(state.replicas)
        ]

    def wait_in_sync(
        self, topics: Sequence[str], *, seconds_max: float = WAIT_SECONDS_MAX
    ) -> float:
        """Wait until no replica is behind; return the seconds that it took."""
        begun = time.monotonic()
        wait_until(
            lambda: not self.behind(topics),
            lambda: "; ".join(self.behind(topics)),
            seconds_max=seconds_max,
        )
        return time.monotonic() - begun


@contextmanager
def running_cluster(
    directory: Path,
    zookeeper: ZooKeeperEnsemble,
    store_endpoint: str,
    *,
    seed: int,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Run the brokers, each with its own way to ZooKeeper.

    Args:
        directory: What everybody keeps is below it.
        zookeeper: A running one.
        store_endpoint: An S3 server with the tests' bucket; the environment has the credentials.
        seed: Of all chance.
        settings: For all brokers, beside `BROKER_SETTINGS`.
    """
    root = new_root()
    plan: FaultPlan[Fault] = FaultPlan(seed)
    plan.is_on = False
    with ExitStack() as stack:
        network = stack.enter_context(ChaosNetwork(seed))
        proxy = stack.enter_context(fault_proxy(store_endpoint, plan))
        view = stack.enter_context(cluster_view(zookeeper.addresses, root))
        made = [ClusterBroker(directory / str(n), n) for n in range(1, BROKERS + 1)]
        # One address for all: a store that has another one is another store (ADR 7).
        store_port = network.listen(STORE, proxy.port, ALL_BROKERS)
        url = f"s3://{BUCKET}{root}?endpoint=http://127.0.0.1:{store_port}"
        ports = []
        for broker in made:
            name = broker_name(broker.number)
            ports.append(network.listen(name, broker.client_port, CLIENTS))
            keepers = [network.listen(ZOOKEEPER, server.port, name) for server in zookeeper.servers]
            connect = ",".join(f"127.0.0.1:{port}" for port in keepers) + root
            broker.configure(
                {
                    **BROKER_SETTINGS,
                    "zookeeper.connect": connect,
                    "store.url": url + "&region=us-east-1&path_style=true",
                    **(settings or {}),
                },
                client_proxy=ports[-1],
                peer_proxy=network.listen(name, broker.peer_port, _peer_name),
            )
        brokers = Brokers(made)
        stack.enter_context(brokers.looked_after())
        cluster = Cluster(
            brokers=brokers,
            network=network,
            zookeeper=zookeeper,
            view=view,
            plan=plan,
            bootstrap=",".join(f"127.0.0.1:{port}" for port in ports),
            directory=directory,
            root=root,
            store_endpoint=store_endpoint,
        )
        wait_until(lambda: view.registered() == set(brokers.numbers), "not all brokers are there")
        yield cluster
