"""Puts together what makes a broker a follower of others, and a leader with followers."""

import asyncio
from collections.abc import Callable, Mapping

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId
from service.app.leader_channel import FetchLimits, PeerChannel
from service.app.node_failures import report_broken
from service.app.peers import Peers
from service.app.tier_wiring import ColdSide
from service.coordination.isr_changes import IsrChanges
from service.coordination.metadata_store import MetadataStore
from service.hot.store import HotStore
from service.model.broker_config import BrokerConfig
from service.model.cluster import Broker
from service.model.setting_type import Value
from service.partition.follower import FollowerPartition
from service.partition.isr_keeping import IsrKeeping
from service.partition.keeper import PartitionKeeper
from service.partition.replica_fetching import ReplicaFetching
from service.partition.replica_roles import ReplicaRoles
from service.partition.table import PartitionTable
from service.replication.fetching import LeaderChannel
from service.telemetry.stray_cancellation import begin_unbroken


class ReplicaSide:
    """What a broker has to do with replicas of others.

    Attributes:
        fetching: Copies what this broker follows.
        roles: Changes what it is to a partition.
        keeper: Says when.
        isr: Keeps the ISR of what it leads.
    """

    def __init__(
        self,
        config: BrokerConfig,
        broker: Broker,
        *,
        clock: Clock,
        peers: Peers,
        defaults: Callable[[], Mapping[str, Value]],
        metadata: MetadataStore,
        hot: HotStore,
        table: PartitionTable,
        cold: ColdSide,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._limits = FetchLimits.of(config)
        self._broker = broker
        self._peers = peers
        self.fetching = ReplicaFetching(
            me=broker.id,
            connect=self._connect,
            backoff_seconds=config.replica_fetch_backoff_ms / 1000,
            spawn=lambda work: begin_unbroken(tasks, work),
            on_broken=_report,
            find_start=cold.starts.find,
        )
        self.roles = ReplicaRoles(
            broker_id=broker.id,
            store=hot,
            table=table,
            tiers=cold.archiver,
            fetching=self.fetching,
            clock=clock,
            lag_seconds_max=config.replica_lag_time_max_ms / 1000,
            are_read=config.reads_from_followers,
        )
        self.keeper = PartitionKeeper(
            broker_id=broker.id,
            broker_epoch=broker.epoch,
            roles=self.roles,
            table=table,
            defaults=defaults,
            on_broken=report_broken,
        )
        self._isr_changes = IsrChanges(store=metadata, broker=broker)
        self.isr = IsrKeeping(table=table, write=self._isr_changes.write, clock=clock)

    def note_registration(self, broker: Broker) -> None:
        """Take note of what this broker's registration says now."""
        self._isr_changes.broker = broker

    def _connect(self, leader: NodeId) -> LeaderChannel | None:
        """Return a way to a broker, if it is registered and has the listener for that."""
        client = self._peers.client(leader, name=f"everlog-replica-{self._broker.id}")
        if client is None:
            return None
        return PeerChannel(
            client, me=self._broker.id, broker_epoch=self._broker.epoch, limits=self._limits
        )


def _report(followed: FollowerPartition, error: EverlogError) -> None:
    report_broken(followed.topic, followed.id, error)
