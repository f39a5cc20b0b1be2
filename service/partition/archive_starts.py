"""Where a follower begins that lacks what its leader has in the archive only (KIP-405).

Everything that is archived is committed, and the newest object tells what a log has to know of all
before it: terms and producers. So the follower copies nothing of that, however much it is.
"""

from collections.abc import Callable
from typing import NamedTuple

from everlog.format.object_keys import PartitionPath
from everlog.format.pointer import Pointer, decode_pointer
from everlog.model.clock import Clock
from everlog.model.errors import RetriableError
from service.hot.log import HotLog
from service.hot.restart import LogRestart
from service.partition.restart_point import restart_point
from service.tiering.authority import PointerStore
from service.tiering.cold_log import ColdLog
from service.tiering.tier_view import TierView


class NotArchivedError(RetriableError):
    """The archive does not reach beyond what the follower has; its leader says that it does."""


class Viewed(NamedTuple):
    """A tier that is only read."""

    tier: TierView
    cold: ColdLog


ViewTier = Callable[[PartitionPath, Pointer], Viewed]
"""Gives the tier that a pointer names, for reading."""


class ArchiveStarts:
    """Finds the end of the archive, as the newest commit has left it.

    Args:
        cluster_id: Names the objects of this cluster.
        pointers: Tell what is committed.
        view: Reads it.

    Attributes:
        bytes_read: Of what objects say of the log before them, ever.
    """

    def __init__(
        self, *, cluster_id: str, pointers: PointerStore, view: ViewTier, clock: Clock
    ) -> None:
        self._cluster_id = cluster_id
        self._pointers = pointers
        self._view = view
        self._clock = clock
        self.bytes_read = 0

    async def find(self, hot: HotLog) -> LogRestart:
        """Make up the state at the end of the archive, for a log that ends before.

        Raises:
            RetriableError: The metadata or the object store did not answer; `NotArchivedError`.
            RejectedError: An object is gone, perhaps since the pointer was read; or the object
                store refuses this broker.
            CorruptionError: The local log is no part of what is archived, or the archive is
                damaged.
        """
        (stored,) = await self._pointers.read([hot.partition])
        if stored is None or not stored.payload:
            raise NotArchivedError(f"nothing of {hot.partition.text} is archived")
        pointer = decode_pointer(stored.payload)
        if pointer.tiered_end <= hot.next_offset:
            raise NotArchivedError(
                f"the archive of {hot.partition.text} ends at {pointer.tiered_end}, and the local "
                f"log at {hot.next_offset}"
            )
        path = PartitionPath(
            cluster_id=self._cluster_id,
            topic_id=hot.partition.topic_id,
            partition=hot.partition.partition,
        )
        seen = self._view(path, pointer)
        state = await seen.cold.end_state()
        if state is not None:
            self.bytes_read += state.size_bytes
        return await restart_point(hot, seen.tier, seen.cold, state, now_ms=self._clock.wall_ms())
