"""The partitions that this broker leads, each loaded or on its way."""

import asyncio
from collections.abc import Callable, Iterator

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, EverlogError, FencedError
from everlog.model.offsets import LeaderEpoch
from service.groups.errors import (
    CoordinatorLoadingError,
    CoordinatorUnavailableError,
    InvalidGroupIdError,
    NotCoordinatorError,
)
from service.groups.limits import NAME_CHARS_MAX, GroupLimits
from service.groups.loading import load
from service.groups.partitioning import group_partition
from service.groups.ports import OffsetsLog
from service.groups.shard import Shard, ShardState
from service.groups.timers import Timers

_log = structlog.get_logger(__name__)


class Shards:
    """One shard for each partition and term.

    Attributes:
        on_begun: Called when there is a shard to be loaded.
    """

    def __init__(
        self,
        *,
        log: OffsetsLog,
        clock: Clock,
        limits: GroupLimits,
        timers: Timers,
        on_begun: Callable[[], None],
    ) -> None:
        self.on_begun = on_begun
        self._log = log
        self._clock = clock
        self._limits = limits
        self._timers = timers
        self._by_partition: dict[int, Shard] = {}
        self._unloaded: list[Shard] = []
        self._load_slots = asyncio.Semaphore(limits.loads_parallel_max)

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._by_partition.values())

    def of(self, group_id: str) -> Shard:
        """Return the active shard of a group.

        Raises:
            InvalidGroupIdError: The name is too long to be stored.
            NotCoordinatorError: This broker does not lead the partition of the group.
            CoordinatorLoadingError: It does, and has not read it yet.
            CoordinatorUnavailableError: It does, and cannot read it.
        """
        if len(group_id) > NAME_CHARS_MAX:
            raise InvalidGroupIdError
        partitions = self._log.partitions
        if partitions is None:
            raise NotCoordinatorError
        partition = group_partition(group_id, partitions)
        leader_epoch = self._log.leads(partition)
        if leader_epoch is None:
            raise NotCoordinatorError
        return self._active(partition, leader_epoch)

    def active(self) -> list[Shard]:
        """Return the shards that have been loaded."""
        return [shard for shard in self if shard.is_active]

    def compare(self) -> None:
        """Close the shards whose term has ended, and begin those of new terms."""
        for partition, shard in list(self._by_partition.items()):
            if self._log.leads(partition) != shard.leader_epoch:
                del self._by_partition[partition]
                shard.close()
        for partition in range(self._log.partitions or 0):
            leader_epoch = self._log.leads(partition)
            if leader_epoch is not None and partition not in self._by_partition:
                self._begin(partition, leader_epoch)

    def take_unloaded(self) -> list[Shard]:
        """Return the shards that have begun since the last call; the caller loads them."""
        taken, self._unloaded = self._unloaded, []
        return taken

    async def load(self, shard: Shard) -> None:
        """Read a shard from the log, and again for as long as that fails and its term lasts."""
        while shard.state is ShardState.LOADING:
            async with self._load_slots:
                await self._try_to_load(shard)
            if shard.state is ShardState.LOADING:
                await asyncio.sleep(self._limits.load_retry_ms / 1_000)

    def close(self) -> None:
        """End all terms, as far as this broker is concerned."""
        while self._by_partition:
            self._by_partition.popitem()[1].close()

    def _active(self, partition: int, leader_epoch: LeaderEpoch) -> Shard:
        shard = self._by_partition.get(partition)
        if shard is None or shard.leader_epoch != leader_epoch:
            # The news of the election has not come yet; nothing of an older term may be served.
            self.compare()
            raise CoordinatorLoadingError
        if shard.state is ShardState.LOADING:
            raise CoordinatorLoadingError
        if shard.state is ShardState.FAILED:
            raise CoordinatorUnavailableError
        return shard

    def _begin(self, partition: int, leader_epoch: LeaderEpoch) -> None:
        shard = Shard(
            partition,
            leader_epoch,
            log=self._log,
            clock=self._clock,
            limits=self._limits,
            timers=self._timers,
        )
        self._by_partition[partition] = shard
        self._unloaded.append(shard)
        self.on_begun()

    async def _try_to_load(self, shard: Shard) -> None:
        try:
            groups = await load(self._log, shard.partition, shard.leader_epoch, shard.now)
        except CorruptionError as error:
            _log.error("group_load_failed", partition=shard.partition, cause=repr(error))
            shard.fail()
        except FencedError:
            # Another term has begun; the news of it closes this shard.
            return
        except EverlogError as error:
            _log.warning("group_load_delayed", partition=shard.partition, cause=repr(error))
        else:
            if shard.state is ShardState.LOADING:
                if groups:
                    _log.info("groups_loaded", partition=shard.partition, groups=len(groups))
                shard.activate(groups)
