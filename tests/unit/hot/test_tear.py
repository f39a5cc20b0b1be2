"""What a power cut may leave is cut off, whatever lies behind it; anything else is damage."""

import asyncio
import random

import pytest

from everlog.model.errors import CorruptionError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header, walk
from everlog.records.builder import Record, build_batch
from service.hot.leader_epochs import LeaderEpochs
from service.hot.log import HotLog
from service.hot.producer_state import ProducerStates
from service.hot.recovery import recover_log
from service.hot.restart import LogRestart
from service.hot.tear import Known
from service.model.disk import DiskError
from tests.simulation.disk import PAGE_BYTES, SimDisk
from tests.simulation.loop import SimLoop, run_simulated
from tests.unit.hot.plain_log import DIRECTORY, PARTITION, config, opened

LOG = f"{DIRECTORY}/{0:020d}.log"
ALWAYS = Known(flush_always=True)
INTERVAL = Known(flush_always=False)


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


def dense(rng: random.Random, size: int) -> bytearray:
    """Make a batch of one record without a zero sector."""
    value = rng.randbytes(size).replace(b"\0", b"\1")
    return build_batch([Record(key=None, value=value, timestamp_ms=1000)])


def append(log: HotLog, made: bytearray) -> int:
    return log.append(made, read_header(made), leader_epoch=LeaderEpoch(3))


async def settled(log: HotLog) -> None:
    while log.is_busy:
        await asyncio.sleep(0.001)


async def filled(disk: SimDisk, *sizes: int) -> list[int]:
    """Write batches; return where each begins."""
    rng = random.Random(1)
    _, log = await opened(disk, config())
    places = []
    for size in sizes:
        places.append(log.active.size)
        append(log, dense(rng, size))
    await settled(log)
    return places


def erase(disk: SimDisk, start: int, end: int) -> None:
    disk.open(LOG).write_at(start, [bytes(end - start)])


def end_of(disk: SimDisk, known: Known) -> int:
    return recover_log(disk, PARTITION, DIRECTORY, now_ms=0, known=known).segments[-1].next_offset


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("known", [ALWAYS, INTERVAL])
async def test_a_hole_of_pages_is_a_tear_and_what_lies_behind_it_is_kept_aside(
    disk: SimDisk, known: Known
) -> None:
    places = await filled(disk, *[3000] * 10)
    erase(disk, PAGE_BYTES, 2 * PAGE_BYTES)
    before = disk.read_file(LOG)
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=0, known=known)
    assert found.segments[-1].next_offset == 1
    assert found.cut is not None
    assert (found.cut.offset, found.cut.size) == (1, len(before) - places[1])
    assert found.cut.saved_as is not None
    assert disk.read_file(found.cut.saved_as) == before[places[1] :]
    assert disk.read_file(LOG) == before[: places[1]]


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("known", [ALWAYS, INTERVAL])
@pytest.mark.parametrize("start", range(500, 513))
async def test_a_sector_that_begins_anywhere_in_a_batch_can_be_missing(
    disk: SimDisk, known: Known, start: int
) -> None:
    # Batch 1 begins a few bytes before the end of the first sector.
    filler = start - (await filled(disk, 300, 10))[1]
    disk.unlink(LOG)
    places = await filled(disk, 300 + filler, 700, 700, 700)
    assert abs(places[1] - start) <= 1
    end = max(512, places[1] // 512 * 512 + 512)
    is_missed = any(disk.read_file(LOG)[places[1] : end])
    erase(disk, places[1], end)
    # The first bytes of a small offset are zeros anyway.
    assert end_of(disk, known) == (1 if is_missed else 4)


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("byte", [0, 7, 8, 11, 16, 17, 61, 2999])
async def test_a_flipped_bit_before_good_batches_is_damage_where_all_was_promised(
    disk: SimDisk, byte: int
) -> None:
    places = await filled(disk, *[3000] * 10)
    disk.flip_bit(LOG, places[4] + byte)
    before = disk.read_file(LOG)
    with pytest.raises(CorruptionError):
        end_of(disk, ALWAYS)
    assert disk.read_file(LOG) == before


@pytest.mark.rule("REL-Y6")
async def test_damage_that_a_tear_does_not_explain_is_cut_where_nothing_was_promised(
    disk: SimDisk,
) -> None:
    places = await filled(disk, *[3000] * 10)
    disk.flip_bit(LOG, places[4] + 2000)
    assert end_of(disk, INTERVAL) == 4


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("always", [True, False])
async def test_a_hole_below_the_synced_mark_is_damage(disk: SimDisk, *, always: bool) -> None:
    await filled(disk, *[3000] * 10)
    erase(disk, PAGE_BYTES, 2 * PAGE_BYTES)
    before = disk.read_file(LOG)
    with pytest.raises(CorruptionError, match="everything below offset 2 was synced"):
        end_of(disk, Known(synced_end=2, flush_always=always))
    assert disk.read_file(LOG) == before
    assert end_of(disk, Known(synced_end=1, flush_always=always)) == 1


@pytest.mark.rule("REL-Y6")
async def test_a_bad_last_batch_below_the_synced_mark_is_damage(disk: SimDisk) -> None:
    places = await filled(disk, *[3000] * 3)
    disk.flip_bit(LOG, places[2] + 2000)
    with pytest.raises(CorruptionError, match="was synced"):
        end_of(disk, Known(synced_end=3))


async def test_a_bad_last_batch_above_the_synced_mark_is_kept_aside(disk: SimDisk) -> None:
    places = await filled(disk, *[3000] * 3)
    disk.flip_bit(LOG, places[2] + 2000)
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=0)
    assert found.cut is not None
    assert found.cut.saved_as == f"{DIRECTORY}/{2:020d}.log.cut"


