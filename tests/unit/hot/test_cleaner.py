"""LogCleaner over the simulated disk: what a reader of a compacted log finds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everlog.model.offsets import Offset
from everlog.records.batch import DELETE_HORIZON, TRANSACTIONAL, read_header
from everlog.records.builder import Producer
from everlog.records.compression import Codec
from service.hot.log import HotLog
from service.hot.store import HotStore
from service.hot.swap import read_cleaned
from service.model.log import LogSlice, ReadBounds
from tests.examples import TIMES
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk
from tests.unit.hot.keyed_log import (
    DAY_MS,
    PARTITION,
    append,
    cleaned,
    config,
    expected_after_cleaning,
    fresh_disk,
    latest,
    rules,
    settled,
    store_on,
    stored,
    stored_batches,
)


@pytest.fixture
def disk() -> SimDisk:
    return fresh_disk()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(disk: SimDisk, clock: ManualClock) -> AsyncIterator[HotStore]:
    store = store_on(disk, clock)
    await store.start([])
    yield store
    await store.close()


def key(number: int) -> bytes:
    return b"key-%d" % number


async def filled(
    store: HotStore, keys: int = 3, records: int = 60, **config_changes: Any
) -> HotLog:
    log = await store.open(PARTITION, config(**config_changes))
    for number in range(records):
        append(log, [(key(number % keys), b"value-%d" % number)])
    await settled(log)
    assert len(log.segments) > 5
    return log


async def test_the_latest_value_of_each_key_stays_and_the_log_shrinks(store: HotStore) -> None:
    log = await filled(store)
    before, size = await stored(log), log.size
    end = log.sealed[-1].next_offset
    await cleaned(store)
    assert await stored(log) == expected_after_cleaning(before, end)
    assert log.size < size / 2
    assert len(log.segments) < 4


BATCHES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.one_of(st.none(), st.integers(0, 6).map(key), st.just(b"x" * 20)),
                st.one_of(st.none(), st.binary(max_size=30)),
            ),
            min_size=1,
            max_size=5,
        ),
        st.sampled_from(Codec),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=15 * TIMES)
@given(batches=BATCHES, segment_bytes=st.integers(150, 900), keys_max=st.integers(1, 8))
def test_a_cleaning_does_what_brute_force_does(
    batches: list[tuple[list[tuple[bytes | None, bytes | None]], Codec]],
    segment_bytes: int,
    keys_max: int,
) -> None:
    async def life() -> None:
        disk = fresh_disk()
        store = store_on(disk)
        store._cleaner._keys_max = keys_max
        await store.start([])
        log = await store.open(PARTITION, config(segment_bytes=segment_bytes))
        for pairs, codec in batches:
            append(log, pairs, codec=codec)
        await settled(log)
        before = await stored(log)
        end = log.sealed[-1].next_offset if log.sealed else 0
        await cleaned(store)
        after = await stored(log)
        assert after == expected_after_cleaning(before, end)
        assert latest(after) == latest(before)
        for start in range(log.next_offset):
            assert await stored(log, start) == [each for each in after if each.offset >= start]
        store._cleaner._cleaned.clear()
        disk.unlink(f"{log.directory}/cleaned") if log.sealed else None
        store._cleaner.wake(log)
        await cleaned(store)
        assert await stored(log) == after
        again = store_on(disk.after_kill())
        await again.start([PARTITION])
        reopened = await again.open(PARTITION, config(segment_bytes=segment_bytes))
        assert reopened.next_offset == log.next_offset
        assert await stored(reopened) == after
        await again.close()
        await store.close()

    asyncio.run(life())


async def test_batches_keep_their_offsets_sequences_and_codec(store: HotStore) -> None:
    log = await store.open(PARTITION, config())
    who = Producer(producer_id=7, epoch=1, base_sequence=5)
    append(log, [(b"a", b"1"), (b"b", b"1"), (b"a", b"2")], codec=Codec.ZSTD, producer=who)
    for number in range(20):
        append(log, [(b"c", b"%d" % number)])
    await settled(log)
    await cleaned(store)
    first = read_header((await stored_batches(log))[0])
    assert (first.base_offset, first.last_offset_delta, first.record_count) == (0, 2, 2)
    assert (first.producer_id, first.producer_epoch, first.base_sequence) == (7, 1, 5)
    assert first.codec == Codec.ZSTD
    assert [record.offset for record in await stored(log)][:2] == [1, 2]


async def test_the_last_sequence_of_a_producer_outlives_its_records(
    store: HotStore, disk: SimDisk
) -> None:
    log = await store.open(PARTITION, config())
    for sequence in range(3):
        who = Producer(producer_id=7, epoch=0, base_sequence=sequence)
        append(log, [(b"a", b"old")], producer=who)
    for number in range(30):
        append(log, [(b"a", b"%d" % number)])
    await settled(log)
    await cleaned(store)
    headers = [read_header(each) for each in await stored_batches(log)]
    (kept,) = [each for each in headers if each.producer_id == 7]
    assert (kept.base_offset, kept.base_sequence, kept.record_count) == (2, 2, 0)


async def test_a_tombstone_stays_for_a_while_after_the_first_cleaning_that_saw_it(
    store: HotStore, clock: ManualClock
) -> None:
    log = await store.open(PARTITION, config())
    append(log, [(b"gone", b"value")])
    append(log, [(b"gone", None), (b"other", b"value")])
    for number in range(30):
        append(log, [(b"c", b"%d" % number)])
    await settled(log)
    await cleaned(store)
    (stone, other, *_) = await stored(log)
    assert (stone.key, stone.value, stone.offset) == (b"gone", None, 1)
    header = read_header((await stored_batches(log))[0])
    assert header.attributes & DELETE_HORIZON
    assert header.base_timestamp == clock.wall_ms() + DAY_MS
    assert (stone.timestamp_ms, header.max_timestamp) == (clock.wall_ms(), clock.wall_ms())
    clock.advance(DAY_MS - 1)
    await cleaned(store)
    assert (await stored(log))[0] == stone
    clock.advance(1)
    await cleaned(store)
    assert (await stored(log))[0] == other
    assert read_cleaned(store._disk, log.directory).tombstones_until is None


async def test_young_records_are_left_alone_until_they_are_old_enough(
    store: HotStore, clock: ManualClock
) -> None:
    log = await filled(store, cleaning=rules(lag_ms_min=5_000))
    before = await stored(log)
    await cleaned(store)
    assert await stored(log) == before
    clock.advance(5_000)
    await cleaned(store)
    assert len(await stored(log)) < len(before)


async def test_what_is_not_committed_is_left_alone(store: HotStore) -> None:
    log = await filled(store)
    before = await stored(log)
    log.committed_end = lambda: Offset(20)
    await cleaned(store)
    end = max(each.next_offset for each in log.sealed if each.next_offset <= 20)
    assert await stored(log) == expected_after_cleaning(before, end)


@pytest.mark.rule("TIER-5")
async def test_the_log_end_survives_when_the_last_sealed_batch_is_obsolete(
    store: HotStore, disk: SimDisk, clock: ManualClock
) -> None:
    log = await store.open(PARTITION, config(segment_bytes=10_000))
    append(log, [(b"a", None)])
    log.roll()
    await settled(log)
    await cleaned(store)
    clock.advance(DAY_MS)
    await cleaned(store)
    assert await stored(log) == []
    again = store_on(disk.after_kill())
    await again.start([PARTITION])
    assert (await again.open(PARTITION, config())).next_offset == 1
    await again.close()


async def test_a_log_with_a_transaction_is_cleaned_up_to_it(store: HotStore) -> None:
    log = await store.open(PARTITION, config())
    for number in range(20):
        append(log, [(b"a", b"%d" % number)])
    who = Producer(producer_id=1, epoch=0, base_sequence=0)
    at = append(log, [(b"a", b"perhaps aborted")], producer=who, attributes=TRANSACTIONAL)
    for number in range(20):
        append(log, [(b"a", b"%d" % number)])
    await settled(log)
    await cleaned(store)
    offsets = [record.offset for record in await stored(log)]
    assert offsets == [at - 1, *range(at, log.next_offset)]


@pytest.mark.rule("TIER-20")
async def test_a_reader_that_is_under_way_finishes_with_what_it_began_with(
    store: HotStore, disk: SimDisk
) -> None:
    log = await filled(store)
    before = await stored(log)
    disk.is_cold = True
    bounds = ReadBounds(end=log.log_end, bytes_max=300, at_least_one=True)
    found = log.read(Offset(0), bounds)
    assert not isinstance(found, LogSlice)
    reading = asyncio.ensure_future(found)
    await cleaned(store)
    piece = await reading
    assert read_header(piece.records).base_offset == 0
    later = log.read(Offset(0), bounds)
    assert not isinstance(later, LogSlice)
    assert read_header((await later).records).base_offset > 0
    end = read_cleaned(disk, log.directory).end
    assert await stored(log) == expected_after_cleaning(before, end)


@pytest.mark.rule("TIER-20")
async def test_readers_find_the_latest_values_at_any_moment_of_a_cleaning(store: HotStore) -> None:
    log = await filled(store, keys=7, records=300)
    wanted = latest(await stored(log))

    async def read_on() -> int:
        rounds = 0
        while not store._cleaner.is_idle:
            found = await stored(log)
            assert latest(found) == wanted
            assert [each.offset for each in found] == sorted(each.offset for each in found)
            for each in found:
                assert each.value == b"value-%d" % each.offset
            time = await log.find_time(0, log.log_end)
            assert time is not None
            await asyncio.sleep(0)
            rounds += 1
        return rounds

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(store._cleaner.run())
        assert await tasks.create_task(read_on()) > 3
        running.cancel()


async def test_a_new_seal_wakes_the_cleaner_and_only_dirty_segments_are_noted(
    store: HotStore,
) -> None:
    log = await filled(store)
    await cleaned(store)
    clean_end = read_cleaned(store._disk, log.directory).end
    for number in range(60):
        append(log, [(key(number % 3), b"again-%d" % number)])
    await settled(log)
    before = await stored(log)
    await cleaned(store)
    end = log.sealed[-1].next_offset
    assert end > clean_end
    assert await stored(log) == expected_after_cleaning(before, end)
    assert read_cleaned(store._disk, log.directory).end == end


@pytest.mark.rule("TIER-6")
async def test_a_damaged_segment_stops_the_cleaning_and_changes_nothing(
    store: HotStore, disk: SimDisk
) -> None:
    log = await filled(store)
    names = disk.list_dir(log.directory)
    disk.flip_bit(log.segments[2].path, 70)
    await cleaned(store)
    assert disk.list_dir(log.directory) == names
    assert len(log.segments) > 5


@pytest.mark.parametrize("operation", ["write", "sync", "rename", "sync_dir"])
async def test_a_disk_that_refuses_leaves_a_log_that_can_be_read_and_opened(
    store: HotStore, disk: SimDisk, operation: str
) -> None:
    log = await filled(store)
    before = await stored(log)
    disk.fail(operation)
    await cleaned(store)
    disk.heal()
    assert latest(await stored(log)) == latest(before)
    again = store_on(disk.after_kill())
    await again.start([PARTITION])
    reopened = await again.open(PARTITION, config())
    assert latest(await stored(reopened)) == latest(before)
    assert reopened.next_offset == log.next_offset
    await again.close()


async def test_a_log_may_be_deleted_while_it_is_cleaned(store: HotStore, disk: SimDisk) -> None:
    log = await filled(store, records=600, keys=100)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(store._cleaner.run())
        while not log.is_held:
            await asyncio.sleep(0)
        await store.delete(PARTITION)
        running.cancel()
    assert disk.list_dir("/data/logs") == []


async def test_nothing_is_released_while_segments_are_replaced(store: HotStore) -> None:
    log = await filled(store)
    log.is_held = True
    assert await store.release(log, log.segments[2].base_offset) == []
    log.is_held = False
    assert await store.release(log, log.segments[2].base_offset) != []


async def test_a_batch_larger_than_a_segment_is_compacted_too(store: HotStore) -> None:
    log = await store.open(PARTITION, config())
    for number in range(20):
        append(log, [(key(number % 2), b"%d" % number * 3_000)])
    await settled(log)
    before, end = await stored(log), log.sealed[-1].next_offset
    await cleaned(store)
    assert await stored(log) == expected_after_cleaning(before, end)
