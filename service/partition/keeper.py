"""Keeps the served partitions in step with the cluster image: opens, reconfigures, closes, deletes.

One queue and one worker, so that two changes of a partition never overlap. A partition whose log
cannot be opened is reported and left out; it never stops the others (TIER-28).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError, RetriableError
from everlog.model.ids import NodeId, PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.coordination.image_delta import ImageDelta
from service.hot.log import HotLog
from service.hot.store import HotStore
from service.model.cluster import ClusterImage, PartitionState, TopicImage
from service.model.log import LogReader
from service.model.setting_type import Value
from service.model.topic_config import TopicConfig
from service.partition.errors import NotLeaderError
from service.partition.partition import Partition
from service.partition.table import PartitionTable
from service.partition.topic_rules import hot_config
from service.partition.unified_log import UnifiedLog

RETRY_SECONDS = 5.0
"""How soon a log that the disk has refused is tried again."""

OPENING_AT_ONCE_MAX = 64
"""Logs that are being recovered side by side; the read threads do the work."""


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


OnBroken = Callable[[TopicName, PartitionId, Exception], None]
"""Told of a partition that cannot be served, and why."""


@dataclass(frozen=True, slots=True)
class Led:
    """A partition that this broker leads in the newest image."""

    topic: TopicName
    partition: PartitionId
    state: PartitionState


class PartitionKeeper:
    """Applies images to the partition table.

    Args:
        broker_id: This broker.
        broker_epoch: Its registration; it leads only partitions whose term is meant for that one.
        defaults: Gives the broker's values for every topic setting.
        on_broken: Told of a partition that cannot be served, and why.
    """

    def __init__(
        self,
        *,
        broker_id: NodeId,
        broker_epoch: int,
        store: HotStore,
        table: PartitionTable,
        tiers: Tiers,
        clock: Clock,
        defaults: Callable[[], Mapping[str, Value]],
        on_broken: OnBroken,
    ) -> None:
        self._broker_id = broker_id
        self._broker_epoch = broker_epoch
        self._store = store
        self._table = table
        self._tiers = tiers
        self._clock = clock
        self._defaults = defaults
        self._on_broken = on_broken
        self._work: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._listeners: list[Callable[[], None]] = []
        self._image: ClusterImage
        self._unopened: dict[PartitionId, Led] = {}

    async def load(self, image: ClusterImage) -> None:
        """Open everything that this broker leads; the broker is not serving yet."""
        self._image = image
        led = [
            Led(topic.name, PartitionId(topic.topic_id, number), state)
            for topic in image.topics.values()
            for number, state in enumerate(topic.partitions)
            if self._leads(state)
        ]
        await self._open_all(led, image)

    def follow(self, delta: ImageDelta) -> None:
        """Take note of a change; the worker applies it."""
        self._work.put_nowait(partial(self._apply, delta))

    def on_applied(self, callback: Callable[[], None]) -> None:
        """Call back whenever a change has been applied."""
        self._listeners.append(callback)

    async def settled(self) -> None:
        """Wait until every change so far has been applied."""
        await self._work.join()

    async def run(self) -> None:
        """Apply changes in their order, until cancelled."""
        while True:
            work = await self._work.get()
            try:
                await work()
                for callback in self._listeners:
                    callback()
            finally:
                self._work.task_done()

    async def retry(self) -> None:
        """Try again to serve what could not be served, every now and then, until cancelled."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if self._unopened:
                self._work.put_nowait(self._open_unopened)
            if any(partition.hot.failure for partition in self._table.partitions):
                self._work.put_nowait(self._reopen_failed)

    async def _open_unopened(self) -> None:
        """Open what a store that did not answer has kept from being opened."""
        await self._open_all(list(self._unopened.values()), self._image)

    async def _reopen_failed(self) -> None:
        """Open logs again that the disk had refused; what they had acknowledged is there."""
        for partition in [each for each in self._table.partitions if each.hot.failure]:
            topic, epoch, config = partition.topic, partition.leader_epoch, partition.config
            await self._tiers.close(partition.id)
            try:
                hot = await self._store.reopen(partition.hot, term=epoch)
                both = await self._tiers.open(partition.id, epoch, hot, config)
            except EverlogError as error:
                self._on_broken(topic, partition.id, error)
                continue
            self._serve(topic, partition.id, epoch, both, config)

    async def _apply(self, delta: ImageDelta) -> None:
        self._image = delta.image
        if delta.configs_changed:
            self._reconfigure(delta.image.topics.values())
        self._reconfigure(delta.topics_changed)
        for topic in delta.topics_deleted:
            for number in range(len(topic.partitions)):
                await self._delete(topic.name, PartitionId(topic.topic_id, number))
        fresh = []
        for update in delta.partitions:
            if self._leads(update.after):
                fresh.append(Led(update.topic, update.partition, update.after))
            else:
                await self._close(update.partition)
        await self._open_all(fresh, delta.image)

    def _reconfigure(self, topics: Iterable[TopicImage]) -> None:
        for topic in topics:
            config = TopicConfig.resolve(topic.config, self._defaults())
            for partition in self._table.of_topic(topic.topic_id):
                partition.reconfigure(config)
                self._tiers.reconfigure(partition.id, config)

    def _leads(self, state: PartitionState) -> bool:
        return state.is_led_by(self._broker_id, self._broker_epoch)

    async def _open_all(self, led: Iterable[Led], image: ClusterImage) -> None:
        wanted = list(led)
        configs = self._configs({each.topic for each in wanted}, image)
        for first in range(0, len(wanted), OPENING_AT_ONCE_MAX):
            some = wanted[first : first + OPENING_AT_ONCE_MAX]
            await asyncio.gather(*(self._open(each, configs[each.topic]) for each in some))

    def _configs(
        self, topics: Iterable[TopicName], image: ClusterImage
    ) -> dict[TopicName, TopicConfig | EverlogError]:
        """Work out what holds for topics, once for all their partitions; or what is wrong."""
        defaults = self._defaults()
        found: dict[TopicName, TopicConfig | EverlogError] = {}
        for name in topics:
            try:
                found[name] = TopicConfig.resolve(image.topics[name].config, defaults)
            except EverlogError as error:
                found[name] = error
        return found

    async def _open(self, led: Led, config: TopicConfig | EverlogError) -> None:
        served = self._table.by_id(led.partition.topic_id, led.partition.partition)
        if served is not None:
            served.leader_epoch = led.state.leader_epoch
            return
        try:
            if isinstance(config, EverlogError):
                raise config
            epoch = led.state.leader_epoch
            hot = await self._store.open(led.partition, hot_config(config), term=epoch)
            both = await self._open_cold(led.partition, epoch, hot, config)
        except EverlogError as error:
            self._put_off(led, error)
            return
        self._unopened.pop(led.partition, None)
        self._serve(led.topic, led.partition, epoch, both, config)

    async def _open_cold(
        self, partition: PartitionId, epoch: LeaderEpoch, hot: HotLog, config: TopicConfig
    ) -> BothTiers:
        try:
            both = await self._tiers.open(partition, epoch, hot, config)
            # Only now: a log that has lost its end may have begun anew.
            self._store.check_promise(both.hot)
        except EverlogError:
            await self._tiers.close(partition)
            self._store.abandon(partition)
            raise
        return both

    def _put_off(self, led: Led, error: EverlogError) -> None:
        """Report a partition that cannot be served; what may pass is tried again."""
        if led.partition not in self._unopened:
            self._on_broken(led.topic, led.partition, error)
        if isinstance(error, RetriableError):
            self._unopened[led.partition] = led
        else:
            self._unopened.pop(led.partition, None)

    def _serve(
        self,
        topic: TopicName,
        partition_id: PartitionId,
        epoch: LeaderEpoch,
        both: BothTiers,
        config: TopicConfig,
    ) -> None:
        self._table.add(
            Partition(
                topic=topic,
                partition_id=partition_id,
                leader_epoch=epoch,
                hot=both.hot,
                log=UnifiedLog(hot=both.hot, cold=both.cold),
                config=config,
                clock=self._clock,
            )
        )

    async def _close(self, partition_id: PartitionId) -> None:
        self._unopened.pop(partition_id, None)
        partition = self._table.remove(partition_id)
        if partition is not None:
            partition.resign(NotLeaderError("the partition is not served here any more"))
            await self._tiers.close(partition_id)

    async def _delete(self, topic: TopicName, partition_id: PartitionId) -> None:
        """Remove the log of a deleted topic, even if it could not be opened."""
        await self._close(partition_id)
        try:
            await self._store.delete(partition_id)
        except EverlogError as error:
            # The next start finds what is left; changes of other partitions go on.
            self._on_broken(topic, partition_id, error)
