"""Keeps this broker's partitions in step with the cluster image: leads, follows, closes, deletes.

One queue and one worker, so that two changes of a partition never overlap. A partition whose log
cannot be opened is reported and left out; it never stops the others (TIER-28).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

import structlog

from everlog.model.errors import EverlogError, RetriableError
from everlog.model.ids import NodeId, PartitionId, TopicName
from service.coordination.image_delta import ImageDelta, PartitionUpdate
from service.model.cluster import ClusterImage, PartitionState, TopicImage
from service.model.setting_type import Value
from service.model.topic_config import TopicConfig
from service.partition.replica_roles import Held, ReplicaRoles
from service.partition.table import PartitionTable

RETRY_SECONDS = 5.0
"""How soon a log that the disk has refused is tried again."""

OPENING_AT_ONCE_MAX = 64
"""Logs that are being recovered side by side; the read threads do the work."""

_log = structlog.get_logger(__name__)

OnBroken = Callable[[TopicName, PartitionId, Exception], None]
"""Told of a partition that cannot be served, and why."""


class PartitionKeeper:
    """Applies images to what this broker leads and follows.

    Args:
        broker_id: This broker.
        broker_epoch: Its registration; it leads only partitions whose term is meant for that one.
        roles: Changes what this broker is to a partition.
        table: What is led.
        defaults: Gives the broker's values for every topic setting.
        on_broken: Told of a partition that cannot be served, and why.
    """

    def __init__(
        self,
        *,
        broker_id: NodeId,
        broker_epoch: int,
        roles: ReplicaRoles,
        table: PartitionTable,
        defaults: Callable[[], Mapping[str, Value]],
        on_broken: OnBroken,
    ) -> None:
        self._broker_id = broker_id
        self._broker_epoch = broker_epoch
        self._roles = roles
        self._table = table
        self._defaults = defaults
        self._on_broken = on_broken
        self._work: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._listeners: list[Callable[[], None]] = []
        self._image: ClusterImage
        self._unopened: dict[PartitionId, Held] = {}

    async def load(self, image: ClusterImage) -> None:
        """Open everything that this broker has; it is not serving yet."""
        self._image = image
        self._roles.note_brokers(image.brokers.values())
        held = [
            Held(topic.name, PartitionId(topic.topic_id, number), state)
            for topic in image.topics.values()
            for number, state in enumerate(topic.partitions)
            if self._broker_id in state.replicas
        ]
        await self._take_up_all(held, image)

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
            is_failed = any(partition.hot.failure for partition in self._table.partitions)
            if is_failed or self._roles.failed_followers:
                self._work.put_nowait(self._reopen_failed)

    async def _open_unopened(self) -> None:
        """Open what a store that did not answer has kept from being opened."""
        await self._take_up_all(list(self._unopened.values()), self._image)

    async def _reopen_failed(self) -> None:
        """Open logs again that the disk had refused."""
        for partition in [each for each in self._table.partitions if each.hot.failure]:
            try:
                await self._roles.reopen(partition)
            except EverlogError as error:
                self._on_broken(partition.topic, partition.id, error)
        for followed in self._roles.failed_followers:
            try:
                await self._roles.refollow(followed)
            except EverlogError as error:
                self._on_broken(followed.topic, followed.id, error)

    async def _apply(self, delta: ImageDelta) -> None:
        self._image = delta.image
        if delta.brokers_changed:
            self._roles.note_brokers(delta.image.brokers.values())
        if delta.configs_changed:
            self._reconfigure(delta.image.topics.values())
        self._reconfigure(delta.topics_changed)
        for topic in delta.topics_deleted:
            for number in range(len(topic.partitions)):
                await self._delete(topic.name, PartitionId(topic.topic_id, number))
        held = []
        for update in delta.partitions:
            if self._broker_id in update.after.replicas:
                held.append(Held(update.topic, update.partition, update.after))
            else:
                await self._give_up(update)
        await self._take_up_all(held, delta.image)

    def _reconfigure(self, topics: Iterable[TopicImage]) -> None:
        for topic in topics:
            config = TopicConfig.resolve(topic.config, self._defaults())
            numbers = range(len(topic.partitions))
            self._roles.reconfigure((PartitionId(topic.topic_id, n) for n in numbers), config)

    def _leads(self, state: PartitionState) -> bool:
        return state.is_led_by(self._broker_id, self._broker_epoch)

    async def _take_up_all(self, held: Iterable[Held], image: ClusterImage) -> None:
        wanted = list(held)
        configs = self._configs({each.topic for each in wanted}, image)
        for first in range(0, len(wanted), OPENING_AT_ONCE_MAX):
            some = wanted[first : first + OPENING_AT_ONCE_MAX]
            await asyncio.gather(*(self._take_up(each, configs[each.topic]) for each in some))

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

    async def _take_up(self, held: Held, config: TopicConfig | EverlogError) -> None:
        """Be to a partition what its state says."""
        try:
            if isinstance(config, EverlogError):
                raise config
            if self._leads(held.state):
                await self._roles.lead(held, config)
            else:
                await self._roles.follow(held, config)
        except EverlogError as error:
            self._put_off(held, error)
            return
        self._unopened.pop(held.partition, None)

    def _put_off(self, held: Held, error: EverlogError) -> None:
        """Report a partition that cannot be served; what may pass is tried again."""
        if held.partition not in self._unopened:
            self._on_broken(held.topic, held.partition, error)
        if isinstance(error, RetriableError):
            self._unopened[held.partition] = held
        else:
            self._unopened.pop(held.partition, None)

    async def _give_up(self, update: PartitionUpdate) -> None:
        """Have nothing of a partition any more that has been moved to others: they have it all."""
        if update.before is not None and self._broker_id in update.before.replicas:
            await self._delete(update.topic, update.partition)
            _log.info("replica_removed", partition=update.partition.text)

    async def _delete(self, topic: TopicName, partition_id: PartitionId) -> None:
        """Remove the log of what has gone from here, even if it could not be opened."""
        self._unopened.pop(partition_id, None)
        try:
            await self._roles.delete(partition_id)
        except EverlogError as error:
            # The next start finds what is left; changes of other partitions go on.
            self._on_broken(topic, partition_id, error)
