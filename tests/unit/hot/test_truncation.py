"""A truncated log has lost its end and nothing else, whenever the power goes."""

import asyncio
import random
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.model.errors import CorruptionError
from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header
from everlog.records.builder import Producer
from service.app.system_disk import SystemDisk
from service.hot.cleaning import Cleaned
from service.hot.leader_epochs import LeaderEpochs, decode_epochs
from service.hot.log import HotLog
from service.hot.log_config import HotLogConfig
from service.hot.producer_state import ProducerStates
from service.hot.recovery import recover_log
from service.hot.restart import LogRestart
from service.hot.store import HotStore
from service.hot.swap import Intent, begin_swap, encode_cleaned, read_cleaned
from service.hot.synced_marks import decode_marks
from service.hot.truncation import TruncatedBelowStartError, plan_truncation, write_truncation
from service.model.disk import DiskError
from service.model.log import LogFailedError
from tests.simulation.clock import ManualClock
from tests.simulation.cut_disk import CutDisk
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import DIRECTORY, PARTITION, config, opened, written
from tests.unit.hot.replicated import NOW_MS, batch, content, epochs_of, producers_of, row

TERM = LeaderEpoch(9)
SETTINGS = config(segment_bytes=400)
LAZY = config(segment_bytes=400, always=False)


