"""DiskWatch: looks at the local disk, and does what its pressure asks for."""

import asyncio
from concurrent.futures import Executor
from math import inf

import structlog

from everlog.model.clock import Clock
from service.hot.store import HotStore
from service.model.disk import Disk, DiskError
from service.model.disk_limit import DiskLimits, DiskUsage
from service.partition.disk_gate import UNBOUNDED, DiskGate
from service.partition.disk_pressure import (
    DiskLevel,
    DiskRoom,
    Flow,
    Pressure,
    pressure_after,
)
from service.partition.early_release import EarlyRelease
from service.telemetry.logs import Limited

CALM_SECONDS = 1.0
"""Between two looks while there is room; a limit that is passed meanwhile is noticed at once."""

PRESSED_SECONDS = 0.25
"""Between two looks otherwise: what has just been archived is to go soon."""

VOLUME_SECONDS = 1.0
"""The file system is asked no more often; in between the bytes of segments tell the difference."""

HIGH_SECONDS = 60.0
"""A disk that lives at its lower limit is not calm in between; nor is each release told."""

_log = structlog.get_logger(__name__)


class DiskWatch:
    """Keeps a broker's disk below its limits.

    Args:
        limits: ``log.local.disk.high`` and ``log.local.disk.critical``.
        data_dir: On the volume that counts.
        gate: Told what was found.
        early: Makes room.
        executor: Threads to ask the file system in.

    Attributes:
        pressure: What is done since the last look.
    """

    def __init__(
        self,
        *,
        limits: DiskLimits,
        data_dir: str,
        disk: Disk,
        hot: HotStore,
        gate: DiskGate,
        early: EarlyRelease,
        clock: Clock,
        executor: Executor | None,
        calm_seconds: float = CALM_SECONDS,
    ) -> None:
        self.limits = limits
        self.gate = gate
        self.early = early
        self.pressure = Pressure()
        self._data_dir = data_dir
        self._disk = disk
        self._hot = hot
        self._clock = clock
        self._executor = executor
        self._calm_seconds = calm_seconds
        self._crossed = asyncio.Event()
        gate.on_crossed = self._crossed.set
        self._flow = Flow()
        self._looked_at = self._high_at = -inf
        self._room: DiskRoom | None = None
        self._volume = (UNBOUNDED, UNBOUNDED)
        self._volume_at = -inf
        self._own_then = 0
        self._complaints = Limited()

    @property
    def usage(self) -> DiskUsage:
        """What is on the disk, by the last look at the volume and what has been written since."""
        free, total = self._volume
        own = self._own
        return DiskUsage(own=own, free=max(0, free - (own - self._own_then)), total=total)

    @property
    def _own(self) -> int:
        return sum(log.size for log in self._hot.logs)

    @property
    def seconds_to_critical(self) -> float:
        """How long there is room at the present rate; infinite while it does not shrink."""
        return DiskRoom.of(self.limits, self.usage).seconds_to_critical(self._flow)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            pressed = self.pressure.level > DiskLevel.CALM
            try:
                async with asyncio.timeout(PRESSED_SECONDS if pressed else self._calm_seconds):
                    await self._crossed.wait()
            except TimeoutError:
                pass
            self._crossed.clear()
            await self.look()

    async def measure(self) -> None:
        """Look at the disk, and tell the gate; what is to be released stays for now."""
        await self._ask_volume()
        self._judge()

    async def look(self) -> None:
        """Look once, and make room for as long as that helps."""
        await self.measure()
        while self.pressure.release and await self.early.release(self.pressure.release):
            self._judge()

    async def _ask_volume(self) -> None:
        now = self._clock.monotonic()
        if now - self._volume_at < VOLUME_SECONDS:
            return
        self._volume_at = now
        own = self._own
        try:
            free, total = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._disk.free_bytes, self._data_dir
            )
        except (DiskError, FileNotFoundError) as error:
            # What was known last, and the bytes of the segments, have to do.
            if self._complaints.admit("volume", now) is not None:
                _log.warning("volume_not_asked", reason=str(error))
            return
        if total > 0:  # some file systems do not tell
            # What came or went meanwhile rather counts twice than not at all.
            self._volume, self._own_then = (free, total), min(own, self._own)

    def _judge(self) -> None:
        """Work out what is to be done, and say so to the gate; all of it in one step."""
        now, usage = self._clock.monotonic(), self.usage
        room = DiskRoom.of(self.limits, usage)
        if self._room is not None:
            self._flow = self._flow.after(
                now - self._looked_at,
                appended=self.gate.taken,
                filled=self._room.critical - room.critical,
            )
        self._looked_at, self._room = now, room
        if room.high < 0:
            self._high_at = now
        before = self.pressure
        is_calm = before.level is DiskLevel.CALM and min(room.high, room.critical) >= 0
        self.pressure = pressure_after(
            before,
            room,
            self._flow,
            releasable=0 if is_calm else self.early.releasable(room.surplus),
            was_high=now - self._high_at < HIGH_SECONDS,
            is_slowing=self.gate.is_slowing,
            has_lacked_room=self.gate.has_lacked_room,
        )
        self.gate.adjust(self.pressure, room)
        if self.pressure.level is not before.level:
            self._tell(usage, room)

    def _tell(self, usage: DiskUsage, room: DiskRoom) -> None:
        """Log a new level."""
        level = self.pressure.level
        tell = _log.warning if level >= DiskLevel.THROTTLE else _log.info
        used = self.limits.high.used_of(usage)
        tell(
            "local_disk_level",
            disk_level=level.name.lower(),
            used=used,
            high=used + room.high,
            critical=used + room.critical,
            consequence=_CONSEQUENCES[level],
        )


_CONSEQUENCES = {
    DiskLevel.CALM: "none",
    DiskLevel.RELEASE: "archived segments are released before their local retention ends",
    DiskLevel.THROTTLE: "nothing is left to release, and producers are slowed",
    DiskLevel.REFUSE: "producers are refused until there is room, and try again",
}
