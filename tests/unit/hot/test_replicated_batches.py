"""A follower takes over what the leader has sent byte for byte, or nothing of it."""

import asyncio
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.offsets import Offset
from everlog.records.batch import read_header, write_batch
from everlog.records.builder import Producer
from service.hot.leader_epochs import LeaderEpochs
from service.hot.log import HotLog
from service.hot.producer_state import ProducerStates
from service.hot.recovery import recover_log
from service.hot.replicated_batches import (
    DamagedBatchError,
    OutOfOrderBatchError,
    StraddlingBatchError,
)
from service.hot.restart import LogRestart
from service.hot.rolling import RELATIVE_OFFSET_MAX
from service.hot.scan import BATCH_BYTES_MAX
from service.hot.writes import Write
from service.model.disk import DiskError
from service.model.log import LogFailedError
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import DIRECTORY, PARTITION, append, config, opened, written
from tests.unit.hot.replicated import NOW_MS, batch, content, epochs_of, producers_of, row


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


def state(log: HotLog) -> tuple[object, ...]:
    return (
        log.next_offset,
        list(log.epochs),
        log.producers.encode(0),
        [(each.base_offset, each.size) for each in log.segments],
        log.is_busy,
    )


def damaged(made: bytes, at: int) -> bytes:
    return made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :]


def changed(made: bytes, **fields: int) -> bytes:
    """Change fields of a batch, and its checksum with them."""
    return bytes(write_batch(read_header(made)._replace(**fields), made[61:]))


def taken(log: HotLog, *batches: bytes) -> int:
    return log.append_replicated(bytearray(b"".join(batches)))


@pytest.mark.parametrize("always", [True, False])
async def test_batches_keep_their_bytes_offsets_and_epochs(disk: SimDisk, *, always: bool) -> None:
    _, log = await opened(disk, config(always=always))
    sent = [batch(0, records=3, epoch=1), batch(3, epoch=1), batch(9, records=2, epoch=4)]
    assert taken(log, *sent) == log.next_offset == 11
    await written(log)
    assert log.durable_end == log.log_end == 11
    assert await content(log) == b"".join(sent)
    assert list(log.epochs) == [(1, 0), (4, 9)]


async def test_nothing_counts_before_it_is_synced(disk: SimDisk) -> None:
    _, log = await opened(disk, config())
    ends: list[int] = []
    log.on_advance = lambda: ends.append(log.durable_end)
    synced: list[int] = []
    disk.before_sync = lambda _: synced.append(log.durable_end)
    taken(log, *row(5))
    assert (log.durable_end, log.log_end) == (0, 0)
    await written(log)
    assert (synced, ends) == ([0], [5])


async def test_a_buffer_without_a_batch_changes_nothing(disk: SimDisk) -> None:
    _, log = await opened(disk, config())
    before = state(log)
    assert log.append_replicated(bytearray()) == 0
    assert state(log) == before


