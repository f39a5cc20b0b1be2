"""A follower's log takes over what its leader's log holds, as it is."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header, stamp
from everlog.records.builder import Producer, Record, build_batch
from service.hot.log import HotLog
from service.hot.replicated import DamagedBatchError, replicated_batches
from service.model.log import LogFailedError
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import config, offsets, opened


def stamped(base: int, *, epoch: int = 1, count: int = 1, sequence: int | None = None) -> bytearray:
    records = [Record(key=b"k", value=b"v%d" % base, timestamp_ms=5 + n) for n in range(count)]
    who = None if sequence is None else Producer(producer_id=7, epoch=0, base_sequence=sequence)
    batch = build_batch(records, producer=who)
    stamp(batch, base_offset=base, leader_epoch=LeaderEpoch(epoch))
    return batch


async def opened_log(disk: SimDisk | None = None, *, segment_bytes: int = 1 << 20) -> HotLog:
    if disk is None:
        disk = SimDisk()
        disk.make_dirs("/data")
    _, log = await opened(disk, config(segment_bytes=segment_bytes))
    return log


async def settled(log: HotLog) -> None:
    while log.is_busy:
        await asyncio.sleep(0.001)


def take(log: HotLog, *batches: bytearray) -> None:
    log.append_replicated(memoryview(bytearray(b"".join(batches))))


async def test_offsets_and_terms_are_the_leaders() -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    log = await opened_log(disk)
    batches = [stamped(0, count=3), stamped(3), stamped(9, epoch=4)]
    take(log, *batches)
    assert log.next_offset == 10
    await settled(log)
    assert (log.log_end, log.synced_end) == (10, 10)
    assert list(log.epochs) == [(1, 0), (4, 9)]
    assert await offsets(log, 0) == [0, 3, 9]
    assert disk.read_file(log.active.path) == b"".join(batches)


@pytest.mark.rule("REL-D2")
async def test_producers_are_known_as_on_the_leader() -> None:
    log = await opened_log()
    take(log, stamped(0, count=2, sequence=0), stamped(2, sequence=2))
    retry = read_header(stamped(0, sequence=2))
    assert log.producers.check(retry) == 2


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:20], lambda b: b[:-1] + b"!"])
async def test_damage_on_the_way_leaves_no_trace(damage: object) -> None:
    log = await opened_log()
    spoiled = bytearray(damage(bytes(stamped(1))))  # type: ignore[operator]
    with pytest.raises(DamagedBatchError):
        take(log, stamped(0), spoiled)
    assert log.next_offset == 0
    assert not log.is_busy


@pytest.mark.parametrize(
    "batches",
    [
        [stamped(2), stamped(1)],
        [stamped(0, count=3), stamped(2)],
        [stamped(0, epoch=4), stamped(1, epoch=3)],
    ],
)
async def test_what_goes_back_is_refused(batches: list[bytearray]) -> None:
    log = await opened_log()
    with pytest.raises(CorruptionError, match="cannot follow"):
        take(log, *batches)
    assert log.next_offset == 0


async def test_a_log_that_the_disk_has_refused_takes_nothing() -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    log = await opened_log(disk)
    disk.room = 10
    take(log, stamped(0))
    await settled(log)
    with pytest.raises(LogFailedError):
        take(log, stamped(1))


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 2)), max_size=12))
def test_batches_are_cut_where_they_end(shape: list[tuple[int, bool, int]]) -> None:
    batches, offset, epoch = [], 0, 1
    for count, is_new_term, gap in shape:
        offset, epoch = offset + gap, epoch + is_new_term
        batches.append(stamped(offset, count=count, epoch=epoch))
        offset += count
    joined = memoryview(b"".join(batches))
    found = replicated_batches(joined, log_end=0, latest_epoch=None)
    assert [bytes(batch) for batch, _ in found] == [bytes(each) for each in batches]


async def test_a_follower_has_the_segments_of_its_leader_byte_for_byte() -> None:
    """Rolls go by size, so a follower that begins with its leader has the same files."""
    disks = []
    for _ in range(2):
        disks.append(SimDisk())
        disks[-1].make_dirs("/data")
    leader = await opened_log(disks[0], segment_bytes=400)
    follower = await opened_log(disks[1], segment_bytes=400)
    for number in range(20):
        batch = stamped(0, count=1 + number % 3)
        leader.append(batch, read_header(batch), leader_epoch=LeaderEpoch(1 + number // 7))
        take(follower, batch)
    await settled(leader)
    await settled(follower)
    assert [each.path for each in leader.segments] == [each.path for each in follower.segments]
    for segment in leader.segments:
        assert disks[0].read_file(segment.path) == disks[1].read_file(segment.path)
    assert list(leader.epochs) == list(follower.epochs)
    assert leader.producers.encode(Offset(0)) == follower.producers.encode(Offset(0))
