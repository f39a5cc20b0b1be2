"""Produce: appends, and when it answers."""

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from everlog.model.ids import NodeId, TopicName
from everlog.records.builder import Producer, Record, build_batch
from service.broker.handlers.produce import TIMEOUT_SWEEP_SECONDS
from service.model.serving import ConnectionClosingError, Deferred, HeldBack
from service.partition.disk_gate import REFUSED_SECONDS
from service.partition.disk_pressure import DiskLevel, DiskRoom, Pressure
from service.partition.errors import NotLeaderError
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.produce import ProduceResponse
from tests.unit.broker.handlers.town import answered, context, to_fetch, to_produce, town
from tests.unit.partition.ground import NOW_MS, batch

VERSION = 9


def codes(response: ProduceResponse) -> list[int]:
    return [each.error_code for topic in response.responses for each in topic.partition_responses]


def bases(response: ProduceResponse) -> list[int]:
    return [each.base_offset for topic in response.responses for each in topic.partition_responses]


def broken_batch() -> memoryview:
    made = batch()
    made[-1] ^= 1
    return made


async def test_a_request_is_answered_when_all_of_its_batches_are_durable() -> None:
    async with town() as place:
        await place.topic("t", partitions=3)
        produce = place.produce_handler()
        waiting = produce(context(VERSION), to_produce("t", batch(2), batch(), batch()))
        assert isinstance(waiting, Deferred)
        assert not waiting.is_resolved
        response = await answered(waiting)
        assert (codes(response), bases(response)) == ([0, 0, 0], [0, 0, 0])
        again = await answered(produce(context(VERSION), to_produce("t", batch(), batch())))
        assert bases(again) == [2, 1]


async def test_a_bad_batch_does_not_hurt_its_neighbours() -> None:
    async with town() as place:
        await place.topic("t", partitions=3)
        request = to_produce("t", batch(), broken_batch(), None)
        response = await answered(place.produce_handler()(context(VERSION), request))
        assert codes(response) == [0, ErrorCode.CORRUPT_MESSAGE, ErrorCode.INVALID_RECORD]
        assert bases(response) == [0, -1, -1]


async def test_nothing_waits_when_everything_is_refused() -> None:
    async with town() as place:
        response = place.produce_handler()(context(VERSION), to_produce("nobody", batch()))
        assert isinstance(response, ProduceResponse)
        assert codes(response) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]


async def test_topics_go_by_id_since_version_13() -> None:
    async with town() as place:
        partition = await place.topic("t")
        request = to_produce("", batch())
        request.topic_data[0].topic_id = partition.id.topic_id
        assert codes(await answered(place.produce_handler()(context(13), request))) == [0]
        request.topic_data[0].topic_id = b"?" * 16
        response = await answered(place.produce_handler()(context(13), request))
        assert codes(response) == [ErrorCode.UNKNOWN_TOPIC_ID]


@pytest.mark.parametrize("acks", [2, -2])
async def test_odd_acks_append_nothing(acks: int) -> None:
    async with town() as place:
        partition = await place.topic("t")
        request = to_produce("t", batch(), acks=acks)
        response = await answered(place.produce_handler()(context(VERSION), request))
        assert codes(response) == [ErrorCode.INVALID_REQUIRED_ACKS]
        assert partition.hot.next_offset == 0


async def test_without_acks_there_is_no_answer_and_a_failure_closes() -> None:
    async with town() as place:
        partition = await place.topic("t")
        produce = place.produce_handler()
        assert produce(context(VERSION), to_produce("t", batch(), acks=0)) is None
        assert partition.hot.next_offset == 1
        with pytest.raises(ConnectionClosingError):
            produce(context(VERSION), to_produce("t", broken_batch(), acks=0))


async def test_without_acks_a_batch_that_is_opened_first_closes_later() -> None:
    async with town() as place:
        await place.topic("t", cleanup_policy="compact")
        produce = place.produce_handler()
        good = produce(context(VERSION), to_produce("t", batch(), acks=0))
        keyless = build_batch([Record(key=None, value=b"v", timestamp_ms=NOW_MS)])
        bad = produce(context(VERSION), to_produce("t", memoryview(keyless), acks=0))
        assert await answered(good) is None
        assert isinstance(await answered(bad), ConnectionClosingError)