def history() -> list[bytes]:
    """Four batches or fewer a segment; terms, producers, a gap, batches of several records."""
    batches, offset = [], 0
    for number in range(22):
        who = Producer(producer_id=number % 3, epoch=0, base_sequence=number // 3)
        records = 3 if number % 5 == 4 else 1
        epoch = 1 + number // 4
        batches.append(
            batch(offset, records=records, epoch=epoch, producer=who if number % 2 else None)
        )
        offset += records + (2 if number == 9 else 0)
    return batches


HISTORY = history()
END = read_header(HISTORY[-1]).next_offset


def below(offset: int) -> list[bytes]:
    """Return what a truncation to an offset leaves."""
    return [made for made in HISTORY if read_header(made).next_offset <= offset]


def end_of(batches: list[bytes]) -> int:
    return read_header(batches[-1]).next_offset if batches else 0


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


async def filled(disk: SimDisk, settings: HotLogConfig = SETTINGS) -> tuple[HotStore, HotLog]:
    store, log = await opened(disk, settings)
    log.append_replicated(bytearray(b"".join(HISTORY)))
    await written(log)
    log.sync()
    await written(log)
    await store._marks.save(store.logs)
    assert store._marks.of(PARTITION) == log.synced_end == END
    return store, log


def names(disk: SimDisk) -> list[str]:
    return [name for name, _ in disk.list_dir(DIRECTORY)]


async def check_state(disk: SimDisk, log: HotLog, batches: list[bytes]) -> None:
    """A log holds these batches, knows what follows from them, and has no other files."""
    assert await content(log) == b"".join(batches)
    assert log.next_offset == log.log_end == end_of(batches)
    assert list(log.epochs) == epochs_of(batches)
    assert log.producers.encode(0) == producers_of(batches)
    bases = {name[:20] for name in names(disk) if name.endswith(".log")}
    small = {name[:20] for name in names(disk) if name.endswith((".index", ".producers"))}
    assert small <= bases
    assert f"{log.active.base_offset:020d}.index" not in names(disk)
    assert not [name for name in names(disk) if name.endswith((".cut", ".tmp"))]


OFFSETS = [0, 1, 4, 7, 9, 13, 15, 20, 24, END - 2, END - 1]


@pytest.mark.parametrize("settings", [SETTINGS, LAZY], ids=["always", "interval"])
@pytest.mark.parametrize("offset", range(END))
async def test_everything_at_and_above_the_offset_is_gone(
    disk: SimDisk, offset: int, settings: HotLogConfig
) -> None:
    store, log = await filled(disk, settings)
    again = await store.truncate(log, Offset(offset), term=TERM)
    assert again.log_end <= offset
    await check_state(disk, again, below(offset))
    assert list(store.logs) == [again]
    await store.close()
    store, later = await opened(disk, SETTINGS)
    store.check_promise(later)
    await check_state(disk, later, below(offset))


async def test_a_log_that_ends_at_the_offset_or_below_stays_as_it_is(disk: SimDisk) -> None:
    store, log = await filled(disk)
    for offset in (END, END + 7):
        assert await store.truncate(log, Offset(offset), term=TERM) is log
    assert log in store.logs
    await check_state(disk, log, HISTORY)


async def test_a_segment_that_is_cut_takes_appends_again(disk: SimDisk) -> None:
    store, log = await filled(disk)
    bases = [each.base_offset for each in log.segments]
    again = await store.truncate(log, Offset(bases[2] + 1), term=TERM)
    assert [each.base_offset for each in again.segments] == bases[:3]
    at_base = await store.truncate(again, Offset(bases[2]), term=TERM)
    assert (at_base.active.base_offset, at_base.active.size) == (bases[2], 0)
    at_base.append_replicated(bytearray(batch(bases[2], epoch=9)))
    await written(at_base)
    assert await content(at_base) == b"".join([*below(bases[2]), batch(bases[2], epoch=9)])


async def test_a_log_on_a_real_disk_is_truncated(tmp_path: Path) -> None:
    for start in (0, 5):
        store = HotStore(
            data_dir=str(tmp_path),
            disk=SystemDisk(),
            clock=ManualClock(),
            flush_executor=None,
            read_executor=None,
            on_fatal=print,
        )
        await store.start([PARTITION])
        log = await store.open(PARTITION, SETTINGS, term=TERM)
        assert log.log_end == start
        log.append_replicated(bytearray(b"".join(row(20, start=start))))
        await written(log)
        log = await store.truncate(log, Offset(start + 5), term=TERM)
        assert await content(log) == b"".join(row(start + 5))
        await store.close()


async def test_what_is_still_being_written_is_written_first(disk: SimDisk) -> None:
    store, log = await opened(disk, SETTINGS)
    log.append_replicated(bytearray(b"".join(HISTORY)))
    assert log.is_busy
    again = await store.truncate(log, Offset(10), term=TERM)
    await check_state(disk, again, below(10))


@pytest.mark.parametrize("offset", [0, 6])
async def test_a_log_is_not_truncated_below_where_it_begins(disk: SimDisk, offset: int) -> None:
    store, log = await filled(disk)
    await store.release(log, Offset(7))
    assert log.local_start == 4
    await store.set_log_start(log, Offset(7))
    before = names(disk)
    with pytest.raises(TruncatedBelowStartError, match=f"begins at offset 7 and .* to {offset}"):
        await store.truncate(log, Offset(offset), term=TERM)
    assert log in store.logs
    assert names(disk) == before
    again = await store.truncate(log, Offset(7), term=TERM)
    assert (again.log_start, again.log_end) == (7, 7)


async def test_a_log_is_not_truncated_to_where_only_the_archive_is(disk: SimDisk) -> None:
    store, log = await filled(disk)
    await store.release(log, Offset(7))
    assert (log.log_start, log.local_start) == (0, 4)
    with pytest.raises(TruncatedBelowStartError, match="begins at offset 4"):
        await store.truncate(log, Offset(3), term=TERM)
    again = await store.truncate(log, Offset(4), term=TERM)
    assert (again.log_start, again.local_start, again.log_end) == (0, 4, 4)


async def test_a_batch_over_the_log_start_goes_whole_and_the_log_is_empty_there(
    disk: SimDisk,
) -> None:
    store, log = await filled(disk)
    await store.set_log_start(log, Offset(5))
    again = await store.truncate(log, Offset(6), term=TERM)
    assert (again.local_start, again.log_start, again.log_end) == (5, 5, 5)
    store.check_promise(again)
    again.append_replicated(bytearray(batch(5, epoch=9)))
    await written(again)
    assert await content(again) == batch(5, epoch=9)


async def test_a_log_whose_write_has_failed_is_opened_again_first(disk: SimDisk) -> None:
    store, log = await filled(disk)
    disk.fail("write")
    log.append_replicated(bytearray(batch(END, epoch=6)))
    with pytest.raises(LogFailedError):
        await store.truncate(log, Offset(10), term=TERM)
    disk.heal()
    again = await store.reopen(log)
    await check_state(disk, await store.truncate(again, Offset(10), term=TERM), below(10))


@pytest.mark.parametrize("operation", ["rename", "truncate", "sync_dir"])
async def test_a_disk_that_refuses_leaves_a_log_that_can_be_opened(
    disk: SimDisk, operation: str
) -> None:
    store, log = await filled(disk)
    disk.fail(operation, "" if operation == "rename" else DIRECTORY)
    with pytest.raises(DiskError):
        await store.truncate(log, Offset(10), term=TERM)
    assert not store.logs
    disk.heal()
    again = await store.open(PARTITION, SETTINGS, term=TERM)
    assert again.log_end >= end_of(below(10))
    await check_state(disk, await store.truncate(again, Offset(10), term=TERM), below(10))


@pytest.mark.rule("REL-Y6")
async def test_damage_below_the_offset_is_no_place_to_cut_at(disk: SimDisk) -> None:
    store, log = await filled(disk)
    segment = log.segments[1]
    disk.flip_bit(segment.path, 70)
    before = names(disk)
    with pytest.raises(CorruptionError, match="checksum"):
        await store.truncate(log, Offset(segment.next_offset - 1), term=TERM)
    assert names(disk) == before


async def test_damage_at_the_offset_goes_with_the_rest(disk: SimDisk) -> None:
    store, log = await filled(disk)
    segment = log.segments[1]
    disk.flip_bit(segment.path, 70)
    again = await store.truncate(log, Offset(segment.base_offset), term=TERM)
    await check_state(disk, again, below(segment.base_offset))


@pytest.mark.rule("REL-Y6")
async def test_the_synced_mark_goes_down_to_the_new_end_and_no_further(disk: SimDisk) -> None:
    store, log = await filled(disk)
    other = PartitionId(TopicId(b"x" * 16), 0)
    another = await store.open(other, SETTINGS)
    another.append_replicated(bytearray(b"".join(row(3))))
    await written(another)
    await store._marks.save(store.logs)
    again = await store.truncate(log, Offset(13), term=TERM)
    marks = decode_marks(disk.read_file("/data/synced-marks"))
    assert marks == {PARTITION: again.log_end, other: 3}
    # Nor does a log that has not reached its mark lose it.
    store._marks.lower(other, Offset(50))
    assert store._marks.of(other) == 3


@pytest.mark.rule("REL-T5")
async def test_batches_of_lower_terms_may_follow_and_survive_a_start(disk: SimDisk) -> None:
    store, log = await filled(disk)
    assert list(log.epochs)[-1][0] == 6
    again = await store.truncate(log, Offset(13), term=TERM)
    latest = again.epochs.latest
    assert latest is not None
    assert latest < 6
    rows = decode_epochs(disk.read_file(f"{DIRECTORY}/leader-epochs"))
    assert all(start < again.log_end for _, start in rows)
    new = row(3, start=again.log_end, epoch=latest)
    again.append_replicated(bytearray(b"".join(new)))
    await written(again)
    _, later = await opened(disk.after_kill(), SETTINGS)
    assert await content(later) == b"".join([*below(13), *new])


async def test_what_is_clean_beyond_the_end_counts_as_dirty_again(disk: SimDisk) -> None:
    store, log = await filled(disk)
    path = f"{DIRECTORY}/cleaned"
    disk.write_file_atomically(path, encode_cleaned(Cleaned(end=11)))
    again = await store.truncate(log, Offset(13), term=TERM)
    assert again.log_end == 11
    assert read_cleaned(disk, DIRECTORY).end == 11
    await store.truncate(again, Offset(10), term=TERM)
    assert read_cleaned(disk, DIRECTORY) == Cleaned()


async def test_a_swap_that_was_interrupted_does_not_bring_records_back(disk: SimDisk) -> None:
    _, log = await filled(disk)
    first, second = log.segments[:2]
    both = disk.read_file(first.path) + disk.read_file(second.path)
    disk.open(first.path + ".cleaned", create=True).write_at(0, [both])
    bases = (first.base_offset, second.base_offset)
    begin_swap(disk, DIRECTORY, Intent(size=len(both), crc=crc32c(both), bases=bases))
    to = plan_truncation(disk, DIRECTORY, second.base_offset + 3)
    write_truncation(disk, DIRECTORY, to)
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=0)
    assert found.end == to.end == second.base_offset + 3
    assert [each.base_offset for each in found.segments] == [0]


