"""HotLog and its store over the simulated disk."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header, walk
from everlog.records.builder import Producer, Record, build_batch
from service.hot.log import HotLog
from service.hot.log_config import HotLogConfig
from service.hot.rolling import RollLimits
from service.hot.store import HotStore
from service.model.log import LogFailedError, LogSlice, OffsetOutOfRangeError, ReadBounds
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk
from tests.simulation.loop import LoopClock, SimLoop, run_simulated

PARTITION = PartitionId(TopicId(b"0123456789abcdef"), 0)
EPOCH = LeaderEpoch(3)
EVERYTHING = ReadBounds(end=Offset(1 << 60), bytes_max=1 << 30, at_least_one=True)


def config(*, always: bool = True, segment_bytes: int = 1 << 20) -> HotLogConfig:
    return HotLogConfig(
        roll=RollLimits(segment_bytes=segment_bytes, segment_ms=600_000),
        flush_always=always,
        flush_ms=1000,
        index_interval_bytes=256,
    )


def store_on(disk: SimDisk, clock: Any = None, fatal: list[Any] | None = None) -> HotStore:
    seen = [] if fatal is None else fatal
    return HotStore(
        data_dir="/data",
        disk=disk,
        clock=clock or ManualClock(),
        flush_executor=None,
        read_executor=None,
        on_fatal=seen.append,
    )


def batch(text: str, count: int = 1, producer: Producer | None = None) -> bytearray:
    records = [
        Record(key=None, value=f"{text}-{i}".encode(), timestamp_ms=1000 + i) for i in range(count)
    ]
    return build_batch(records, producer=producer)


def append(log: HotLog, made: bytearray) -> int:
    return log.append(made, read_header(made), leader_epoch=EPOCH)


async def settled(log: HotLog) -> None:
    while log.is_busy:
        await asyncio.sleep(0.001)


async def read_all(log: HotLog, start: int | None = None, bounds: ReadBounds = EVERYTHING) -> bytes:
    offset = log.local_start if start is None else Offset(start)
    out = b""
    while True:
        found = log.read(offset, bounds)
        piece = found if isinstance(found, LogSlice) else await found
        if not piece:
            return out
        out += bytes(piece.records)
        offset = Offset(list(walk(piece.records))[-1][1].next_offset)


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


@pytest.fixture
async def store(disk: SimDisk) -> AsyncIterator[HotStore]:
    store = store_on(disk)
    await store.start([])
    yield store
    await store.close()


@pytest.mark.parametrize("always", [True, False])
async def test_what_is_appended_is_read_back_byte_for_byte(
    store: HotStore, *, always: bool
) -> None:
    log = await store.open(PARTITION, config(always=always))
    batches = [batch(f"b{i}", count=1 + i % 3) for i in range(200)]
    bases = [append(log, made) for made in batches]
    assert bases[:4] == [0, 1, 3, 6]
    await settled(log)
    assert log.durable_end == log.next_offset
    assert await read_all(log) == b"".join(batches)


async def test_a_read_from_inside_a_batch_begins_with_that_batch(store: HotStore) -> None:
    log = await store.open(PARTITION, config())
    append(log, batch("a", count=5))
    append(log, batch("b", count=5))
    await settled(log)
    found = log.read(Offset(7), EVERYTHING)
    assert isinstance(found, LogSlice)
    assert read_header(found.records).base_offset == 5


async def test_small_reads_cover_the_log_without_a_gap(store: HotStore) -> None:
    log = await store.open(PARTITION, config(segment_bytes=2000))
    batches = [batch(f"b{i}") for i in range(100)]
    for made in batches:
        append(log, made)
    await settled(log)
    assert len(log.segments) > 3
    small = ReadBounds(end=log.log_end, bytes_max=300, at_least_one=True)
    assert await read_all(log, bounds=small) == b"".join(batches)


async def test_the_first_batch_is_returned_whatever_its_size(store: HotStore) -> None:
    log = await store.open(PARTITION, config())
    large = batch("x" * 9000)
    append(log, large)
    await settled(log)
    strict = ReadBounds(end=log.log_end, bytes_max=10, at_least_one=False)
    kind = ReadBounds(end=log.log_end, bytes_max=10, at_least_one=True)
    assert await read_all(log, bounds=strict) == b""
    assert await read_all(log, bounds=kind) == bytes(large)


async def test_nothing_above_the_bound_is_returned(store: HotStore) -> None:
    log = await store.open(PARTITION, config())
    for i in range(20):
        append(log, batch(f"b{i}"))
    await settled(log)
    bounds = ReadBounds(end=Offset(7), bytes_max=1 << 20, at_least_one=True)
    found = await read_all(log, bounds=bounds)
    assert [header.base_offset for _, header in walk(found)] == list(range(7))


async def test_a_read_outside_the_log_is_refused(store: HotStore) -> None:
    log = await store.open(PARTITION, config())
    with pytest.raises(OffsetOutOfRangeError):
        log.read(Offset(1), EVERYTHING)


async def test_a_cold_page_cache_changes_nothing_but_the_waiting(
    store: HotStore, disk: SimDisk
) -> None:
    log = await store.open(PARTITION, config(segment_bytes=3000))
    batches = [batch("x" * (i * 37 % 900)) for i in range(60)]
    for made in batches:
        append(log, made)
    await settled(log)
    disk.is_cold = True
    small = ReadBounds(end=log.log_end, bytes_max=200, at_least_one=True)
    assert await read_all(log, bounds=small) == b"".join(batches)


@pytest.mark.rule("REL-Y1")
async def test_a_full_disk_rolls_back_and_refuses_until_reopened(
    store: HotStore, disk: SimDisk
) -> None:
    log = await store.open(PARTITION, config())
    failures: list[LogFailedError] = []
    log.on_failure = failures.append
    first = batch("kept")
    append(log, first)
    await settled(log)
    disk.room = 40
    append(log, batch("lost"))
    await settled(log)
    assert len(failures) == 1
    assert log.durable_end == 1
    with pytest.raises(LogFailedError):
        append(log, batch("refused"))
    disk.heal()
    again = await store.reopen(log)
    assert again.next_offset == 1
    append(again, batch("after"))
    await settled(again)
    assert [h.base_offset for _, h in walk(await read_all(again))] == [0, 1]


@pytest.mark.rule("REL-Y1")
async def test_a_failing_sync_is_fatal(disk: SimDisk) -> None:
    fatal: list[Any] = []
    store = store_on(disk, fatal=fatal)
    await store.start([])
    log = await store.open(PARTITION, config())
    disk.fail("sync")
    append(log, batch("x"))
    await settled(log)
    assert len(fatal) == 1
    assert log.durable_end == 0


async def test_time_rolls_an_idle_segment(disk: SimDisk) -> None:
    clock = ManualClock()
    store = store_on(disk, clock)
    await store.start([])
    log = await store.open(PARTITION, config())
    append(log, batch("x"))
    await settled(log)
    assert not log.roll_if_due()
    clock.advance(600_000)
    assert log.roll_if_due()
    await settled(log)
    assert [segment.base_offset for segment in log.segments] == [0, 1]


async def test_time_is_found_across_segments(store: HotStore) -> None:
    log = await store.open(PARTITION, config(segment_bytes=400))
    for i in range(30):
        stamp = 1000 + (i * 7 % 30) * 100
        append(log, build_batch([Record(key=None, value=b"v", timestamp_ms=stamp)]))
    await settled(log)
    for wanted in (0, 1000, 1750, 3900, 3901):
        expected = next((i for i in range(30) if 1000 + (i * 7 % 30) * 100 >= wanted), None)
        found = await log.find_time(wanted, log.log_end)
        assert (None if found is None else found.offset) == expected


def _acknowledged_survive(seed: int, *, always: bool, power_cut: bool) -> None:
    rng = random.Random(seed)

    async def life(loop: SimLoop) -> None:
        disk = SimDisk()
        disk.make_dirs("/data")
        acknowledged: list[bytes] = []
        for _ in range(3):
            store = store_on(disk, LoopClock(loop))
            await store.start([PARTITION])
            log = await store.open(PARTITION, config(always=always, segment_bytes=1500))
            found = await read_all(log)
            assert found.startswith(b"".join(acknowledged))
            acknowledged = [found]
            made = [batch(f"{rng.random()}", count=rng.randint(1, 4)) for _ in range(60)]
            for each in made:
                append(log, each)
                if rng.random() < 0.3:
                    await asyncio.sleep(rng.uniform(0, 0.01))
            ends = [h.next_offset for _, h in walk(b"".join(made))]
            acknowledged += [
                bytes(each) for each, end in zip(made, ends, strict=True) if end <= log.durable_end
            ]
            disk = disk.after_crash(rng) if power_cut else disk.after_kill()

    run_simulated(seed, life)


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("seed", range(25))
def test_a_power_cut_keeps_every_synced_batch_in_order(seed: int) -> None:
    _acknowledged_survive(seed, always=True, power_cut=True)


@pytest.mark.parametrize("seed", range(25))
def test_a_power_cut_without_syncs_leaves_a_prefix_of_the_log(seed: int) -> None:
    rng = random.Random(seed)

    async def life(loop: SimLoop) -> None:
        disk = SimDisk()
        disk.make_dirs("/data")
        for _ in range(3):
            store = store_on(disk, LoopClock(loop))
            await store.start([PARTITION])
            log = await store.open(PARTITION, config(always=False, segment_bytes=600))
            before = await read_all(log)
            made = [batch(f"{rng.random()}", count=rng.randint(1, 4)) for _ in range(40)]
            for each in made:
                append(log, each)
                if rng.random() < 0.3:
                    await asyncio.sleep(rng.uniform(0, 0.01))
            synced = log.synced_end
            disk = disk.after_crash(rng)
            left = store_on(disk, LoopClock(loop))
            await left.start([PARTITION])
            reopened = await left.open(PARTITION, config(always=False, segment_bytes=600))
            assert reopened.log_end >= synced
            assert (before + b"".join(made)).startswith(await read_all(reopened))

    run_simulated(seed, life)


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_process_keeps_every_written_batch(seed: int) -> None:
    _acknowledged_survive(seed, always=False, power_cut=False)


@pytest.mark.parametrize("seed", range(10))
async def test_what_a_killed_process_had_written_is_durable_before_it_counts(seed: int) -> None:
    rng = random.Random(seed)
    disk = SimDisk()
    disk.make_dirs("/data")
    store = store_on(disk)
    await store.start([])
    log = await store.open(PARTITION, config(always=False))
    written = [batch(f"b{i}") for i in range(20)]
    # The name of the new segment is not durable yet either.
    disk.fail("sync_dir", log.directory)
    for each in written:
        append(log, each)
    with suppress(AssertionError):
        await settled(log)
    disk.heal()
    killed = disk.after_kill()
    again = store_on(killed)
    await again.start([PARTITION])
    recovered = await again.open(PARTITION, config(always=True))
    assert recovered.durable_end == 20
    after_power_cut = store_on(killed.after_crash(rng))
    await after_power_cut.start([PARTITION])
    assert await read_all(await after_power_cut.open(PARTITION, config())) == b"".join(written)


@pytest.mark.rule("REL-D2")
async def test_producer_state_comes_back_from_the_log(disk: SimDisk) -> None:
    store = store_on(disk)
    await store.start([])
    log = await store.open(PARTITION, config(segment_bytes=500))
    for sequence in range(20):
        who = Producer(producer_id=7, epoch=0, base_sequence=sequence)
        append(log, batch("x", producer=who))
    await settled(log)
    reopened = store_on(disk)
    await reopened.start([PARTITION])
    again = await reopened.open(PARTITION, config(segment_bytes=500))
    retry = read_header(batch("x", producer=Producer(producer_id=7, epoch=0, base_sequence=17)))
    assert again.producers.check(retry) == 17
    following = read_header(batch("x", producer=Producer(producer_id=7, epoch=0, base_sequence=20)))
    assert again.producers.check(following) is None


@pytest.mark.rule("REL-Y9")
async def test_unknown_directories_are_renamed_and_never_deleted(disk: SimDisk) -> None:
    store = store_on(disk)
    await store.start([])
    log = await store.open(PARTITION, config())
    append(log, batch("x"))
    await store.close()
    await store_on(disk).start([])
    topic = f"/data/logs/{PARTITION.topic_id.hex()}"
    assert disk.list_dir(topic) == [("0.stray/", 0)]


@pytest.mark.rule("REL-Y5")
async def test_the_marker_of_a_clean_stop_goes_before_anything_else(disk: SimDisk) -> None:
    store = store_on(disk)
    assert not await store.start([])
    await store.close()
    again = store_on(disk)
    assert await again.start([])
    assert not await store_on(disk).start([])


async def test_release_removes_only_whole_sealed_segments(store: HotStore, disk: SimDisk) -> None:
    log = await store.open(PARTITION, config(segment_bytes=400))
    for i in range(20):
        append(log, batch(f"b{i}"))
    await settled(log)
    second = log.segments[1]
    await store.release(log, Offset(second.base_offset + 1))
    assert log.local_start == second.base_offset
    names = [name for name, _ in disk.list_dir(log.directory)]
    assert f"{0:020d}.log" not in names
    assert f"{second.base_offset:020d}.log" in names


async def test_the_log_start_survives_a_restart(store: HotStore, disk: SimDisk) -> None:
    log = await store.open(PARTITION, config(segment_bytes=400))
    for i in range(20):
        append(log, batch(f"b{i}"))
    await settled(log)
    await store.set_log_start(log, Offset(7))
    await store.close()
    reopened = store_on(disk)
    await reopened.start([PARTITION])
    assert (await reopened.open(PARTITION, config())).log_start == 7
