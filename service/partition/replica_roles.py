"""What this broker is to a partition: its leader, a follower, or nothing; and how that changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.hot.log import HotLog
from service.hot.store import HotStore
from service.model.cluster import Broker, PartitionState
from service.model.log import LogReader
from service.model.topic_config import TopicConfig
from service.partition.errors import NotLeaderError
from service.partition.follower import FollowerPartition
from service.partition.partition import NOTHING, Partition
from service.partition.replica_fetching import ReplicaFetching
from service.partition.table import PartitionTable
from service.partition.topic_rules import hot_config
from service.partition.unified_log import UnifiedLog
from service.replication.leader import LeaderReplicas


class BothTiers(NamedTuple):
    """The two sides of a partition; ``cold`` is None for an untiered topic."""

    hot: HotLog
    cold: LogReader | None


class Tiers(Protocol):
    """The cold side of partitions."""

    async def open(
        self, partition: PartitionId, leader_epoch: LeaderEpoch, hot: HotLog, config: TopicConfig
    ) -> BothTiers:
        """Claim the tier for this term, before the first append.

        The local log may have been opened anew: the returned one counts.
        """
        ...

    def reconfigure(self, partition: PartitionId, config: TopicConfig) -> None:
        """Take note of new settings."""
        ...

    async def close(self, partition: PartitionId) -> None:
        """Stop all work on a partition that is not led here any more."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A partition that this broker has a replica of, as the newest image has it."""

    topic: TopicName
    partition: PartitionId
    state: PartitionState


