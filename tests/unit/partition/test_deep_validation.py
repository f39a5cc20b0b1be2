"""Batches are looked at in threads, and enter the log in the order of their arrival."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from everlog.model.errors import EverlogError
from everlog.records.batch import HEADER_BYTES, batch_crc
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.validation import CorruptMessageError, InvalidRecordError
from service.model.log import LogFailedError
from service.partition.deep_validation import AT_ONCE_MAX, DeepValidation
from service.partition.errors import NotLeaderError
from service.partition.partition import Appended, Partition
from tests.unit.partition.ground import NOW_MS, Ground, batch, grounded


class Bench(Executor):
    """Holds work until a test says which piece is done."""

    def __init__(self) -> None:
        self.work: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.work.append((future, lambda: fn(*args, **kwargs)))
        return future

    def finish(self, index: int = 0) -> None:
        future, work = self.work.pop(index)
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001  (it is the caller's)
            future.set_exception(error)


class Room:
    def __init__(self, ground: Ground, partition: Partition) -> None:
        self.bench = Bench()
        self.partition = partition
        self.told: dict[int, Appended | EverlogError] = {}
        self.deep = DeepValidation(
            clock=ground.clock, executor=self.bench, unpacked_bytes_max=1 << 20
        )

    def append(self, number: int, records: memoryview, partition: Partition | None = None) -> None:
        self.deep.append(
            partition or self.partition,
            records,
            lambda outcome: self.told.__setitem__(number, outcome),
            zstd_allowed=True,
        )

    async def finish(self, index: int = 0) -> None:
        self.bench.finish(index)
        for _ in range(3):
            await asyncio.sleep(0)

    def base(self, number: int) -> int:
        outcome = self.told[number]
        assert isinstance(outcome, Appended), outcome
        return outcome.base_offset


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with grounded() as ground:
        yield ground


@pytest.fixture
async def room(ground: Ground) -> Room:
    return Room(ground, await ground.open(record_validation="full"))


def bad_inside() -> memoryview:
    made = bytearray(batch())
    made[HEADER_BYTES] = 0x7E
    made[17:21] = batch_crc(made, 0, len(made)).to_bytes(4, "big")
    return memoryview(made)


async def test_batches_enter_in_the_order_of_arrival_whichever_is_done_first(room: Room) -> None:
    for number in range(3):
        who = Producer(producer_id=5, epoch=0, base_sequence=number)
        room.append(number, batch(producer=who))
    await room.finish(1)
    assert room.told == {}
    await room.finish(1)
    await room.finish(0)
    assert [room.base(number) for number in range(3)] == [0, 1, 2]


async def test_only_so_many_are_open_at_a_time(room: Room) -> None:
    for number in range(5):
        room.append(number, batch())
    assert len(room.bench.work) == AT_ONCE_MAX
    for _ in range(5):
        await room.finish()
    assert len(room.told) == 5


async def test_a_bad_one_does_not_hold_up_the_others(room: Room) -> None:
    room.append(0, bad_inside())
    room.append(1, batch())
    await room.finish(1)
    await room.finish(0)
    assert isinstance(room.told[0], InvalidRecordError)
    assert room.told[0].faults[0].index == 0
    assert room.base(1) == 0


async def test_partitions_do_not_wait_for_each_other(ground: Ground, room: Room) -> None:
    other = await ground.open("other", record_validation="full")
    room.append(0, batch())
    room.append(1, batch(), other)
    await room.finish(1)
    assert list(room.told) == [1]
    await room.finish(0)


async def test_a_bad_header_is_refused_at_once(room: Room) -> None:
    bad = batch()
    bad[-1] ^= 1
    with pytest.raises(CorruptMessageError):
        room.append(0, bad)
    assert room.bench.work == []


async def test_what_is_open_when_the_partition_goes_is_refused(room: Room) -> None:
    room.append(0, batch())
    room.partition.resign(NotLeaderError("gone"))
    await room.finish()
    assert isinstance(room.told[0], NotLeaderError)
    assert room.partition.hot.next_offset == 0


async def test_a_retry_is_recognised_behind_its_first_attempt(room: Room) -> None:
    who = Producer(producer_id=5, epoch=0, base_sequence=0)
    room.append(0, batch(producer=who))
    room.append(1, batch(producer=who))
    await room.finish(1)
    await room.finish(0)
    assert [room.base(0), room.base(1)] == [0, 0]
    assert room.partition.hot.next_offset == 1


async def test_a_defect_refuses_its_batch_and_the_queue_goes_on(room: Room) -> None:
    seen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
    room.append(0, batch())
    room.append(1, batch())
    future, _ = room.bench.work[0]
    room.bench.work[0] = (future, lambda: 1 // 0)
    await room.finish(0)
    await room.finish(0)
    assert isinstance(room.told[0], LogFailedError)
    assert room.base(1) == 0
    assert isinstance(seen[0]["exception"], ZeroDivisionError)


async def test_a_compacted_topic_wants_keys(ground: Ground) -> None:
    room = Room(ground, await ground.open("compacted", cleanup_policy="compact"))
    keyless = build_batch([Record(key=None, value=b"v", timestamp_ms=NOW_MS)])
    room.append(0, memoryview(keyless))
    await room.finish()
    assert isinstance(room.told[0], InvalidRecordError)
