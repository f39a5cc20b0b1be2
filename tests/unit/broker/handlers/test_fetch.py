"""Fetch: what is at hand, what is waited for, and what is told at once."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.format.segment_sections import AbortedTransaction
from everlog.model.offsets import Offset
from everlog.stores.errors import StoreUnavailableError
from service.broker.error_mapping import code_of
from service.model.log import LogSlice, ReadBounds
from service.model.serving import Deferred
from service.partition.errors import NotLeaderError
from service.partition.partition import Partition
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import FetchResponse
from tests.unit.broker.handlers.town import answered, context, to_fetch, town
from tests.unit.partition.ground import batch, settled
from tests.unit.replication.lone import lone_replica

VERSION = 12


async def filled(partition: Partition, *counts: int) -> None:
    for count in counts:
        partition.append(batch(count))
    await settled(partition)


def only(response: FetchResponse) -> Any:
    ((result,),) = (topic.partitions for topic in response.responses)
    return result


async def test_what_is_there_is_answered_at_once() -> None:
    async with town() as place:
        partition = await place.topic("t")
        await filled(partition, 2, 3)
        response = place.fetch_handler()(context(VERSION), to_fetch("t", 2))
        assert isinstance(response, FetchResponse)
        result = only(response)
        assert (result.high_watermark, result.last_stable_offset) == (5, 5)
        assert (result.log_start_offset, result.aborted_transactions) == (0, None)
        assert len(result.records) == len(batch(3))


async def test_a_committed_reader_gets_a_list_of_aborted_transactions() -> None:
    async with town() as place:
        await filled(await place.topic("t"), 1)
        request = to_fetch("t", isolation_level=1)
        response = await answered(place.fetch_handler()(context(VERSION), request))
        assert only(response).aborted_transactions == []


@pytest.mark.rule("TIER-46")
async def test_aborted_transactions_are_told_to_committed_readers_alone() -> None:
    async with town() as place:
        partition = await place.topic("t")
        await filled(partition, 1)
        gone = AbortedTransaction(producer_id=7, first_offset=Offset(0), last_offset=Offset(4))
        read = partition.log.read

        def with_aborted(offset: Offset, bounds: ReadBounds) -> LogSlice:
            found = read(offset, bounds)
            assert isinstance(found, LogSlice)
            return LogSlice(found.records, [gone] if bounds.committed else [])

        partition.log.read = with_aborted  # type: ignore[method-assign]
        fetch = place.fetch_handler()
        told = only(await answered(fetch(context(VERSION), to_fetch("t", isolation_level=1))))
        (one,) = told.aborted_transactions
        assert (one.producer_id, one.first_offset) == (7, 0)
        told = only(await answered(fetch(context(VERSION), to_fetch("t"))))
        assert told.aborted_transactions is None


async def test_a_reader_at_the_end_is_woken_by_an_append() -> None:
    async with town() as place:
        partition = await place.topic("t")
        waiting = place.fetch_handler()(context(VERSION), to_fetch("t", max_wait_ms=60_000))
        assert isinstance(waiting, Deferred)
        assert not waiting.is_resolved
        partition.append(batch())
        assert len(only(await answered(waiting)).records) > 0


async def test_a_reader_that_has_its_answer_is_gone_without_the_garbage_collector() -> None:
    async with town() as place:
        partition = await place.topic("t")
        handler = place.fetch_handler()
        gc.disable()
        try:
            waiting = handler(context(VERSION), to_fetch("t", max_wait_ms=60_000))
            reader = weakref.ref(waiting)
            partition.append(batch())
            await answered(waiting)
            del waiting
            await settled(partition)
            await asyncio.sleep(0)
            assert reader() is None
        finally:
            gc.enable()


async def test_a_reader_waits_for_as_many_bytes_as_it_wants() -> None:
    async with town() as place:
        partition = await place.topic("t")
        request = to_fetch("t", max_wait_ms=60_000, min_bytes=len(batch()) + 1)
        waiting = place.fetch_handler()(context(VERSION), request)
        assert isinstance(waiting, Deferred)
        await filled(partition, 1)
        await asyncio.sleep(0.01)
        assert not waiting.is_resolved
        await filled(partition, 1)
        assert len(only(await answered(waiting)).records) == 2 * len(batch())


async def test_when_the_time_is_up_there_may_be_nothing() -> None:
    async with town() as place:
        await place.topic("t")
        waiting = place.fetch_handler()(context(VERSION), to_fetch("t", max_wait_ms=10))
        result = only(await answered(waiting))
        assert (result.error_code, len(result.records)) == (0, 0)


async def test_a_reader_is_told_when_the_partition_goes() -> None:
    async with town() as place:
        partition = await place.topic("t")
        waiting = place.fetch_handler()(context(VERSION), to_fetch("t", max_wait_ms=60_000))
        place.table.remove(partition.id)
        partition.resign(NotLeaderError("gone"))
        result = only(await answered(waiting))
        assert result.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert result.current_leader.leader_id == place.stage.broker.id


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"offset": 9}, ErrorCode.OFFSET_OUT_OF_RANGE),
        ({"partition": 5}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"topic": "nobody"}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"current_leader_epoch": 99}, ErrorCode.UNKNOWN_LEADER_EPOCH),
        ({"last_fetched_epoch": 99}, ErrorCode.OFFSET_OUT_OF_RANGE),
    ],
)
async def test_an_error_is_told_at_once(fields: dict[str, Any], code: ErrorCode) -> None:
    async with town() as place:
        await filled(await place.topic("t"), 1)
        request = to_fetch(**{"topic": "t", "max_wait_ms": 60_000, **fields})
        response = place.fetch_handler()(context(VERSION), request)
        assert isinstance(response, FetchResponse)
        assert only(response).error_code == code


async def test_an_old_leader_epoch_is_told_the_new_leader() -> None:
    async with town() as place:
        partition = await place.topic("t")
        partition.begin_term(lone_replica(5))
        request = to_fetch("t", current_leader_epoch=4, max_wait_ms=60_000)
        response = await answered(place.fetch_handler()(context(16), request))
        assert only(response).error_code == ErrorCode.FENCED_LEADER_EPOCH
        assert only(response).current_leader.leader_id == place.stage.broker.id
        assert [each.node_id for each in response.node_endpoints] == [place.stage.broker.id]


@pytest.mark.rule("REL-T2")
async def test_a_reader_of_a_lost_term_is_told_where_it_ended() -> None:
    async with town() as place:
        partition = await place.topic("t")
        await filled(partition, 3)
        first = partition.leader_epoch
        partition.begin_term(lone_replica(first + 4))
        await filled(partition, 2)
        fetch = place.fetch_handler()
        request = to_fetch("t", 5, last_fetched_epoch=first, max_wait_ms=60_000)
        found = only(await answered(fetch(context(VERSION), request)))
        assert (found.diverging_epoch.epoch, found.diverging_epoch.end_offset) == (first, 3)
        assert len(found.records) == 0
        request = to_fetch("t", 5, last_fetched_epoch=first + 2, max_wait_ms=60_000)
        found = only(await answered(fetch(context(VERSION), request)))
        assert (found.diverging_epoch.epoch, found.diverging_epoch.end_offset) == (first, 3)
        request = to_fetch("t", 3, last_fetched_epoch=first)
        assert len(only(await answered(fetch(context(VERSION), request))).records) > 0


async def test_a_reader_that_knows_only_the_new_term_does_not_diverge() -> None:
    """ListOffsets tells the current term at the log end, although it has written nothing yet."""
    async with town() as place:
        partition = await place.topic("t")
        request = to_fetch("t", 0, last_fetched_epoch=partition.leader_epoch)
        result = only(await answered(place.fetch_handler()(context(VERSION), request)))
        assert (result.error_code, result.diverging_epoch) == (0, None)


async def test_the_first_batch_is_returned_whatever_the_limits_are() -> None:
    async with town() as place:
        await filled(await place.topic("t"), 50, 50)
        for limits in ({"max_bytes": 0}, {"max_bytes": -1}, {"partition_max_bytes": 0}):
            request = to_fetch("t", **limits)
            result = only(await answered(place.fetch_handler()(context(VERSION), request)))
            assert len(result.records) == len(batch(50))


async def test_the_whole_answer_is_bounded() -> None:
    async with town() as place:
        first = await place.topic("t", partitions=3)
        for index in range(3):
            await filled(place.table.led(first.topic, index), 50)
        request = to_fetch("t")
        request.topics[0].partitions = [
            to_fetch("t", partition=index).topics[0].partitions[0] for index in range(3)
        ]
        handler = place.fetch_handler(bytes_max=len(batch(50)) + 10)
        response = await answered(handler(context(VERSION), request))
        sizes = [len(each.records) for each in response.responses[0].partitions]
        assert sizes == [len(batch(50)), 0, 0]


@pytest.mark.rule("TIER-28")
async def test_a_partition_that_fails_does_not_fail_the_others() -> None:
    async with town() as place:
        partition = await place.topic("t", partitions=2)
        await filled(partition, 1)
        await filled(place.table.led("t", 1), 1)

        async def damaged(offset: Offset, bounds: Any) -> Any:
            raise CorruptObjectError("object", "bits")

        partition.log.read = damaged  # type: ignore[method-assign, assignment]
        request = to_fetch("t", min_bytes=1 << 20, max_wait_ms=1000)
        request.topics[0].partitions.append(to_fetch("t", partition=1).topics[0].partitions[0])
        response = await answered(place.fetch_handler()(context(VERSION), request))
        bad, good = response.responses[0].partitions
        assert (bad.error_code, good.error_code) == (code_of(CorruptObjectError("o", "b")), 0)
        assert len(good.records) > 0


@pytest.mark.rule("TIER-37")
async def test_a_slow_partition_does_not_delay_the_others() -> None:
    async with town() as place:
        partition = await place.topic("t", partitions=2)
        await filled(partition, 1)
        await filled(place.table.led("t", 1), 1)
        gate = asyncio.Event()
        read = partition.log.read

        async def slowly(offset: Offset, bounds: Any) -> Any:
            await gate.wait()
            return read(offset, bounds)

        partition.log.read = slowly  # type: ignore[method-assign, assignment]
        request = to_fetch("t", max_wait_ms=60_000)
        request.topics[0].partitions.append(to_fetch("t", partition=1).topics[0].partitions[0])
        fetch = place.fetch_handler()
        response = await answered(fetch(context(VERSION), request))
        assert [len(each.records) > 0 for each in response.responses[0].partitions] == [False, True]
        waiting = fetch(context(VERSION), to_fetch("t", max_wait_ms=60_000))
        gate.set()
        assert len(only(await answered(waiting)).records) > 0


@pytest.mark.rule("TIER-24")
async def test_who_reads_from_a_store_that_is_away_is_told_when_his_time_is_up() -> None:
    async with town() as place:
        partition = await place.topic("t", partitions=2)

        async def away(offset: Offset, bounds: Any) -> Any:
            raise StoreUnavailableError("read", "key", "it is away")

        partition.log.read = away  # type: ignore[method-assign, assignment]
        request = to_fetch("t", max_wait_ms=60_000)
        request.topics[0].partitions.append(to_fetch("t", partition=1).topics[0].partitions[0])
        waiting = place.fetch_handler()(context(VERSION), request)
        assert isinstance(waiting, Deferred)
        await asyncio.sleep(0.05)
        assert not waiting.is_resolved
        await filled(place.table.led("t", 1), 1)  # what can be read does not wait for the store
        codes = [each.error_code for each in (await answered(waiting)).responses[0].partitions]
        assert codes == [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NONE]
        alone = place.fetch_handler()(context(VERSION), to_fetch("t", max_wait_ms=1))
        assert only(await answered(alone)).error_code == ErrorCode.KAFKA_STORAGE_ERROR


@pytest.mark.rule("TIER-24")
@pytest.mark.parametrize("is_slow", [True, False])
async def test_an_error_of_the_store_does_not_wait_for_all_of_the_readers_time(
    *, is_slow: bool
) -> None:
    async with town() as place:
        partition = await place.topic("t")

        async def away_slowly(offset: Offset, bounds: Any) -> Any:
            raise StoreUnavailableError("read", "key", "it is away")

        def away(offset: Offset, bounds: Any) -> Any:
            raise StoreUnavailableError("read", "key", "it is away")

        partition.log.read = away_slowly if is_slow else away  # type: ignore[method-assign, assignment]
        waiting = place.fetch_handler(fault_ms=20)(
            context(VERSION), to_fetch("t", max_wait_ms=60_000)
        )
        assert isinstance(waiting, Deferred)
        assert only(await answered(waiting)).error_code == ErrorCode.KAFKA_STORAGE_ERROR


@pytest.mark.rule("TIER-38")
async def test_slow_partitions_bring_no_more_into_memory_than_a_response_may_hold() -> None:
    async with town() as place:
        await place.topic("t", partitions=12)
        reading: list[int] = []
        gate = asyncio.Event()
        request = to_fetch("t", max_wait_ms=60_000, max_bytes=1000)
        for number in range(12):
            partition = place.table.led("t", number)
            await filled(partition, 1)

            async def slowly(offset: Offset, bounds: ReadBounds, number: int = number) -> LogSlice:
                reading.append(number)
                await gate.wait()
                return LogSlice(bytes(bounds.bytes_max))

            if number < 11:
                partition.log.read = slowly  # type: ignore[method-assign, assignment]
            if number:
                wanted = to_fetch("t", partition=number).topics[0].partitions[0]
                request.topics[0].partitions.append(wanted)
        for each in request.topics[0].partitions:
            each.partition_max_bytes = 150
        response = await answered(place.fetch_handler()(context(VERSION), request))
        assert len(response.responses[0].partitions[11].records) > 0
        await asyncio.sleep(0)
        assert reading == [0, 1, 2]
        gate.set()


async def test_a_session_goes_on_where_it_was() -> None:
    async with town() as place:
        partition = await place.topic("t")
        await filled(partition, 1)
        fetch = place.fetch_handler()
        first = await answered(fetch(context(VERSION), to_fetch("t", session_epoch=0)))
        assert first.session_id > 0
        again = to_fetch("t", 1, session_id=first.session_id, session_epoch=1, max_wait_ms=10)
        assert (await answered(fetch(context(VERSION), again))).responses == []
        bad = to_fetch("t", session_id=first.session_id, session_epoch=9)
        refused = await answered(fetch(context(VERSION), bad))
        assert refused.error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH
