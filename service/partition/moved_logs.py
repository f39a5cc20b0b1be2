"""Removes the logs of partitions that were moved to other brokers while this one was down.

A start puts such logs aside and deletes nothing: what the metadata tell may be older than the log
(REL-Y9). They go only once every replica that there is now is in sync, under a leader: then all
that is in them is known to be elsewhere.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from enum import Enum, auto
from typing import TypeVar

import structlog

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, PartitionId
from service.coordination.elections import Electorate
from service.hot.data_directory import remove_strays, stray_logs
from service.model.cluster import ClusterImage
from service.model.disk import Disk

T = TypeVar("T")

LOOK_SECONDS = 10.0
"""How soon it is noticed that others have everything; only after a start that has found some."""

_log = structlog.get_logger(__name__)


class Fate(Enum):
    """What becomes of a log that was put aside."""

    GOES = auto()
    WAITS = auto()
    STAYS = auto()


class MovedLogs:
    """Looks after what the last starts have put aside.

    Args:
        broker_id: This broker.
        data_dir: Where its logs are.
        image: Tells where they are now.
    """

    def __init__(
        self,
        *,
        broker_id: NodeId,
        data_dir: str,
        disk: Disk,
        executor: Executor | None,
        image: Callable[[], ClusterImage],
    ) -> None:
        self._broker_id = broker_id
        self._data_dir = data_dir
        self._disk = disk
        self._executor = executor
        self._image = image

    async def run(self) -> None:
        """Work until nothing is left that could go."""
        waiting = await self._in_thread(stray_logs)
        while True:
            waiting = await self._look(waiting)
            if not waiting:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, waiting: list[PartitionId]) -> list[PartitionId]:
        """Remove what can go; return what may be able to later."""
        left: list[PartitionId] = []
        for partition in waiting:
            fate = fate_of(partition, self._image(), self._broker_id)
            if fate is Fate.GOES:
                try:
                    await self._in_thread(remove_strays, partition)
                except EverlogError as error:
                    _log.warning(
                        "moved_log_not_removed", partition=partition.text, reason=str(error)
                    )
                    left.append(partition)
                else:
                    _log.info("moved_log_removed", partition=partition.text)
            elif fate is Fate.WAITS:
                left.append(partition)
        return left

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, call, self._disk, self._data_dir, *args)


def fate_of(partition: PartitionId, image: ClusterImage, broker_id: NodeId) -> Fate:
    """Say what becomes of a log: it goes only if the cluster has the partition, whole, elsewhere.

    A log of a topic that nobody knows is for people to look at, and so is one beside the log that
    this broker has got again.
    """
    topic = image.topic_by_id(partition.topic_id)
    if topic is None or partition.partition >= len(topic.partitions):
        return Fate.STAYS
    state = topic.partitions[partition.partition]
    if broker_id in state.replicas:
        return Fate.STAYS
    is_led = Electorate.of(image.brokers.values()).has_leader(state)
    is_whole = is_led and not state.is_moving and {*state.isr} == {*state.replicas}
    return Fate.GOES if is_whole else Fate.WAITS
