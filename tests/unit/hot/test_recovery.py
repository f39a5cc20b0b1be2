"""What an interrupted roll, a power cut or a damaged file leaves, and what opening makes of it."""

import random

import pytest

from everlog.model.errors import CorruptionError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header
from everlog.records.builder import Producer, Record, build_batch
from service.hot.leader_epochs import LeaderEpochs, decode_epochs, encode_epochs
from service.hot.log_config import HotLogConfig
from service.hot.recovery import rebuild_index, recover_log
from service.hot.rolling import RollLimits
from service.hot.tear import Known
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import (
    DIRECTORY,
    PARTITION,
    append,
    config,
    offsets,
    opened,
    written,
)

EPOCH_AT = 12
"""Of the leader epoch in a batch."""


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


@pytest.mark.parametrize("always", [True, False])
async def test_a_roll_that_was_not_written_leaves_no_gap(disk: SimDisk, *, always: bool) -> None:
    settings = config(always=always, segment_bytes=400)
    _, log = await opened(disk, settings)
    await written(log, 100)
    append(log, 100)
    append(log, 250)
    assert len(log.segments) == 2
    killed = disk.after_kill()
    await written(log)
    _, again = await opened(killed, settings)
    assert again.log_end == 1
    await written(again, 10)
    assert await offsets(again, 1) == [1]


async def test_an_index_of_an_earlier_seal_hides_nothing(disk: SimDisk) -> None:
    settings = config(segment_bytes=1000)
    store, log = await opened(disk, settings)
    await written(log, 100)
    log.roll()
    await written(log)
    await store.close()
    # Without a successor's file the sealed segment takes appends again, and its index is too short.
    _, log = await opened(disk, settings)
    await written(log, 100, 100, 100)
    append(log, 900)
    killed = disk.after_kill()
    await written(log)
    _, again = await opened(killed, settings)
    await written(again, 10)
    assert await offsets(again, 0) == [0, 1, 2, 3, 4]


async def test_a_torn_tail_behind_an_earlier_seal_is_a_torn_tail(disk: SimDisk) -> None:
    settings = config(always=False, segment_bytes=1000)
    store, log = await opened(disk, settings)
    await written(log, 100)
    log.roll()
    await written(log)
    await store.close()
    for seed in range(10):
        here = disk.after_kill()
        _, log = await opened(here, settings)
        await written(log, 100, 100, 100)
        append(log, 900)
        cut = here.after_crash(random.Random(seed))
        await written(log)
        _, again = await opened(cut, settings)
        assert again.log_end >= 1


async def test_nothing_is_acknowledged_below_a_log_start_that_survived_its_records(
    disk: SimDisk,
) -> None:
    store, log = await opened(disk, config(always=False))
    await written(log, *[10] * 10)
    await store.set_log_start(log, Offset(10))
    for seed in range(5):
        cut = disk.after_crash(random.Random(seed))
        _, again = await opened(cut, config())
        assert append(again, 10) == 10
        await written(again)
        assert await offsets(again, 10) == [10]


async def test_a_sealed_segment_that_has_lost_its_index_is_not_cut(disk: SimDisk) -> None:
    settings = config(segment_bytes=400)
    _, log = await opened(disk, settings)
    await written(log, *[100] * 8)
    first = log.segments[0]
    disk.unlink(first.index_path)
    disk.flip_bit(first.path, first.size - 1)
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=0)
    assert found.cut_bytes == 0
    assert found.segments[-1].next_offset == 8
    with pytest.raises(CorruptionError):
        rebuild_index(disk, found.segments[0])