async def test_a_log_may_begin_with_a_gap(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    epochs, producers = LeaderEpochs([(1, 0)]), ProducerStates()
    start = LogRestart(
        offset=Offset(100), log_start=Offset(100), epochs=epochs, producers=producers
    )
    log = await store.restart(log, start)
    assert taken(log, batch(107), batch(110)) == 111
    await written(log)
    await store.close()
    _, again = await opened(disk, config())
    assert (again.local_start, again.log_end) == (100, 111)
    assert await content(again) == batch(107) + batch(110)


async def test_what_stays_in_one_segment_is_one_write_of_one_buffer(disk: SimDisk) -> None:
    _, log = await opened(disk, config(segment_bytes=10_000))
    await written(log, 10)
    sent = bytearray(b"".join(row(300, start=1)))
    log.append_replicated(sent)
    job = log.take_job()
    assert job is not None
    writes = [step for step in job.steps if isinstance(step, Write)]
    assert len(writes) == len(log.segments) > 2
    assert [len(step.buffers) for step in writes] == [1] * len(writes)
    assert b"".join(bytes(step.buffers[0]) for step in writes) == sent
    job.run(disk)
    log.finish_job(job, None)


async def test_segments_roll_where_they_would_for_a_leader(disk: SimDisk) -> None:
    _, leader = await opened(disk, config(segment_bytes=1000))
    for size in [20, 100, 400, 20, 900, 1500, 20, 20]:
        append(leader, size)
    await written(leader)
    other = SimDisk()
    other.make_dirs("/data")
    _, follower = await opened(other, config(segment_bytes=1000))
    follower.append_replicated(bytearray(await content(leader)))
    await written(follower)
    spans = [(each.base_offset, each.size) for each in leader.segments]
    assert [(each.base_offset, each.size) for each in follower.segments] == spans
    assert len(follower.sealed) == len(leader.sealed) == 3


@pytest.mark.rule("REL-Y6")
@pytest.mark.parametrize("row_of_damage", [0, 1, 2])
@pytest.mark.parametrize("at", [8, 11, 16, 17, 21, 40, 61, 80])
async def test_a_damaged_batch_is_to_be_fetched_again_and_nothing_is_taken(
    disk: SimDisk, row_of_damage: int, at: int
) -> None:
    _, log = await opened(disk, config())
    sent = row(3)
    sent[row_of_damage] = damaged(sent[row_of_damage], at)
    before = state(log)
    with pytest.raises(DamagedBatchError):
        taken(log, *sent)
    assert state(log) == before
    assert taken(log, *row(3)) == 3
    await written(log)


@pytest.mark.parametrize("left", [1, 60, 61, 80])
async def test_a_batch_that_is_cut_off_is_damaged(disk: SimDisk, left: int) -> None:
    _, log = await opened(disk, config())
    with pytest.raises(DamagedBatchError, match="cut off"):
        taken(log, *row(2), batch(2)[:left])
    assert log.next_offset == 0


@pytest.mark.parametrize("fields", [{"last_offset_delta": -1}, {"magic": 1}])
async def test_a_header_that_no_log_can_hold_is_damaged(
    disk: SimDisk, fields: dict[str, int]
) -> None:
    _, log = await opened(disk, config())
    with pytest.raises(DamagedBatchError):
        taken(log, changed(batch(0), **fields))


async def test_a_batch_that_a_start_would_take_for_damage_is_refused(disk: SimDisk) -> None:
    _, log = await opened(disk, config())
    large = bytearray(BATCH_BYTES_MAX + 1)
    large[:61] = batch(0)[:61]
    large[8:12] = (len(large) - 12).to_bytes(4, "big")
    with pytest.raises(DamagedBatchError, match="claims"):
        log.append_replicated(large)


async def test_a_gap_that_no_segment_could_span_is_damage(disk: SimDisk) -> None:
    _, log = await opened(disk, config())
    await written(log, 10)
    with pytest.raises(DamagedBatchError, match="claims offset"):
        taken(log, batch(1 + RELATIVE_OFFSET_MAX + 1))
    assert taken(log, batch(1 + RELATIVE_OFFSET_MAX)) == RELATIVE_OFFSET_MAX + 2
    await written(log)
    # Behind the first batch it would be too far from the base of its segment.
    assert [each.base_offset for each in log.segments] == [0, 1]
    _, again = await opened(disk.after_kill(), config())
    assert again.log_end == RELATIVE_OFFSET_MAX + 2


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        ([4], "offsets 4 to 4 goes back behind 5"),
        ([0], "offsets 0 to 0 goes back behind 5"),
        ([5, 5], "offsets 5 to 5 goes back behind 6"),
        ([7, 6], "offsets 6 to 6 goes back behind 8"),
    ],
)
async def test_offsets_that_go_back_are_refused(
    disk: SimDisk, bases: list[int], message: str
) -> None:
    _, log = await opened(disk, config())
    await written(log, *[10] * 5)
    before = state(log)
    with pytest.raises(OutOfOrderBatchError, match=message):
        taken(log, *map(batch, bases))
    assert state(log) == before


async def test_a_batch_over_the_end_of_the_log_is_refused_by_its_own_name(disk: SimDisk) -> None:
    _, log = await opened(disk, config())
    await written(log, *[10] * 5)
    before = state(log)
    with pytest.raises(StraddlingBatchError, match="truncate the log to 3"):
        taken(log, batch(3, records=4), batch(7))
    assert state(log) == before
    # Behind a good batch it is the sender's order that is wrong.
    with pytest.raises(OutOfOrderBatchError):
        taken(log, batch(5, records=3), batch(7, records=4))


