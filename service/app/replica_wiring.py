"""Puts together what makes a broker a follower of others, and a leader with followers."""

import asyncio
from collections.abc import Callable, Mapping

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId
from service.app.leader_channel import FetchLimits, PeerChannel
from service.app.node_failures import report_broken
from service.app.peers import Peers
from service.app.seams import Seams
from service.app.tier_wiring import ColdSide
from service.coordination.isr_changes import IsrChanges
from service.coordination.metadata_store import MetadataStore
from service.hot.store import HotStore
from service.model.broker_config import BrokerConfig
from service.model.cluster import Broker, ClusterImage
from service.model.setting_type import Value
from service.partition.follower import FollowerPartition
from service.partition.isr_keeping import IsrKeeping
from service.partition.keeper import PartitionKeeper
from service.partition.moved_logs import MovedLogs
from service.partition.replica_fetching import ReplicaFetching
from service.partition.replica_roles import ReplicaRoles
from service.partition.replication_throttle import ReplicationThrottle, Side
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
        moved: Removes what others have taken over meanwhile.
    """

    def __init__(
        self,
        config: BrokerConfig,
        broker: Broker,
        *,
        seams: Seams,
        image: Callable[[], ClusterImage],
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
            throttle=replication_throttle(Side.FOLLOWER, config, image=image, clock=seams.clock),
        )
        self.roles = ReplicaRoles(
            broker_id=broker.id,
            store=hot,
            table=table,
            tiers=cold.archiver,
            fetching=self.fetching,
            clock=seams.clock,
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
        self.isr = IsrKeeping(table=table, write=self._isr_changes.write, clock=seams.clock)

        self.moved = MovedLogs(
            broker_id=broker.id,
            data_dir=config.data_dir,
            disk=seams.disk,
            executor=seams.read_executor,
            image=image,
        )

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


def replication_throttle(
    side: Side, config: BrokerConfig, *, image: Callable[[], ClusterImage], clock: Clock
) -> ReplicationThrottle:
    """Return what limits the replication of a broker, as leader or as follower."""

    def rate() -> int:
        layers = config.layers(image().broker_configs)
        return int(str(layers.broker_value(side.rate_setting)))

    return ReplicationThrottle(side, image=image, rate=rate, clock=clock)


def _report(followed: FollowerPartition, error: EverlogError) -> None:
    report_broken(followed.topic, followed.id, error)
