"""Reads of what is not there, and of too much: rows 42, 43, 45-48 of the catalogue."""

from typing import Any

import pytest

from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from service.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.integration.bad_input.broker_process import BrokerProcess
from tests.integration.bad_input.wire import FETCH_VERSION, Wire, a_batch, encoded, fetch_request

OFFSET_OUT_OF_RANGE = 1
UNKNOWN_TOPIC_OR_PARTITION = 3
SESSION_ID_NOT_FOUND = 70
INVALID_SESSION_EPOCH = 71
FENCED_LEADER_EPOCH = 74
UNKNOWN_LEADER_EPOCH = 75
UNKNOWN_TOPIC_ID = 100
INCONSISTENT_TOPIC_ID = 103
SESSION_TOPIC_ID_ERROR = 106


def rule(row: int) -> pytest.MarkDecorator:
    return pytest.mark.rule(f"REL-5.{row}")


@rule(42)
@pytest.mark.parametrize("offset", [-1, -(2**63), 4, 2**63 - 1], ids=lambda o: f"42-offset{o}")
def test_an_offset_outside_of_the_log_is_refused(wire: Wire, topic: str, offset: int) -> None:
    wire.produce(topic, a_batch(3))
    assert wire.fetch(topic, offset).error_code == OFFSET_OUT_OF_RANGE


@rule(42)
def test_exactly_the_log_end_waits(broker: BrokerProcess, wire: Wire, topic: str) -> None:
    wire.produce(topic, a_batch(3))
    request = fetch_request(topic, 3, max_wait_ms=10_000, min_bytes=1)
    with Wire(broker.address) as reader:
        reader.send(encoded(request, FETCH_VERSION))
        assert reader.settle(0.3) is None
        wire.produce(topic, a_batch())
        assert reader.receive_frame()


LIMITS: list[dict[str, int]] = [
    {"max_bytes": 0},
    {"max_bytes": -1},
    {"max_bytes": 2**31 - 1, "partition_max_bytes": 2**31 - 1},
    {"partition_max_bytes": 0},
    {"partition_max_bytes": -(2**31)},
    {"min_bytes": 2**31 - 1, "max_wait_ms": 50},
    {"min_bytes": -(2**31), "max_wait_ms": 2**31 - 1},
    {"min_bytes": 1, "max_wait_ms": 2**31 - 1},
    {"min_bytes": 1, "max_wait_ms": -(2**31)},
    {"isolation_level": 77},
]


@rule(43)
@pytest.mark.parametrize("limits", LIMITS, ids=lambda each: f"43-{each}")
def test_odd_limits_are_clamped_and_the_first_batch_comes(
    wire: Wire, topic: str, limits: dict[str, int]
) -> None:
    wire.produce(topic, a_batch(30))
    found = wire.fetch(topic, 0, **limits)
    assert found.error_code == 0
    assert len(found.records) > 0


def session_request(topic: str, session_id: int, epoch: int, **fields: Any) -> FetchRequest:
    return fetch_request(topic, session_id=session_id, session_epoch=epoch, **fields)


def started(wire: Wire, topic: str) -> int:
    response = wire.ask(session_request(topic, 0, 0), FETCH_VERSION)
    assert response.error_code == 0
    assert response.session_id > 0
    return int(response.session_id)


@rule(45)
def test_a_session_answers_only_what_is_new(wire: Wire, topic: str) -> None:
    session_id = started(wire, topic)
    nothing = FetchRequest(session_id=session_id, session_epoch=1, max_bytes=1 << 20)
    assert wire.ask(nothing, FETCH_VERSION).responses == []
    wire.produce(topic, a_batch(2))
    nothing.session_epoch = 2
    response = wire.ask(nothing, FETCH_VERSION)
    assert response.session_id == session_id
    assert response.responses[0].partitions[0].high_watermark == 2
    moved = session_request(topic, session_id, 3)
    moved.topics[0].partitions[0].fetch_offset = 2
    assert wire.ask(moved, FETCH_VERSION).responses == []
    forget = FetchRequest(
        session_id=session_id,
        session_epoch=4,
        forgotten_topics_data=[ForgottenTopic(topic=topic, partitions=[0])],
    )
    assert wire.ask(forget, FETCH_VERSION).session_id == 0
    gone = wire.ask(FetchRequest(session_id=session_id, session_epoch=5), FETCH_VERSION)
    assert gone.error_code == SESSION_ID_NOT_FOUND


@rule(45)
def test_an_unknown_session_is_refused(wire: Wire, topic: str) -> None:
    for session_id in (0, 1, -1, 2**31 - 1):
        response = wire.ask(session_request(topic, session_id, 7), FETCH_VERSION)
        assert (response.error_code, response.responses) == (SESSION_ID_NOT_FOUND, [])


@rule(45)
@pytest.mark.parametrize("epoch", [2, -2, 2**31 - 1], ids=lambda epoch: f"45-epoch{epoch}")
def test_a_wrong_epoch_of_a_session_is_refused(wire: Wire, topic: str, epoch: int) -> None:
    session_id = started(wire, topic)
    response = wire.ask(session_request(topic, session_id, epoch), FETCH_VERSION)
    assert response.error_code == INVALID_SESSION_EPOCH
    assert wire.ask(session_request(topic, session_id, 1), FETCH_VERSION).error_code == 0