class ReplicaRoles:
    """Changes roles, one change of a partition at a time.

    The local log goes from role to role: whoever gives it up does nothing to it any more.

    Args:
        broker_id: This broker.
        fetching: Copies what is followed.
        lag_seconds_max: For how long a follower may be behind before it is not in sync.
        are_read: Whether consumers may read from what is followed.
    """

    def __init__(
        self,
        *,
        broker_id: NodeId,
        store: HotStore,
        table: PartitionTable,
        tiers: Tiers,
        fetching: ReplicaFetching,
        clock: Clock,
        lag_seconds_max: float,
        are_read: bool = False,
    ) -> None:
        self._broker_id = broker_id
        self._store = store
        self._table = table
        self._tiers = tiers
        self._fetching = fetching
        self._clock = clock
        self._lag_seconds_max = lag_seconds_max
        self._are_read = are_read
        self._here: frozenset[NodeId] | None = None

    def note_brokers(self, brokers: Iterable[Broker]) -> None:
        """Take note of who is registered now."""
        self._here = frozenset(each.id for each in brokers if not each.draining)
        for served in self._table.partitions:
            if served.replicas.followers:
                served.replicas.away = self._away(served.replicas.state)
                served.commit()

    async def lead(self, held: Held, config: TopicConfig) -> None:
        """Lead a partition in a term, or take note of what is new in that.

        Raises:
            EverlogError: It cannot be led; it is not open then.
        """
        served = self._served(held.partition)
        if served is not None and served.leader_epoch == held.state.leader_epoch:
            served.replicas.stored(held.state, now=self._clock.monotonic())
            served.commit()
        elif served is not None:
            await self._lead_on(served, held, config)
        else:
            hot, committed = await self._take_log(held, config)
            both = await self._open_cold(held, hot, config)
            self._serve(held, both, config, committed)

    async def follow(self, held: Held, config: TopicConfig) -> None:
        """Follow whoever leads a partition, if anybody does.

        Raises:
            EverlogError: Its log cannot be opened.
        """
        followed = self._fetching.get(held.partition)
        if followed is not None and followed.leader_epoch == held.state.leader_epoch:
            followed.state = held.state
            return
        known = followed or self._served(held.partition)
        hot, committed = await self._take_log(held, config)
        unclean_epoch = held.state.unclean_epoch
        if unclean_epoch is not None and known is not None and known.leader_epoch < unclean_epoch:
            # Its leader lacked some of that, and this log is to be cut like any other.
            committed = NOTHING
        self._follow(held, hot, committed)

    async def leave(self, partition_id: PartitionId) -> HotLog | None:
        """Be nothing to a partition any more; return its log, if it was open."""
        served = self._table.remove(partition_id)
        if served is not None:
            served.resign(NotLeaderError("the partition is not served here any more"))
            await self._tiers.close(partition_id)
            return served.hot
        followed = self._fetching.leave(partition_id)
        return None if followed is None else await followed.release()

    async def delete(self, partition_id: PartitionId) -> None:
        """Remove the log of what has gone from here, even if it could not be opened."""
        await self.leave(partition_id)
        await self._store.delete(partition_id)

    async def reopen(self, served: Partition) -> None:
        """Open a log again that the disk had refused; what it had acknowledged is there.

        Raises:
            EverlogError: The disk still refuses.
        """
        await self._tiers.close(served.id)
        state = served.replicas.state
        held = Held(served.topic, served.id, state)
        hot = await self._store.reopen(served.hot, term=state.leader_epoch)
        both = await self._tiers.open(served.id, state.leader_epoch, hot, served.config)
        self._serve(held, both, served.config, served.high_watermark)

    @property
    def failed_followers(self) -> list[FollowerPartition]:
        """Those whose log the disk has refused."""
        return [each for each in self._fetching.partitions if each.hot.failure is not None]

    async def refollow(self, followed: FollowerPartition) -> None:
        """Open such a log again, and follow on; what is lost of it is copied again.

        Raises:
            EverlogError: The disk still refuses.
        """
        self._fetching.leave(followed.id)
        hot, committed = await followed.release(), followed.high_watermark
        try:
            hot = await self._store.reopen(hot, term=followed.leader_epoch)
        finally:
            held = Held(followed.topic, followed.id, followed.state)
            self._follow(held, hot, committed)

    def reconfigure(self, partitions: Iterable[PartitionId], config: TopicConfig) -> None:
        """Take on new settings of a topic."""
        for partition_id in partitions:
            served, followed = self._served(partition_id), self._fetching.get(partition_id)
            if served is not None:
                served.reconfigure(config)
                self._tiers.reconfigure(partition_id, config)
            elif followed is not None:
                followed.reconfigure(config)

    def _follow(self, held: Held, hot: HotLog, committed: Offset) -> None:
        self._fetching.follow(
            FollowerPartition(
                topic=held.topic,
                partition_id=held.partition,
                state=held.state,
                hot=hot,
                store=self._store,
                committed=committed,
                is_read=self._are_read,
            )
        )

    def _served(self, partition_id: PartitionId) -> Partition | None:
        return self._table.by_id(partition_id.topic_id, partition_id.partition)

    async def _take_log(self, held: Held, config: TopicConfig) -> tuple[HotLog, Offset]:
        """Take the log out of the role that it has; return what is known to be committed, too."""
        served = self._served(held.partition)
        known = served or self._fetching.get(held.partition)
        hot = await self.leave(held.partition)
        if hot is not None and known is not None:
            return hot, known.high_watermark
        hot = self._store.find(held.partition)
        if hot is None:
            term = held.state.leader_epoch
            hot = await self._store.open(held.partition, hot_config(config), term=term)
        return hot, NOTHING

    async def _lead_on(self, served: Partition, held: Held, config: TopicConfig) -> None:
        """Lead in another term what is led already."""
        await self._tiers.close(held.partition)
        try:
            both = await self._open_cold(held, served.hot, config)
        except EverlogError as error:
            self._table.remove(held.partition)
            served.resign(error)
            raise
        served.log = UnifiedLog(hot=both.hot, cold=both.cold)
        served.begin_term(self._replicas(held, both.hot, config))

    async def _open_cold(self, held: Held, hot: HotLog, config: TopicConfig) -> BothTiers:
        try:
            both = await self._tiers.open(held.partition, held.state.leader_epoch, hot, config)
            # Only now: a log that has lost its end may have begun anew.
            self._store.check_promise(both.hot)
        except EverlogError:
            await self._tiers.close(held.partition)
            self._store.abandon(held.partition)
            raise
        return both

    def _serve(self, held: Held, both: BothTiers, config: TopicConfig, committed: Offset) -> None:
        tiered = NOTHING if both.cold is None else both.cold.end
        self._table.add(
            Partition(
                topic=held.topic,
                partition_id=held.partition,
                replicas=self._replicas(held, both.hot, config),
                hot=both.hot,
                log=UnifiedLog(hot=both.hot, cold=both.cold),
                config=config,
                clock=self._clock,
                committed=max(committed, tiered, both.hot.log_start),
            )
        )

    def _replicas(self, held: Held, hot: HotLog, config: TopicConfig) -> LeaderReplicas:
        replicas = LeaderReplicas(
            held.state,
            me=self._broker_id,
            term_start=hot.next_offset,
            isr_min=config.min_insync_replicas,
            lag_seconds_max=self._lag_seconds_max,
            now=self._clock.monotonic(),
        )
        replicas.away = self._away(held.state)
        return replicas

    def _away(self, state: PartitionState) -> frozenset[NodeId]:
        """Return who cannot be in sync at the moment; nobody before brokers have been told of."""
        return frozenset() if self._here is None else frozenset(state.replicas) - self._here
