"""The watch: what it sees, when it looks, and what comes of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.model.disk import DiskError
from service.model.disk_limit import DiskLimit, DiskLimits, critical_above
from service.partition.disk_gate import DiskGate
from service.partition.disk_pressure import DiskLevel
from service.partition.disk_watch import VOLUME_SECONDS, DiskWatch
from service.partition.early_release import EarlyRelease
from service.partition.errors import DiskCrowdedError
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import config, opened, written
from tests.unit.partition.crowded import KIB, SEGMENTS, UNTIERED, Crowded, crowded
from tests.unit.tiering.site import read_all


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Crowded]:
    async with crowded(tmp_path) as place:
        yield place


async def test_a_disk_above_its_lower_limit_is_released_to_a_little_below(place: Crowded) -> None:
    partition = await place.filled(0)
    watch = place.watch(high=48 * KIB)
    await place.archived(partition)
    await watch.look()
    assert watch.pressure.level is DiskLevel.RELEASE
    assert watch.pressure.release == 0
    assert 30 * KIB < partition.hot.size < 46 * KIB
    assert place.early.bytes > 0


@pytest.mark.rule("TIER-8")
@pytest.mark.rule("TIER-22")
async def test_a_store_that_is_away_fills_the_budget_and_no_more_and_drains_by_itself(
    place: Crowded,
) -> None:
    place.switch_off()
    partition = await place.site.open(SEGMENTS)
    appended = await place.more(partition)
    watch = place.watch(high=64 * KIB)
    await watch.look()
    assert watch.pressure.level is DiskLevel.RELEASE
    appended += await place.more(partition, batches=4)
    await watch.look()
    assert watch.pressure.level is DiskLevel.REFUSE
    with pytest.raises(DiskCrowdedError):
        watch.gate.take(1)
    assert (partition.tiered_end, partition.hot.local_start) == (0, 0)
    (archive,) = place.site.cold.archiver.archives
    assert archive.stalled_since is not None
    assert archive.lag_bytes > 0
    place.switch_on()
    watching = asyncio.ensure_future(watch.run())
    await place.archived(partition)
    async with asyncio.timeout(20):
        while watch.pressure.level is not DiskLevel.RELEASE or watch.pressure.is_short:
            await asyncio.sleep(0.01)
    watching.cancel()
    assert watch.gate.take(1) == 0
    assert partition.hot.local_start > 0
    assert await read_all(partition) == appended


async def test_a_limit_that_is_passed_is_noticed_at_once(place: Crowded) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    watch = place.watch(high=80 * KIB, calm_seconds=3600)
    await watch.look()
    watching = asyncio.ensure_future(watch.run())
    watch.gate.take(20 * KIB)
    await place.more(partition, batches=16)
    await place.archived(partition)
    async with asyncio.timeout(20):
        while not place.early.bytes:
            await asyncio.sleep(0.005)
    watching.cancel()


async def test_what_is_not_archived_at_all_slows_producers_and_then_refuses_them(
    place: Crowded,
) -> None:
    partition = await place.filled(0, config=UNTIERED)
    watch = place.watch(high=64 * KIB, critical=80 * KIB)
    await watch.look()
    assert watch.pressure.rate is not None
    assert watch.gate.take(4 * KIB) > 0
    await watch.look()
    assert watch.pressure.level is DiskLevel.THROTTLE
    await place.more(partition, batches=16)
    await watch.look()
    assert watch.pressure.level is DiskLevel.REFUSE


@pytest.mark.rule("TIER-33")
async def test_a_segment_that_nobody_appends_to_is_sealed_archived_and_released_all_the_same(
    place: Crowded,
) -> None:
    idle = await place.filled(0, batches=2)
    assert idle.hot.sealed == []
    ticking = asyncio.ensure_future(place.site.hot.run())
    place.clock.now_ms += 601_000
    await place.site.tiered_to(idle, idle.hot.log_end)
    ticking.cancel()
    await place.more(idle, batches=1)
    await place.watch(high=100).look()
    assert idle.hot.local_start == idle.tiered_end == 2


def on_volume(disk: SimDisk, clock: ManualClock, hot: object) -> DiskWatch:
    share = DiskLimit(percent=80)
    return DiskWatch(
        limits=DiskLimits(high=share, critical=critical_above(share)),
        data_dir="/data",
        disk=disk,
        hot=hot,  # type: ignore[arg-type]
        gate=DiskGate(clock),
        early=EarlyRelease(hot, list, clock),  # type: ignore[arg-type]
        clock=clock,
        executor=None,
    )


async def test_a_share_counts_what_everybody_has_on_the_volume() -> None:
    disk, clock = SimDisk(), ManualClock()
    disk.make_dirs("/data")
    store, _ = await opened(disk, config())
    watch = on_volume(disk, clock, store)
    disk.room = 1 << 39
    await watch.look()
    assert watch.pressure.level is DiskLevel.CALM
    disk.room = 1 << 37
    await watch.look()
    assert watch.pressure.level is DiskLevel.CALM, "the volume is not asked again and again"
    clock.advance(int(VOLUME_SECONDS * 1000))
    await watch.look()
    assert watch.pressure.level is DiskLevel.RELEASE
    disk.room = 1 << 30
    clock.advance(int(VOLUME_SECONDS * 1000))
    await watch.look()
    assert watch.pressure.level is DiskLevel.REFUSE
    disk.room = None
    await store.close()


async def test_between_two_questions_the_bytes_of_segments_tell_what_is_free() -> None:
    disk, clock = SimDisk(), ManualClock()
    disk.make_dirs("/data")
    store, log = await opened(disk, config())
    watch = on_volume(disk, clock, store)
    disk.room = 1 << 36
    await watch.look()
    free = watch.usage.free
    await written(log, 1000, 2000)
    assert watch.usage.free == free - log.size
    await store.close()


async def test_a_volume_that_cannot_be_asked_leaves_what_was_known() -> None:
    class Mute(SimDisk):
        def free_bytes(self, path: str) -> tuple[int, int]:
            self.check("statvfs", path)
            return (0, 0) if self.room == 0 else super().free_bytes(path)

    disk, clock = Mute(), ManualClock()
    disk.make_dirs("/data")
    store, _ = await opened(disk, config())
    watch = on_volume(disk, clock, store)
    disk.room = 0
    await watch.look()
    assert watch.pressure.level is DiskLevel.CALM, "some file systems do not tell"
    disk.room = 1 << 30
    clock.advance(1000)
    await watch.look()
    assert watch.pressure.level is DiskLevel.REFUSE
    disk.fail("statvfs")
    with pytest.raises(DiskError):
        disk.free_bytes("/data")
    clock.advance(1000)
    await watch.look()
    assert watch.pressure.level is DiskLevel.REFUSE
    disk.heal()
    await store.close()
