"""Looks often at the partitions whose topics say how far the archive may be behind."""

import asyncio
from collections.abc import Callable

from everlog.model.ids import PartitionId
from service.partition.archive import PartitionArchive

LOOKS_PER_LAG = 4
"""A record is in the archive a quarter of its topic's lag late at most, and its upload."""

LOOK_SECONDS_MIN = 0.02
LOOK_SECONDS_MAX = 1.0

PARTITIONS_AT_ONCE_MAX = 256
"""Looked at before the loop does something else."""


class LagWatch:
    """Partitions with slices; without any it sleeps.

    Args:
        wake: Gives a partition a turn.
    """

    def __init__(self, wake: Callable[[PartitionId], None]) -> None:
        self._wake = wake
        self._watched: dict[PartitionId, PartitionArchive] = {}
        self._is_needed = asyncio.Event()

    def follow(self, partition: PartitionId, archive: PartitionArchive) -> None:
        """Watch a partition if its topic has slices."""
        if archive.slice_lag_ms is None:
            self.leave(partition)
            return
        archive.wants_slice()
        self._watched[partition] = archive
        self._is_needed.set()

    def leave(self, partition: PartitionId) -> None:
        """Do not watch a partition any more."""
        self._watched.pop(partition, None)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._is_needed.wait()
            await asyncio.sleep(self._look_seconds())
            for number, (partition, archive) in enumerate(list(self._watched.items())):
                if number % PARTITIONS_AT_ONCE_MAX == PARTITIONS_AT_ONCE_MAX - 1:
                    await asyncio.sleep(0)
                # One that is stalled is tried again at the look at all partitions.
                if archive.wants_slice() and archive.stalled_since is None:
                    self._wake(partition)
            if not self._watched:
                self._is_needed.clear()

    def _look_seconds(self) -> float:
        lags = [each.slice_lag_ms for each in self._watched.values()]
        soonest = min((lag for lag in lags if lag is not None), default=0) / 1000
        return min(max(soonest / LOOKS_PER_LAG, LOOK_SECONDS_MIN), LOOK_SECONDS_MAX)
