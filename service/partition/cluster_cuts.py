"""Writes cuts of the cluster to the store: every now and then, and at a clean stop."""

import asyncio
from collections.abc import Callable

import structlog

from everlog.format.cut import Cut
from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from service.partition.cut_making import CutMaker
from service.tiering.cut_objects import CutObjects, written

LAST_CUT_SECONDS_MAX = 3.0
"""A stop, which has 8 seconds, waits so long for a store that does not take the last cut."""

_log = structlog.get_logger(__name__)


class ClusterCuts:
    """Makes a cut when something has changed since the last one, and deletes old ones.

    Args:
        owner: Number of the owner of the store; None while it is not known to be the archive's.
        is_controller: Whether this broker is the one that makes cuts.
        interval_ms: Between two attempts.
        window_ms: How far back somebody may want to go.
    """

    def __init__(
        self,
        objects: CutObjects,
        maker: CutMaker,
        *,
        owner: Callable[[], int | None],
        is_controller: Callable[[], bool],
        interval_ms: int,
        window_ms: int,
        clock: Clock,
    ) -> None:
        self._objects = objects
        self._maker = maker
        self._owner = owner
        self._is_controller = is_controller
        self._interval_ms = interval_ms
        self._window_ms = window_ms
        self._clock = clock
        self._digest = b""
        self._last_ms: dict[int, int] = {}
        self._problem: str | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Make cuts until cancelled."""
        while True:
            await asyncio.sleep(self._interval_ms / 1000)
            await self.make()

    async def make(self) -> None:
        """Make a cut now if there is anything new; a failure is told and left to the next time."""
        async with self._turn:
            owner = self._owner()
            if owner is None or not self._is_controller():
                return
            try:
                after_ms = await self._newest_ms(owner)
                cut = await self._maker.make(owner=owner, after_ms=after_ms)
                if cut is not None:
                    await self._write(cut)
            except EverlogError as error:
                self._complain(str(error))
            else:
                self._problem = None

    async def make_last(self, *, seconds_max: float = LAST_CUT_SECONDS_MAX) -> None:
        """Make one at the stop, unless that takes too long."""
        try:
            async with asyncio.timeout(seconds_max):
                await self.make()
        except TimeoutError:
            self._complain(f"the store did not take it within {seconds_max:g} seconds")

    async def _newest_ms(self, owner: int) -> int:
        """Return when the last cut of an owner was made; asks the store once."""
        if owner not in self._last_ms:
            mine = [each.created_ms for each in await self._objects.all() if each.owner == owner]
            self._last_ms = {owner: max(mine, default=0)}
        return self._last_ms[owner]

    async def _write(self, cut: Cut) -> None:
        text = await written(cut)
        if text.digest == self._digest:
            return
        key = await self._objects.put(cut, text)
        self._digest, self._last_ms = text.digest, {cut.owner: cut.created_ms}
        _log.info("cut_made", key=key.text, partitions=cut.partitions, groups=len(cut.groups))
        # Whoever has lost the store since is refused the deletion.
        await self._objects.prune(before_ms=self._clock.wall_ms() - self._window_ms)

    def _complain(self, reason: str) -> None:
        """Say it once for as long as it stays the same."""
        if reason != self._problem:
            advice = "a restore would know offsets of groups and settings from the cut before"
            _log.warning("cut_not_made", reason=reason, advice=advice)
        self._problem = reason