async def test_the_records_to_blame_are_named() -> None:
    async with town() as place:
        await place.topic("t", cleanup_policy="compact")
        records = [Record(key=key, value=b"v", timestamp_ms=NOW_MS) for key in (b"k", None)]
        request = to_produce("t", memoryview(build_batch(records)))
        response = await answered(place.produce_handler()(context(VERSION), request))
        (result,) = response.responses[0].partition_responses
        assert result.error_code == ErrorCode.INVALID_RECORD
        assert [each.batch_index for each in result.record_errors] == [1]


async def test_a_partition_that_is_named_twice_is_appended_once() -> None:
    async with town() as place:
        partition = await place.topic("t")
        request = to_produce("t", batch())
        request.topic_data *= 2
        response = await answered(place.produce_handler()(context(VERSION), request))
        assert codes(response) == [0, ErrorCode.INVALID_REQUEST]
        assert partition.hot.next_offset == 1


async def test_a_transaction_is_refused() -> None:
    async with town() as place:
        await place.topic("t")
        request = to_produce("t", batch())
        request.transactional_id = "x"
        response = await answered(place.produce_handler()(context(VERSION), request))
        assert codes(response) == [ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]


async def test_who_waits_too_long_is_told() -> None:
    async with town() as place:
        partition = await place.topic("t")
        produce = place.produce_handler()
        running = asyncio.ensure_future(produce.run())
        partition.hot.on_advance = lambda: None  # nothing is ever committed
        waiting = produce(context(VERSION), to_produce("t", batch()))
        place.clock.advance(1001)
        response = await asyncio.wait_for(answered(waiting), 10 * TIMEOUT_SWEEP_SECONDS)
        assert codes(response) == [ErrorCode.REQUEST_TIMED_OUT]
        running.cancel()


async def test_a_full_disk_fails_who_waits() -> None:
    async with town() as place:
        await place.topic("t")
        place.disk.room = 10
        waiting = place.produce_handler()(context(VERSION), to_produce("t", batch()))
        assert codes(await answered(waiting)) == [ErrorCode.KAFKA_STORAGE_ERROR]


async def test_a_leader_elsewhere_is_named() -> None:
    async with town() as place:
        partition = await place.topic("t")
        place.table.remove(partition.id)
        produce = place.produce_handler()
        response = await answered(produce(context(VERSION), to_produce("t", batch())))
        (result,) = response.responses[0].partition_responses
        assert result.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert result.current_leader.leader_id == place.stage.broker.id
        assert [each.node_id for each in response.node_endpoints] == [place.stage.broker.id]


async def test_who_waits_while_another_leader_is_elected_is_told_which_one() -> None:
    async with town() as place:
        partition = await place.topic("t")
        waiting = place.produce_handler()(context(VERSION), to_produce("t", batch()))
        partition.resign(NotLeaderError("another broker leads"))
        response = await answered(waiting)
        (result,) = response.responses[0].partition_responses
        assert result.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert result.current_leader.leader_id == place.stage.broker.id
        assert [each.node_id for each in response.node_endpoints] == [place.stage.broker.id]


async def test_a_partition_without_a_leader_has_no_hint() -> None:
    async with town() as place:
        partition = await place.topic("t")
        place.table.remove(partition.id)
        image, name = place.images(), TopicName("t")
        topic = image.topics[name]
        leaderless = replace(topic, partitions=(replace(topic.partitions[0], leader=None),))
        broken: Any = replace(image, topics=MappingProxyType({name: leaderless}))
        produce = place.produce_handler()
        produce._leaders._images = lambda: broken
        response = await answered(produce(context(VERSION), to_produce("t", batch())))
        assert response.responses[0].partition_responses[0].current_leader is None
        assert response.node_endpoints == []
        assert NodeId(1) in image.brokers


