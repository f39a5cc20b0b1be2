"""The store between its logs: deletion under load, starts of logs, files that cannot be opened."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import Offset
from service.app.system_disk import SystemDisk
from service.hot.cleaning import CleaningRules
from service.hot.log_start import decode_log_start
from service.hot.store import HotStore
from service.model.disk import DiskError
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk
from tests.simulation.loop import SimLoop, run_simulated
from tests.unit.hot.plain_log import PARTITION, append, config, opened, written


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


async def test_a_log_is_deleted_while_others_are_written_without_a_pause(disk: SimDisk) -> None:
    store, busy = await opened(disk, config())
    idle = PartitionId(TopicId(b"x" * 16), 0)
    await store.open(idle, config())
    deletion = asyncio.ensure_future(store.delete(idle))
    rounds = 0
    while not deletion.done() and rounds < 20_000:
        append(busy, 10)
        rounds += 1
        await asyncio.sleep(0)
    assert deletion.done()
    await deletion
    await written(busy)
    await store.close()


async def test_the_cleaner_does_not_come_back_to_a_log_that_was_deleted(disk: SimDisk) -> None:
    settings = replace(config(segment_bytes=400), cleaning=CleaningRules(dirty_ratio_min=0.0))
    store, log = await opened(disk, settings)
    for _ in range(10):
        append(log, 100)
    # Its segments are sealed while the deletion waits for that.
    await store.delete(PARTITION)
    assert log.sealed
    assert store._cleaner.is_idle


async def test_a_failed_log_lets_go_of_its_files(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    await written(log, 10)
    for _ in range(3):
        disk.fail("write")
        append(log, 10)
        await written(log)
        assert log.failure is not None
        disk.heal()
        log = await store.reopen(log)
    assert not store._descriptors._pins
    assert not store._descriptors._files


async def test_the_newest_log_start_is_the_one_on_the_disk(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        store = HotStore(
            data_dir=str(tmp_path),
            disk=SystemDisk(),
            clock=ManualClock(),
            flush_executor=threads,
            read_executor=threads,
            on_fatal=print,
        )
        await store.start([PARTITION])
        log = await store.open(PARTITION, config())
        await written(log, *[10] * 40)
        for first in range(0, 40, 4):
            starts = range(first, first + 4)
            await asyncio.gather(*(store.set_log_start(log, Offset(each)) for each in starts))
            content = SystemDisk().read_file(f"{log.directory}/log-start")
            assert decode_log_start(content) == log.log_start == first + 3
        await store.close()


async def test_a_log_that_has_released_segments_starts_where_it_did_after_a_crash(
    disk: SimDisk,
) -> None:
    store, log = await opened(disk, config(segment_bytes=400))
    await written(log, *[100] * 10)
    assert await store.release(log, Offset(6))
    assert log.local_start > log.log_start == 0
    for seed in range(20):
        _, again = await opened(disk.after_crash(random.Random(seed)), config())
        assert again.log_start == 0, "whoever leads next would take the archive for deleted"


async def test_segments_stay_where_the_start_of_their_log_cannot_be_saved(disk: SimDisk) -> None:
    store, log = await opened(disk, config(segment_bytes=400))
    await written(log, *[100] * 10)
    disk.fail("write", "log-start")
    with pytest.raises(DiskError):
        await store.release(log, Offset(6))
    _, again = await opened(disk.after_kill(), config())
    assert again.log_start == again.local_start == 0


def test_a_file_that_cannot_be_opened_does_not_stop_the_tick(disk: SimDisk) -> None:
    async def life(loop: SimLoop) -> None:
        store, log = await opened(disk, config(segment_ms=0))
        await written(log, 10)
        store._descriptors.close()
        disk.fail("open", ".log")
        ticking = asyncio.ensure_future(store.run())
        await asyncio.sleep(2)
        assert not ticking.done()
        assert len(log.segments) == 1
        disk.heal()
        await asyncio.sleep(2)
        assert len(log.segments) == 2
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)

    run_simulated(1, life)


async def test_an_empty_directory_of_a_topic_does_not_outlive_a_start(disk: SimDisk) -> None:
    store, _ = await opened(disk, config())
    await store.close()
    disk.make_dirs(f"/data/logs/{b'x'.hex() * 16}")
    await opened(disk, config())
    assert [name for name, _ in disk.list_dir("/data/logs")] == [f"{PARTITION.topic_id.hex()}/"]


def test_only_an_empty_directory_is_removed(tmp_path: Path) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    (full / "inner").mkdir(parents=True)
    empty.mkdir()
    disk = SystemDisk()
    assert not disk.remove_empty_dir(str(full))
    assert disk.remove_empty_dir(str(empty))
    assert disk.remove_empty_dir(str(tmp_path / "missing"))
    assert [each.name for each in tmp_path.iterdir()] == ["full"]