@rule(45)
def test_a_session_stays_with_names_or_with_ids(wire: Wire, topic: str) -> None:
    session_id = started(wire, topic)
    by_id = FetchRequest(session_id=session_id, session_epoch=1)
    assert wire.ask(by_id, 13).error_code == SESSION_TOPIC_ID_ERROR


@rule(45)
def test_a_session_that_is_closed_is_unknown(wire: Wire, topic: str) -> None:
    session_id = started(wire, topic)
    response = wire.ask(session_request(topic, session_id, -1), FETCH_VERSION)
    assert (response.session_id, len(response.responses)) == (0, 1)
    response = wire.ask(session_request(topic, session_id, 1), FETCH_VERSION)
    assert response.error_code == SESSION_ID_NOT_FOUND


@rule(45)
def test_a_session_does_not_grow_without_end(broker: BrokerProcess, wire: Wire, topic: str) -> None:
    session_id = started(wire, topic)
    before = broker.rss_bytes()
    epoch = 1
    while True:
        first = epoch * 4000
        partitions = [FetchPartition(partition=first + number) for number in range(4000)]
        request = FetchRequest(
            session_id=session_id,
            session_epoch=epoch,
            topics=[FetchTopic(topic=topic, partitions=partitions)],
        )
        response = wire.ask(request, FETCH_VERSION)
        if response.error_code:
            break
        epoch += 1
        assert epoch < 20
    assert response.error_code == SESSION_ID_NOT_FOUND
    assert broker.rss_bytes() - before < 64 * 1024 * 1024


@rule(45)
def test_a_request_with_too_many_partitions_gets_no_session(wire: Wire, topic: str) -> None:
    partitions = [FetchPartition(partition=number) for number in range(20_000)]
    request = FetchRequest(session_epoch=0, topics=[FetchTopic(topic=topic, partitions=partitions)])
    response = wire.ask(request, FETCH_VERSION)
    assert response.session_id == 0
    assert len(response.responses[0].partitions) == 20_000


@rule(46)
def test_leader_epochs_are_compared(wire: Wire, topic: str) -> None:
    wire.produce(topic, a_batch())
    epoch = int(wire.offset_at(topic, -1).leader_epoch)
    assert wire.fetch(topic, current_leader_epoch=epoch).error_code == 0
    assert wire.fetch(topic, current_leader_epoch=epoch + 1).error_code == UNKNOWN_LEADER_EPOCH
    if epoch > 0:
        fenced = wire.fetch(topic, current_leader_epoch=epoch - 1)
        assert fenced.error_code == FENCED_LEADER_EPOCH
        assert fenced.current_leader.leader_epoch == epoch
    asked = OffsetForLeaderPartition(
        partition=0, current_leader_epoch=epoch + 1, leader_epoch=epoch
    )
    request = OffsetForLeaderEpochRequest(
        replica_id=-1, topics=[OffsetForLeaderTopic(topic=topic, partitions=[asked])]
    )
    assert wire.ask(request, 4).topics[0].partitions[0].error_code == UNKNOWN_LEADER_EPOCH


@rule(46)
def test_a_reader_from_another_history_is_told_where_they_part(wire: Wire, topic: str) -> None:
    wire.produce(topic, a_batch(3))
    epoch = int(wire.offset_at(topic, -1).leader_epoch)
    same = wire.fetch(topic, 3, last_fetched_epoch=epoch)
    assert (same.error_code, same.diverging_epoch) == (0, None)
    newer = wire.fetch(topic, 3, last_fetched_epoch=epoch + 5)
    assert newer.error_code == OFFSET_OUT_OF_RANGE


@rule(47)
def test_unknown_topic_ids_are_refused(wire: Wire) -> None:
    stranger = b"\x07" * 16
    wanted = FetchTopic(topic_id=stranger, partitions=[FetchPartition(partition=0)])
    response = wire.ask(FetchRequest(topics=[wanted], session_epoch=-1), 13)
    assert response.responses[0].partitions[0].error_code == UNKNOWN_TOPIC_ID
    data = [PartitionProduceData(index=0, records=a_batch())]
    request = ProduceRequest(
        acks=-1,
        timeout_ms=1000,
        topic_data=[TopicProduceData(topic_id=stranger, partition_data=data)],
    )
    result = wire.ask(request, 13).responses[0].partition_responses[0]
    assert result.error_code == UNKNOWN_TOPIC_ID
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=stranger)])
    assert wire.ask(asked, 12).topics[0].error_code == UNKNOWN_TOPIC_ID


@rule(47)
def test_a_name_with_the_id_of_another_topic_is_refused(wire: Wire, topic: str) -> None:
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=topic, topic_id=b"\x07" * 16)])
    assert wire.ask(asked, 12).topics[0].error_code == INCONSISTENT_TOPIC_ID


@rule(48)
@pytest.mark.parametrize("index", [-1, 1, 2**31 - 1, -(2**31)], ids=lambda index: f"48-{index}")
def test_partitions_that_do_not_exist_are_refused(wire: Wire, topic: str, index: int) -> None:
    assert wire.fetch(topic, partition=index).error_code == UNKNOWN_TOPIC_OR_PARTITION
    data = [PartitionProduceData(index=index, records=a_batch())]
    request = ProduceRequest(
        acks=-1, timeout_ms=1000, topic_data=[TopicProduceData(name=topic, partition_data=data)]
    )
    result = wire.ask(request, 9).responses[0].partition_responses[0]
    assert result.error_code == UNKNOWN_TOPIC_OR_PARTITION
