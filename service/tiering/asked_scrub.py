"""Rounds of a scrubber that somebody has asked for: everything is looked at and read, now.

The wish is a time in the broker's settings: what was not read since then is due. It is not known
what an earlier process has read, so what was asked before the start is not done again: a start in
the middle of a round drops it, and who waits for it sees that and asks again.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.offsets import Offset
from service.tiering.partition_tier import PartitionTier
from service.tiering.scrubber import Scrubber

POLL_SECONDS = 1.0
"""How soon a wish is seen, and how long a store that does not answer is left alone."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class AskedRound:
    """How far a round has come.

    Attributes:
        since_ms: What was not read since then is read; 0 for no round since the start.
        objects: Looked at so far.
        done_bytes: Of these.
        total_bytes: Of all objects at the beginning; they may have become more or fewer since.
        is_over: Whether all of it was looked at.
    """

    since_ms: int = 0
    objects: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    is_over: bool = False

    @property
    def ratio(self) -> float:
        """How much of it is over; 1 only at its end."""
        if self.is_over:
            return 1.0
        return min(0.999, self.done_bytes / max(1, self.total_bytes))


class AskedRounds:
    """Does what is asked for, one round after the other.

    Args:
        scrubber: Looks at the objects, and keeps what is wrong.
        tiers: Those that this broker owns now.
        since_ms: What the settings say by now.
        clock: Of the broker.

    Attributes:
        latest: The round under way, or the last one.
    """

    def __init__(
        self,
        scrubber: Scrubber,
        *,
        tiers: Callable[[], Iterable[PartitionTier]],
        since_ms: Callable[[], int],
        clock: Clock,
    ) -> None:
        self.latest = AskedRound()
        self._scrubber = scrubber
        self._tiers = tiers
        self._since_ms = since_ms
        self._clock = clock
        self._answered_ms = clock.wall_ms()

    async def run(self) -> None:
        """Work until cancelled."""
        while self._scrubber.is_on:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.catch_up()
            except Exception:  # noqa: BLE001  (scrubbing must not end the broker's own work)
                _log.exception("asked_scrub_failed")
                self._answered_ms = self.latest.since_ms

    async def catch_up(self) -> None:
        """Do the round that is asked for, if there is one."""
        since_ms = self._since_ms()
        # A time to come is a wish for then: clocks differ.
        if not self._answered_ms < since_ms <= self._clock.wall_ms():
            return
        tiers = sorted(self._tiers(), key=lambda each: each.path.prefix)
        total = sum(each.pointer.bytes for each in tiers)
        self.latest = AskedRound(since_ms=since_ms, total_bytes=total)
        _log.info("asked_scrub_begins", partitions=len(tiers), bytes=total)
        for tier in tiers:
            await self._go_through(tier)
        self.latest.is_over = True
        self._answered_ms = since_ms
        _log.info(
            "asked_scrub_ended",
            objects=self.latest.objects,
            bytes=self.latest.done_bytes,
            unsound=len(self._scrubber.problems),
        )

    async def _go_through(self, tier: PartitionTier) -> None:
        """Go by offsets: whatever is merged or expires meanwhile, none is passed over."""
        offset: Offset | None = Offset(0)
        failures = 0
        while offset is not None:
            try:
                offset = await self._look(tier, offset)
                failures = 0
            except EverlogError as error:
                failures += 1
                if failures & (failures - 1) == 0:
                    _log.warning("asked_scrub_put_off", failures=failures, reason=str(error))
                await asyncio.sleep(POLL_SECONDS)

    async def _look(self, tier: PartitionTier, offset: Offset) -> Offset | None:
        entry = await self._scrubber.entry_from(tier, offset)
        if entry is None:
            return None
        await self._scrubber.look_now(tier, entry)
        self.latest.objects += 1
        self.latest.done_bytes += entry.size_bytes
        return entry.offsets.end