async def test_a_batch_that_is_just_cut_off_is_not_kept(disk: SimDisk) -> None:
    places = await filled(disk, *[3000] * 3)
    disk.open(LOG).truncate(places[2] + 100)
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=0)
    assert found.cut is not None
    assert (found.cut.offset, found.cut.size, found.cut.saved_as) == (2, 100, None)


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("always", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_no_power_cut_in_a_round_takes_a_log_offline_or_loses_what_counts(
    seed: int, *, always: bool
) -> None:
    rng = random.Random(seed)
    settings = config(always=always, segment_bytes=60_000)

    async def life(loop: SimLoop) -> None:
        disk = SimDisk()
        disk.make_dirs("/data")
        promised: list[bytes] = []
        for _ in range(4):
            store, log = await opened(disk, settings)
            running = loop.create_task(store.run())
            assert log.log_end >= len(promised)
            assert await contents(log, len(promised)) == promised
            promised = await contents(log, log.log_end)
            made, crashes = list(promised), list[tuple[SimDisk, int]]()
            disk.before_sync = lambda path, d=disk, at=log, c=crashes: (  # type: ignore[misc]
                c.append((d.after_crash(rng), at.synced_end)) if path.endswith(".log") else None
            )
            for _ in range(rng.randint(1, 6)):
                for _ in range(rng.randint(1, 12)):
                    batch = dense(rng, rng.randint(20, 6000))
                    made.append(stamped(batch, len(made)))
                    append(log, batch)
                await asyncio.sleep(rng.uniform(0, 1.5))
                log.sync()
            crashes.append((disk.after_crash(rng), log.synced_end))
            running.cancel()
            disk, end = rng.choice(crashes)
            promised = made[:end]

    run_simulated(seed, life)


def stamped(batch: bytearray, offset: int) -> bytes:
    copy = bytearray(batch)
    copy[:8] = offset.to_bytes(8, "big")
    copy[12:16] = (3).to_bytes(4, "big")
    return bytes(copy)


async def contents(log: HotLog, end: int) -> list[bytes]:
    """Return the first batches as they are on the disk."""
    found: list[bytes] = []
    for segment in log.segments:
        if segment.size:
            file = log._descriptors.pin(segment.path)
            data = file.read_at(0, segment.size)
            found += [data[at : at + header.size] for at, header in walk(data)]
            log._descriptors.unpin(file)
    return found[:end]


def test_marks_are_written_by_the_tick_and_found_by_the_next_start(disk: SimDisk) -> None:
    async def life(loop: SimLoop) -> None:
        store, log = await opened(disk, config())
        running = loop.create_task(store.run())
        append(log, dense(loop.rng, 100))
        await asyncio.sleep(2)
        running.cancel()
        again, _ = await opened(disk.after_kill(), config())
        assert again._marks.of(PARTITION) == 1

    run_simulated(1, life)


@pytest.mark.rule("REL-Y6")
def restart_at(offset: int) -> LogRestart:
    return LogRestart(
        offset=Offset(offset),
        log_start=Offset(0),
        epochs=LeaderEpochs(),
        producers=ProducerStates(),
    )


async def test_a_log_that_ends_below_its_mark_breaks_a_promise(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    append(log, dense(random.Random(1), 100))
    await settled(log)
    await store.close()
    disk.unlink(LOG)
    store, log = await opened(disk, config())
    with pytest.raises(CorruptionError, match="everything below 1 was synced"):
        store.check_promise(log)
    with pytest.raises(CorruptionError, match="the archive at 0, but everything below 1"):
        await store.restart(log, restart_at(0))
    store.check_promise(await store.restart(log, restart_at(1)))


async def test_damaged_marks_are_none(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    append(log, dense(random.Random(1), 100))
    await settled(log)
    await store.close()
    disk.flip_bit("/data/synced-marks", 20)
    again, _ = await opened(disk, config())
    assert again._marks.of(PARTITION) == 0


async def test_a_log_that_began_anew_is_as_long_after_a_power_cut(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    append(log, dense(random.Random(1), 100))
    await settled(log)
    await store.close()
    store, log = await opened(disk, config())
    await store.restart(log, restart_at(3))
    again, log = await opened(disk.after_crash(random.Random(1)), config())
    assert log.log_end == 3
    again.check_promise(log)


async def test_marks_that_could_not_be_written_are_written_later(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    append(log, dense(random.Random(1), 100))
    await settled(log)
    disk.fail("rename", "synced-marks")
    with pytest.raises(DiskError):
        await store._marks.save([log])
    disk.heal()
    await store._marks.save()
    again, _ = await opened(disk.after_kill(), config())
    assert again._marks.of(PARTITION) == 1