async def test_nothing_goes_before_what_went_first_is_gone_for_good() -> None:
    disk = CutDisk()
    disk.make_dirs("/data")
    store, log = await filled(disk)
    disk.is_recording = True
    await store.truncate(log, Offset(9), term=TERM)
    steps = [operation for operation, _ in disk.cuts[::3]]
    assert steps.index("sync_dir /data") < steps.index(f"unlink {log.active.path}")
    unsynced: list[str] = []
    for operation in steps:
        verb, path = operation.split()
        if verb == "sync_dir" and path == DIRECTORY:
            unsynced = []
        elif verb in {"unlink", "truncate"} and path.endswith(".log"):
            assert not unsynced, f"{operation} follows {unsynced}"
        if verb == "unlink":
            unsynced.append(path)


@pytest.mark.rule("REL-D2")
async def test_producers_from_before_the_log_are_still_known(disk: SimDisk) -> None:
    store, log = await opened(disk, SETTINGS)
    known = ProducerStates()
    known.note(read_header(HISTORY[1]), 1, now_ms=NOW_MS)
    start = LogRestart(
        offset=Offset(50), log_start=Offset(0), epochs=LeaderEpochs([(1, 0)]), producers=known
    )
    log = await store.restart(log, start)
    log.append_replicated(bytearray(b"".join(row(9, start=50))))
    again = await store.truncate(log, Offset(52), term=TERM)
    assert again.producers.encode(0) == known.encode(0)
    assert list(again.epochs) == [(1, 0), (3, 50)]


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("settings", [SETTINGS, LAZY], ids=["always", "interval"])
@pytest.mark.parametrize("offset", OFFSETS)
def test_a_crash_at_any_step_leaves_the_old_log_the_new_one_or_one_between(
    offset: int, settings: HotLogConfig
) -> None:
    async def life() -> None:
        disk = CutDisk()
        disk.make_dirs("/data")
        store, log = await filled(disk, settings)
        disk.is_recording = True
        await store.truncate(log, Offset(offset), term=TERM)
        disk.cut("nothing")
        disk.is_recording = False
        ends = [await _check_cut(cut, offset, settings) for _, cut in disk.cuts]
        assert ends[:3] == [END] * 3
        assert ends[-3:] == [end_of(below(offset))] * 3

    asyncio.run(life())


