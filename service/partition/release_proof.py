"""ReleaseProof: whether the store is the archive's, for whoever lets go of local records by it.

A restore may have taken the store since the last look at it. What this broker has committed after
that is in nobody's archive, and its disk has the only copy; so there is a look before local
segments go, one for everything that goes within a few seconds.

If the store is away the last look counts, both for what has outlived its local retention (TIER-35)
and for what a full disk releases early: nothing is committed to a store that is away, so what may
go was committed before, nearly all of it before the last look that found the store ours. Waiting
instead would let the disk run full in every outage, and refuse producers to protect the little
that a restore could have cut off in the moment between.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from service.partition.archive_home import ArchiveHome

ROUND_SECONDS = 5.0
"""What goes within so long of a look needs no other one; a look is a listing."""

WAIT_SECONDS_MAX = 1.0
"""A look takes a store that is well some 50 ms; a disk that fills up waits no longer for it."""


class ReleaseProof:
    """Shared by all partitions of a broker.

    Args:
        is_known: Whether the store has proved to be the archive's.
        confirm: Looks at it again; raises `EverlogError` if it is not, or does not answer.
    """

    def __init__(
        self,
        *,
        is_known: Callable[[], bool],
        confirm: Callable[[], Awaitable[None]],
        clock: Clock,
        wait_seconds: float = WAIT_SECONDS_MAX,
    ) -> None:
        self._is_known = is_known
        self._confirm = confirm
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._looked_at: float | None = None
        self._looking = asyncio.Lock()

    @property
    def holds(self) -> bool:
        """Whether local records may go, by the last look."""
        return self._is_known()

    async def renew(self) -> bool:
        """Return whether local records may go now; look first unless somebody just has."""
        async with self._looking:
            if self.holds and self._is_old:
                self._looked_at = self._clock.monotonic()
                with suppress(EverlogError, TimeoutError):  # `holds` tells what came of it
                    async with asyncio.timeout(self._wait_seconds):
                        await self._confirm()
        return self.holds

    @property
    def _is_old(self) -> bool:
        at = self._looked_at
        return at is None or self._clock.monotonic() - at >= ROUND_SECONDS


def release_proof(home: ArchiveHome | None, *, clock: Clock) -> ReleaseProof:
    """Make the proof of a broker; without a home the store is its own, and needs none."""
    if home is not None:
        return ReleaseProof(is_known=lambda: home.is_known, confirm=home.confirm, clock=clock)

    async def confirm() -> None:
        return

    return ReleaseProof(is_known=lambda: True, confirm=confirm, clock=clock)