@pytest.mark.parametrize("byte", [0, 3])
async def test_an_offset_that_cannot_be_is_damage(disk: SimDisk, byte: int) -> None:
    _, log = await opened(disk, config())
    await written(log, 10, 10, 10)
    disk.flip_bit(log.active.path, log.active.size // 3 * 2 + byte)
    with pytest.raises(CorruptionError):
        recover_log(disk, PARTITION, DIRECTORY, now_ms=0)


@pytest.mark.rule("REL-T5")
@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize(("byte", "bit"), [(0, 7), (0, 0), (2, 0), (3, 4)])
async def test_a_leader_epoch_that_is_yet_to_come_is_damage(
    disk: SimDisk, row: int, byte: int, bit: int
) -> None:
    _, log = await opened(disk, config())
    await written(log, 10, 10, 10)
    disk.flip_bit(log.active.path, log.active.size // 3 * row + EPOCH_AT + byte, bit=bit)
    with pytest.raises(CorruptionError, match="leader epoch"):
        recover_log(disk, PARTITION, DIRECTORY, now_ms=0, known=Known(term=LeaderEpoch(4)))


@pytest.mark.rule("REL-T5")
@pytest.mark.parametrize("term", [4, None])
@pytest.mark.parametrize("row", [1, 2])
async def test_a_leader_epoch_that_goes_backward_is_damage(
    disk: SimDisk, row: int, term: int | None
) -> None:
    _, log = await opened(disk, config())
    await written(log, 10, 10, 10)
    disk.flip_bit(log.active.path, log.active.size // 3 * row + EPOCH_AT + 3)
    known = Known(term=None if term is None else LeaderEpoch(term))
    with pytest.raises(CorruptionError, match="leader epoch 2 cannot follow 3"):
        recover_log(disk, PARTITION, DIRECTORY, now_ms=0, known=known)


@pytest.mark.rule("REL-T5")
async def test_a_sealed_log_of_a_later_term_than_the_newest_is_refused(disk: SimDisk) -> None:
    _, log = await opened(disk, config(segment_bytes=400))
    await written(log, *[100] * 8)
    with pytest.raises(CorruptionError, match="metadata is older"):
        recover_log(disk, PARTITION, DIRECTORY, now_ms=0, known=Known(term=LeaderEpoch(2)))


@pytest.mark.rule("REL-D2")
async def test_batches_that_are_read_for_their_epochs_alone_are_noted_once(disk: SimDisk) -> None:
    _, log = await opened(disk, config(segment_bytes=400))
    for sequence in range(12):
        who = Producer(producer_id=7, epoch=0, base_sequence=sequence)
        made = build_batch([Record(key=None, value=b"v", timestamp_ms=0)], producer=who)
        log.append(made, read_header(made), leader_epoch=LeaderEpoch(3))
    await written(log)
    # What lies before the first known term is read again, behind the snapshot.
    epochs = encode_epochs(LeaderEpochs([(3, log.segments[1].base_offset)]))
    disk.write_file_atomically(f"{DIRECTORY}/leader-epochs", epochs)
    now_ms = ManualClock().wall_ms()
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=now_ms)
    assert found.producers.encode(0) == log.producers.encode(0)


@pytest.mark.rule("REL-T5")
async def test_terms_at_or_behind_the_log_end_go_for_good(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    await written(log, *[10] * 5)
    await store.close()
    rows = [(1, 0), (3, 2), (6, 5), (8, 9)]
    path = f"{DIRECTORY}/leader-epochs"
    disk.write_file_atomically(path, encode_epochs(LeaderEpochs(rows)))
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=0)
    assert list(found.epochs) == rows[:2]
    assert list(decode_epochs(disk.after_crash(random.Random(1)).read_file(path))) == rows[:2]


async def test_a_long_run_of_zeros_is_a_torn_tail(disk: SimDisk) -> None:
    _, log = await opened(disk, config())
    await written(log, 10)
    disk.open(log.active.path).write_at(log.active.size, [bytes(8 << 20)])
    # Looking at each zero as the beginning of an offset took five seconds a megabyte.
    found = recover_log(disk, PARTITION, DIRECTORY, now_ms=0)
    assert found.cut_bytes == 8 << 20
    assert found.segments[-1].next_offset == 1


async def test_a_batch_far_behind_its_index_row_is_found(disk: SimDisk) -> None:
    settings = HotLogConfig(
        roll=RollLimits(segment_bytes=1 << 20, segment_ms=600_000),
        flush_always=True,
        flush_ms=1000,
        index_interval_bytes=1 << 20,
    )
    _, log = await opened(disk, settings)
    await written(log, *[1000] * 30)
    assert await offsets(log, 20, bytes_max=5000) == list(range(20, 30))
    disk.is_cold = True
    assert await offsets(log, 20, bytes_max=5000) == list(range(20, 30))


@pytest.mark.rule("REL-T5")
@pytest.mark.parametrize("is_damaged", [True, False])
async def test_terms_are_read_from_the_batches_when_their_file_is_no_use(
    disk: SimDisk, *, is_damaged: bool
) -> None:
    """All of them, also where the newest snapshot of producers leaves nothing else to be read."""
    store, log = await opened(disk, config(segment_bytes=200))
    for term in (3, 4, 4, 5, 6):
        made = build_batch([Record(key=None, value=b"v" * 80, timestamp_ms=1000)])
        log.append(made, read_header(made), leader_epoch=LeaderEpoch(term))
    terms = list(log.epochs)
    await store.close()
    if is_damaged:
        disk.flip_bit(f"{DIRECTORY}/leader-epochs", 5)
    else:
        disk.unlink(f"{DIRECTORY}/leader-epochs")
    _, later = await opened(disk, config())
    assert list(later.epochs) == terms
