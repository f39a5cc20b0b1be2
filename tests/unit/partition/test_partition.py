"""One partition as its clients see it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from everlog.model.errors import EverlogError
from everlog.model.offsets import Offset
from everlog.records.batch import read_header
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.validation import CorruptMessageError, MessageTooLargeError
from service.hot.producer_state import OutOfOrderSequenceError
from service.model.log import LogFailedError, LogSlice, OffsetOutOfRangeError
from service.model.topic_config import TopicConfig
from service.partition.errors import (
    NotLeaderError,
    StaleLeaderEpochError,
    TransactionsNotOfferedError,
    UnknownLeaderEpochError,
)
from service.partition.partition import Partition
from tests.unit.partition.ground import EPOCH, EVERYTHING, Ground, batch, grounded, settled
from tests.unit.replication.lone import lone_replica


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with grounded() as ground:
        yield ground


def told(partition: Partition, end: int) -> list[EverlogError | None]:
    """Wait for an offset to be committed."""
    found: list[EverlogError | None] = []
    partition.append_waiters.add(end, found.append)
    return found


async def test_an_append_counts_once_it_is_durable(ground: Ground) -> None:
    partition = await ground.open()
    appended = partition.append(batch(3))
    assert (appended.base_offset, appended.end_offset) == (0, 3)
    acknowledged = told(partition, 3)
    assert (partition.high_watermark, acknowledged) == (0, [])
    await settled(partition)
    assert (partition.high_watermark, acknowledged) == (3, [None])
    assert partition.last_stable_offset == 3


async def test_a_batch_is_stamped_with_offset_and_epoch(ground: Ground) -> None:
    partition = await ground.open()
    partition.append(batch())
    partition.append(batch())
    await settled(partition)
    found = partition.read(Offset(1), EVERYTHING)
    assert isinstance(found, LogSlice)
    header = read_header(found.records)
    assert (header.base_offset, header.leader_epoch) == (1, EPOCH)


async def test_a_bad_batch_leaves_no_trace(ground: Ground) -> None:
    partition = await ground.open()
    bad = batch()
    bad[-1] ^= 1
    with pytest.raises(CorruptMessageError):
        partition.append(bad)
    assert partition.hot.next_offset == 0


@pytest.mark.rule("REL-D1")
async def test_a_retry_gets_the_first_answer(ground: Ground) -> None:
    partition = await ground.open()

    def append(sequence: int, count: int = 2) -> int:
        who = Producer(producer_id=9, epoch=0, base_sequence=sequence)
        return partition.append(batch(count, producer=who)).base_offset

    assert [append(0), append(2), append(0), append(2)] == [0, 2, 0, 2]
    with pytest.raises(OutOfOrderSequenceError):
        append(7)
    assert partition.hot.next_offset == 4


async def test_transactions_are_refused(ground: Ground) -> None:
    partition = await ground.open()
    who = Producer(producer_id=9, epoch=0, base_sequence=0)
    with pytest.raises(TransactionsNotOfferedError):
        partition.append(batch(producer=who, attributes=0x10))


async def test_the_brokers_time_replaces_the_producers(ground: Ground) -> None:
    partition = await ground.open(message_timestamp_type="LogAppendTime")
    ground.clock.advance(5)
    now_ms = ground.clock.wall_ms()
    assert partition.append(batch(3)).append_time_ms == now_ms
    await settled(partition)
    found = partition.read(Offset(0), EVERYTHING)
    assert isinstance(found, LogSlice)
    assert read_header(found.records).max_timestamp == now_ms


async def test_reads_are_bounded_by_the_log(ground: Ground) -> None:
    partition = await ground.open()
    partition.append(batch(3))
    await settled(partition)
    for offset in (-1, 4):
        with pytest.raises(OffsetOutOfRangeError):
            partition.read(Offset(offset), EVERYTHING)
    assert partition.read(Offset(3), EVERYTHING) == LogSlice(b"")
    await ground.store.set_log_start(partition.hot, Offset(2))
    with pytest.raises(OffsetOutOfRangeError):
        partition.read(Offset(1), EVERYTHING)


async def test_leader_epochs_are_compared(ground: Ground) -> None:
    partition = await ground.open()
    partition.check_epoch(None)
    partition.check_epoch(EPOCH)
    with pytest.raises(StaleLeaderEpochError):
        partition.check_epoch(EPOCH - 1)
    with pytest.raises(UnknownLeaderEpochError):
        partition.check_epoch(EPOCH + 1)


async def test_the_end_of_a_term(ground: Ground) -> None:
    partition = await ground.open()
    assert partition.end_of_epoch(EPOCH) == (EPOCH, 0)
    assert partition.end_of_epoch(EPOCH - 1) is None
    partition.append(batch(3))
    await settled(partition)
    partition.begin_term(lone_replica(EPOCH + 4))
    assert partition.end_of_epoch(EPOCH + 4) == (EPOCH + 4, 3)
    assert partition.end_of_epoch(EPOCH + 2) == (EPOCH, 3)
    assert partition.end_of_epoch(EPOCH + 5) is None


async def test_a_time_is_found_but_not_below_the_log_start(ground: Ground) -> None:
    partition = await ground.open()
    for _ in range(3):
        partition.append(batch())
    await settled(partition)
    header_time = 1_700_000_000_000
    found = await partition.find_time(header_time, partition.high_watermark)
    assert found is not None
    assert found.offset == 0
    await ground.store.set_log_start(partition.hot, Offset(2))
    found = await partition.find_time(header_time, partition.high_watermark)
    assert found is not None
    assert found.offset == 2
    newest = await partition.find_newest(partition.high_watermark)
    assert newest is not None
    assert newest.timestamp_ms == header_time


async def test_a_time_is_found_behind_the_log_start_when_times_are_out_of_order(
    ground: Ground,
) -> None:
    partition = await ground.open()
    now_ms = 1_700_000_000_000
    for age_ms in (1000, 5000, 0):
        record = Record(key=None, value=b"v", timestamp_ms=now_ms - age_ms)
        partition.append(memoryview(build_batch([record])))
    await settled(partition)
    await ground.store.set_log_start(partition.hot, Offset(1))
    found = await partition.find_time(now_ms - 2000, partition.high_watermark)
    assert found is not None
    assert (found.timestamp_ms, found.offset) == (now_ms, 2)
    assert await partition.find_time(now_ms + 1, partition.high_watermark) is None


async def test_new_settings_hold_for_the_next_append(ground: Ground) -> None:
    partition = await ground.open()
    partition.append(batch(50))
    partition.reconfigure(TopicConfig.resolve({"max.message.bytes": "100"}))
    with pytest.raises(MessageTooLargeError):
        partition.append(batch(50))
    assert not partition.opens_batches
    partition.reconfigure(TopicConfig.resolve({"record.validation": "full"}))
    assert partition.opens_batches


async def test_a_failing_disk_fails_who_waits_and_who_comes(ground: Ground) -> None:
    partition = await ground.open()
    ground.disk.room = 10
    partition.append(batch())
    waiting = told(partition, 1)
    await settled(partition)
    assert [type(each) for each in waiting] == [LogFailedError]
    with pytest.raises(LogFailedError):
        partition.append(batch())
    with pytest.raises(LogFailedError):
        partition.read(Offset(0), EVERYTHING)


async def test_a_partition_that_is_given_up_tells_everybody(ground: Ground) -> None:
    partition = await ground.open()
    woken: list[int] = []
    partition.read_waiters.add(lambda: woken.append(1))
    header = partition.check(batch())
    waiting = told(partition, 1)
    partition.resign(NotLeaderError("gone"))
    assert woken == [1]
    assert [type(each) for each in waiting] == [NotLeaderError]
    with pytest.raises(NotLeaderError):
        partition.append_checked(batch(), header)


async def test_a_retry_of_what_was_rolled_back_is_refused_with_the_rest(ground: Ground) -> None:
    partition = await ground.open()
    ground.disk.room = 10
    who = Producer(producer_id=5, epoch=0, base_sequence=0)
    partition.append(batch(producer=who))
    await settled(partition)
    with pytest.raises(LogFailedError):
        partition.append(batch(producer=who))


async def test_a_change_to_flush_always_leaves_nobody_waiting(ground: Ground) -> None:
    partition = await ground.open(flush_messages=str(2**63 - 1), flush_ms="1000000000")
    partition.append(batch())
    await asyncio.sleep(0)
    partition.append(batch())
    waiting = told(partition, 2)
    partition.reconfigure(TopicConfig.resolve({"flush.messages": "1"}))
    await settled(partition)
    assert waiting == [None]
    assert partition.hot.synced_end == 2