async def test_internal_topics_are_not_written_by_clients() -> None:
    async with town() as place:
        await place.topic("__consumer_offsets", cleanup_policy="compact")
        request = to_produce("__consumer_offsets", batch())
        response = await answered(place.produce_handler()(context(VERSION), request))
        assert codes(response) == [ErrorCode.INVALID_TOPIC_EXCEPTION]


FULL = DiskRoom(high=-2, high_step=1, critical=-1, critical_step=1, reserve=0)
SHORT = DiskRoom(high=-1, high_step=1, critical=1 << 30, critical_step=1, reserve=0)


@pytest.mark.parametrize("policy", ["delete", "compact"])
async def test_a_crowded_disk_refuses_before_anything_is_appended(policy: str) -> None:
    async with town() as place:
        partition = await place.topic("t", cleanup_policy=policy)
        place.gate.adjust(Pressure(level=DiskLevel.REFUSE), FULL)
        held = place.produce_handler()(context(VERSION), to_produce("t", batch()))
        assert isinstance(held, HeldBack)
        response = await answered(held.result)
        assert codes(response) == [ErrorCode.KAFKA_STORAGE_ERROR]
        (result,) = response.responses[0].partition_responses
        assert "log.local.disk.critical" in result.error_message
        assert held.seconds == REFUSED_SECONDS
        assert response.throttle_time_ms == 1000 * REFUSED_SECONDS
        assert partition.hot.next_offset == 0
        assert partition.hot.failure is None


async def test_what_was_refused_is_taken_in_its_order_once_there_is_room() -> None:
    async with town() as place:
        await place.topic("t")
        produce = place.produce_handler()
        place.gate.adjust(Pressure(level=DiskLevel.REFUSE), FULL)
        first = batch(2, producer=Producer(producer_id=7, epoch=0, base_sequence=0))
        second = batch(1, producer=Producer(producer_id=7, epoch=0, base_sequence=2))
        for each in (first, second):
            held = produce(context(VERSION), to_produce("t", each))
            assert isinstance(held, HeldBack)
        place.gate.adjust(Pressure(), SHORT)
        for each, base in ((first, 0), (second, 2)):
            response = await answered(produce(context(VERSION), to_produce("t", each)))
            assert (codes(response), bases(response)) == ([0], [base])


async def test_a_slowed_producer_is_answered_and_told_to_wait() -> None:
    async with town() as place:
        await place.topic("t")
        place.gate.adjust(Pressure(level=DiskLevel.RELEASE, is_short=True, rate=1000.0), SHORT)
        made = batch()
        held = place.produce_handler()(context(VERSION), to_produce("t", made))
        assert isinstance(held, HeldBack)
        assert held.seconds == pytest.approx(len(made) / 1000)
        response = await answered(held.result)
        assert codes(response) == [0]
        assert response.throttle_time_ms == len(made)


async def test_without_acks_a_crowded_disk_closes_and_a_short_one_holds_back() -> None:
    async with town() as place:
        await place.topic("t")
        produce = place.produce_handler()
        place.gate.adjust(Pressure(level=DiskLevel.RELEASE, is_short=True, rate=1000.0), SHORT)
        held = produce(context(VERSION), to_produce("t", batch(), acks=0))
        assert isinstance(held, HeldBack)
        assert held.result is None
        place.gate.adjust(Pressure(level=DiskLevel.REFUSE), FULL)
        with pytest.raises(ConnectionClosingError):
            produce(context(VERSION), to_produce("t", batch(), acks=0))


async def test_consumers_are_never_held_back() -> None:
    async with town() as place:
        await place.topic("t")
        await answered(place.produce_handler()(context(VERSION), to_produce("t", batch())))
        place.gate.adjust(Pressure(level=DiskLevel.REFUSE), FULL)
        response = await answered(place.fetch_handler()(context(12), to_fetch("t")))
        assert response.throttle_time_ms == 0
        assert response.responses[0].partitions[0].records
