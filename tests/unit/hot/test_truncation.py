"""The end of a log is cut off, and a crash on the way leaves a log without a gap."""

import asyncio
import random

import pytest

from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header
from everlog.records.builder import Record, build_batch
from service.hot.leader_epochs import LeaderEpochs
from service.hot.log import HotLog
from service.hot.recovery import recover_log
from service.hot.tear import Known
from service.hot.truncation import truncate_log
from service.model.disk import DiskError
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import DIRECTORY, PARTITION, append, config, offsets, opened, written
from tests.unit.hot.test_restart import StoppingDisk

TERM = LeaderEpoch(9)


async def in_terms(log: HotLog, *terms: int) -> None:
    """Append a batch of two records in each term."""
    for term in terms:
        records = [Record(key=None, value=b"v" * 60, timestamp_ms=1000) for _ in range(2)]
        made = build_batch(records)
        log.append(made, read_header(made), leader_epoch=LeaderEpoch(term))
    while log.is_busy:
        await asyncio.sleep(0.001)


@pytest.mark.rule("REL-T5")
@pytest.mark.parametrize(
    ("offset", "end", "terms"),
    [
        (8, 8, [(1, 0), (2, 4)]),
        (9, 8, [(1, 0), (2, 4)]),
        (3, 2, [(1, 0)]),
        (0, 0, []),
        (16, 16, [(1, 0), (2, 4), (3, 8)]),
    ],
)
async def test_what_lies_at_and_above_an_offset_goes(
    offset: int, end: int, terms: list[tuple[int, int]]
) -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    store, log = await opened(disk, config(segment_bytes=300))
    await in_terms(log, 1, 1, 2, 2, 3, 3, 3, 3)
    assert len(log.segments) > 4
    cut = await store.truncate(log, Offset(offset), term=TERM)
    assert (cut.next_offset, cut.log_end, cut.synced_end) == (end, end, end)
    assert list(cut.epochs) == terms
    assert await offsets(cut, 0) == list(range(0, end, 2))
    await in_terms(cut, 7)
    assert cut.log_end == end + 2
    await store.close()
    _, later = await opened(disk, config())
    assert later.log_end == end + 2
    assert later.epochs.epoch_of(end) == 7


async def test_a_truncated_log_may_end_below_what_was_synced() -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    store, log = await opened(disk, config(segment_bytes=300))
    await written(log, *[100] * 8)
    await store._marks.save([log])
    await store.truncate(log, Offset(3), term=TERM)
    store, later = await opened(disk.after_crash(random.Random(1)), config())
    assert later.log_end == 3
    store.check_promise(later)


async def test_producers_are_as_the_rest_of_the_log_says() -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    store, log = await opened(disk, config(segment_bytes=300))
    await written(log, *[100] * 8)
    before = log.producers.encode(Offset(0))
    cut = await store.truncate(log, Offset(5), term=TERM)
    assert cut.producers.encode(Offset(0)) == before


@pytest.mark.rule("REL-T5")
@pytest.mark.parametrize("seed", range(3))
async def test_a_crash_at_any_step_leaves_old_records_without_a_gap(seed: int) -> None:
    rng = random.Random(seed)
    outcomes = set()
    for steps in range(80):
        disk = StoppingDisk()
        disk.make_dirs("/data")
        _, log = await opened(disk, config(segment_bytes=300))
        await in_terms(log, 1, 1, 2, 2, 3, 3, 3, 3)
        disk.steps_left = steps
        epochs = LeaderEpochs(list(log.epochs))
        try:
            truncate_log(disk, DIRECTORY, Offset(6), epochs)
        except DiskError:
            pass
        else:
            outcomes.add("done")
        known = Known(term=TERM, synced_end=0, flush_always=True)
        found = recover_log(disk.after_crash(rng), PARTITION, DIRECTORY, now_ms=0, known=known)
        end = found.segments[-1].next_offset
        assert 6 <= end <= 16
        for one, other in zip(found.segments, found.segments[1:], strict=False):
            assert one.next_offset == other.base_offset
            assert one.size, "an empty segment in the middle is a gap"
        wanted = [(1, 0), (2, 4), (3, 8)]
        assert list(found.epochs) == [row for row in wanted if row[1] < end]
        outcomes.add("old" if end == 16 else "new" if end == 6 else "between")
    assert outcomes == {"done", "old", "new", "between"}


async def test_a_log_is_not_cut_below_its_start() -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    store, log = await opened(disk, config(segment_bytes=300))
    await written(log, *[100] * 8)
    await store.release(log, Offset(4))
    with pytest.raises(AssertionError, match="on this disk"):
        await store.truncate(log, Offset(log.local_start - 1))
    assert append(log, 10) == 8