@pytest.mark.rule("REL-T5")
@pytest.mark.parametrize("epochs", [[2], [3, 4, 3], [-1]])
async def test_leader_epochs_never_go_back(disk: SimDisk, epochs: list[int]) -> None:
    _, log = await opened(disk, config())
    await written(log, 10)
    before = state(log)
    with pytest.raises(OutOfOrderBatchError, match="leader epoch"):
        taken(log, *(batch(1 + at, epoch=epoch) for at, epoch in enumerate(epochs)))
    assert state(log) == before


async def test_an_empty_log_takes_no_batch_without_an_epoch(disk: SimDisk) -> None:
    _, log = await opened(disk, config())
    with pytest.raises(OutOfOrderBatchError):
        taken(log, batch(0, epoch=-1))


@pytest.mark.rule("REL-Y1")
async def test_a_log_that_has_failed_takes_nothing(disk: SimDisk) -> None:
    store, log = await opened(disk, config())
    disk.fail("write")
    taken(log, *row(2))
    await written(log)
    with pytest.raises(LogFailedError):
        taken(log, batch(2))
    disk.heal()
    log = await store.reopen(log)
    assert taken(log, *row(2)) == 2
    await written(log)


async def test_a_segment_that_cannot_be_made_leaves_what_went_before(disk: SimDisk) -> None:
    _, log = await opened(disk, config(segment_bytes=400))
    sent = row(8)
    disk.fail("open", f"{4:020d}.log")
    with pytest.raises(DiskError):
        taken(log, *sent)
    assert log.next_offset == 4
    disk.heal()
    assert taken(log, *sent[log.next_offset :]) == 8
    await written(log)
    assert await content(log) == b"".join(sent)


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch that the leader has, by what matters of it."""

    records: int
    size: int
    gap: int
    terms: int
    producer: int | None
    is_control: bool


SENT = st.builds(
    Sent,
    records=st.integers(1, 4),
    size=st.integers(0, 200),
    gap=st.sampled_from([0, 0, 0, 1, 7]),
    terms=st.sampled_from([0, 0, 0, 1, 3]),
    producer=st.none() | st.integers(0, 2),
    is_control=st.sampled_from([False, False, False, True]),
)


def leader_log(parts: list[Sent]) -> list[bytes]:
    batches, offset, epoch, sequences = [], 0, 1, dict.fromkeys(range(3), 0)
    for part in parts:
        offset, epoch, who = offset + part.gap, epoch + part.terms, None
        if part.producer is not None:
            # A marker has no sequence of its own.
            first = -1 if part.is_control else sequences[part.producer]
            who = Producer(producer_id=part.producer, epoch=0, base_sequence=first)
            sequences[part.producer] += 0 if part.is_control else part.records
        made = batch(
            offset,
            records=part.records,
            size=part.size,
            epoch=epoch,
            producer=who,
            is_control=part.is_control and who is not None,
        )
        batches.append(made)
        offset += part.records
    return batches


@pytest.mark.rule("REL-D2")
@given(
    parts=st.lists(SENT, min_size=1, max_size=40),
    seed=st.integers(0, 1 << 30),
    segment_bytes=st.sampled_from([300, 1000, 1 << 20]),
    always=st.booleans(),
)
def test_a_follower_is_what_its_leader_is(
    parts: list[Sent], seed: int, segment_bytes: int, *, always: bool
) -> None:
    rng = random.Random(seed)
    batches = leader_log(parts)

    async def life() -> None:
        disk = SimDisk()
        disk.make_dirs("/data")
        store, log = await opened(disk, config(always=always, segment_bytes=segment_bytes))
        first = 0
        while first < len(batches):
            end = rng.randint(first + 1, len(batches))
            taken(log, *batches[first:end])
            first = end
            if rng.random() < 0.5:
                await written(log)
        await written(log)
        assert await content(log) == b"".join(batches)
        assert list(log.epochs) == epochs_of(batches)
        assert log.producers.encode(0) == producers_of(batches)
        found = recover_log(disk.after_kill(), PARTITION, DIRECTORY, now_ms=NOW_MS)
        assert list(found.epochs) == list(log.epochs)
        assert found.producers.encode(0) == log.producers.encode(0)
        spans = [(each.base_offset, each.next_offset, each.size) for each in log.segments]
        assert [(e.base_offset, e.next_offset, e.size) for e in found.segments] == spans
        await store.close()

    asyncio.run(life())