async def _check_cut(disk: SimDisk, offset: int, settings: HotLogConfig) -> int:
    """Open what a crash has left, and go on with it; return where it ended."""
    store, log = await opened(disk, settings)
    store.check_promise(log)
    end = log.log_end
    assert end_of(below(offset)) <= end <= END
    await check_state(disk, log, below(end))
    # Segments begin at offsets where others have begun before, and in another term.
    new = row(12, start=end, epoch=max(log.epochs.latest or 0, 2))
    log.append_replicated(bytearray(b"".join(new)))
    await written(log)
    for left in (disk.after_kill(), disk.after_crash(random.Random(end))):
        store, later = await opened(left, settings)
        found = await content(later)
        whole = b"".join([*below(end), *new])
        assert whole.startswith(found)
        assert later.log_end >= end
        if settings is SETTINGS:
            await check_state(left, later, [*below(end), *new])
    return end


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("seed", range(10))
async def test_a_truncation_that_a_crash_has_stopped_can_be_done_again(seed: int) -> None:
    rng = random.Random(seed)
    disk = CutDisk()
    disk.make_dirs("/data")
    store, log = await filled(disk)
    disk.is_recording = True
    await store.truncate(log, Offset(11), term=TERM)
    _, cut = rng.choice(disk.cuts)
    store, log = await opened(cut, SETTINGS)
    offset = rng.randint(1, 11)
    await check_state(cut, await store.truncate(log, Offset(offset), term=TERM), below(offset))
