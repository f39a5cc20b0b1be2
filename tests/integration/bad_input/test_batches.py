"""Batches that no log may take as they are: rows 18-25, 28, 31-34 and 40 of the catalogue."""

import struct
import time

import pytest

from everlog.records.batch import HEADER_BYTES, batch_crc
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.compression import Codec
from service.protocol.messages.init_producer_id import InitProducerIdRequest
from tests.integration.bad_input.wire import (
    FETCH_VERSION,
    NOW_MS,
    ClosedByBrokerError,
    Wire,
    a_batch,
    encoded,
    fetch_request,
    produce_request,
)

CORRUPT_MESSAGE = 2
MESSAGE_TOO_LARGE = 10
RECORD_LIST_TOO_LARGE = 18
INVALID_REQUIRED_ACKS = 21
INVALID_TIMESTAMP = 32
UNSUPPORTED_COMPRESSION_TYPE = 76
INVALID_RECORD = 87

FIELDS = {
    "base_offset": ">q0",
    "length": ">i8",
    "magic": ">b16",
    "attributes": ">h21",
    "last_offset_delta": ">i23",
    "base_timestamp": ">q27",
    "max_timestamp": ">q35",
    "producer_id": ">q43",
    "base_sequence": ">i53",
    "record_count": ">i57",
}


def rule(row: int) -> pytest.MarkDecorator:
    return pytest.mark.rule(f"REL-5.{row}")


def broken(batch: bytearray | None = None, **values: int) -> bytearray:
    """Change fields of a good batch; the checksum is made good again."""
    batch = a_batch(2) if batch is None else batch
    for name, value in values.items():
        place = FIELDS[name]
        struct.pack_into(place[:2], batch, int(place[2:]), value)
    struct.pack_into(">I", batch, 17, batch_crc(batch, 0, len(batch)))
    return batch


def case(row: int, name: str, records: bytes | None, code: int) -> object:
    return pytest.param(records, code, id=f"{row}-{name}", marks=rule(row))


def bad_crc() -> bytearray:
    batch = a_batch()
    batch[-1] ^= 1
    return batch


REFUSED = [
    case(20, "null", None, INVALID_RECORD),
    case(20, "empty", b"", INVALID_RECORD),
    case(21, "two-batches", bytes(a_batch() + a_batch()), INVALID_RECORD),
    case(21, "magic-0", bytes(broken(magic=0)), INVALID_RECORD),
    case(21, "magic-1", bytes(broken(magic=1)), INVALID_RECORD),
    case(22, "bad-crc", bytes(bad_crc()), CORRUPT_MESSAGE),
    case(23, "length-48", bytes(broken(length=48)), CORRUPT_MESSAGE),
    case(23, "length-0", bytes(broken(length=0)), CORRUPT_MESSAGE),
    case(23, "length-negative", bytes(broken(length=-1)), CORRUPT_MESSAGE),
    case(23, "length-most", bytes(broken(length=2**31 - 1)), CORRUPT_MESSAGE),
    case(23, "longer-than-sent", bytes(a_batch()[:-1]), CORRUPT_MESSAGE),
    case(23, "header-only-cut", bytes(a_batch()[: HEADER_BYTES - 1]), CORRUPT_MESSAGE),
    case(23, "magic-3", bytes(broken(magic=3)), CORRUPT_MESSAGE),
    case(23, "magic-minus-1", bytes(broken(magic=-1)), CORRUPT_MESSAGE),
    case(23, "three-bytes", b"abc", CORRUPT_MESSAGE),
    case(24, "base-offset-5", bytes(broken(base_offset=5)), INVALID_RECORD),
    case(24, "base-offset-minus-1", bytes(broken(base_offset=-1)), INVALID_RECORD),
    case(25, "count-too-small", bytes(broken(record_count=1)), INVALID_RECORD),
    case(25, "count-negative", bytes(broken(record_count=-1)), INVALID_RECORD),
    case(25, "count-zero", bytes(broken(record_count=0, last_offset_delta=-1)), INVALID_RECORD),
    case(25, "count-most", bytes(broken(record_count=2**31 - 1)), INVALID_RECORD),
    case(28, "codec-5", bytes(broken(attributes=5)), UNSUPPORTED_COMPRESSION_TYPE),
    case(28, "codec-6", bytes(broken(attributes=6)), UNSUPPORTED_COMPRESSION_TYPE),
    case(28, "codec-7", bytes(broken(attributes=7)), UNSUPPORTED_COMPRESSION_TYPE),
    case(33, "control", bytes(broken(attributes=0x20)), INVALID_RECORD),
    case(33, "append-time", bytes(broken(attributes=0x08)), INVALID_TIMESTAMP),
    case(33, "producer-without-sequence", bytes(broken(producer_id=5)), INVALID_RECORD),
    case(34, "minus-two", bytes(broken(base_timestamp=-2, max_timestamp=-2)), INVALID_TIMESTAMP),
    case(34, "least", bytes(broken(base_timestamp=-(2**63))), INVALID_TIMESTAMP),
]


@pytest.mark.parametrize(("records", "code"), REFUSED)
def test_a_bad_batch_is_refused_and_nothing_is_appended(
    wire: Wire, topic: str, records: bytes | None, code: int
) -> None:
    refused = wire.produce(topic, records)
    assert (refused.error_code, refused.base_offset) == (code, -1)
    assert refused.error_message
    assert wire.end_of(topic) == 0
    assert wire.produce(topic, a_batch()).base_offset == 0


@rule(18)
@pytest.mark.parametrize("acks", [2, -2, 32767, -32768], ids=lambda acks: f"18-acks{acks}")
def test_odd_acks_append_nothing(wire: Wire, topic: str, acks: int) -> None:
    assert wire.produce(topic, a_batch(), acks=acks).error_code == INVALID_REQUIRED_ACKS
    assert wire.end_of(topic) == 0


@rule(19)
@pytest.mark.parametrize("checked", [False, True], ids=["19-header", "19-full"])
def test_without_answers_the_end_of_the_connection_is_the_answer(
    wire: Wire, topic: str, checked_topic: str, *, checked: bool
) -> None:
    name = checked_topic if checked else topic
    bad = bytearray(a_batch(3))
    if checked:
        bad[HEADER_BYTES] = 0x7E
        broken(bad)
    else:
        bad = bad_crc()
    # A good one gets no answer either, and leaves the connection as it is.
    wire.send(encoded(produce_request(name, a_batch(), acks=0), 9))
    assert wire.end_of(name) in (0, 1)
    wire.send(encoded(produce_request(name, bad, acks=0), 9))
    assert wire.is_closed()


@rule(19)
def test_nothing_is_answered_when_an_unknown_topic_gets_acks_0(wire: Wire) -> None:
    wire.send(encoded(produce_request("never-heard-of", a_batch(), acks=0), 9))
    assert wire.is_closed()


@rule(28)
def test_zstd_needs_version_7(wire: Wire, topic: str) -> None:
    packed = a_batch(codec=Codec.ZSTD)
    assert wire.produce(topic, packed, version=6).error_code == UNSUPPORTED_COMPRESSION_TYPE
    assert wire.produce(topic, packed, version=7).error_code == 0


@rule(31)
def test_a_batch_above_the_topics_limit_is_too_large(wire: Wire) -> None:
    topic = wire.create_topic(max_message_bytes="1000")
    assert wire.produce(topic, a_batch(100)).error_code == MESSAGE_TOO_LARGE
    assert wire.produce(topic, a_batch(5)).error_code == 0


@rule(32)
def test_a_batch_above_the_segment_size_is_too_large(wire: Wire) -> None:
    topic = wire.create_topic(segment_bytes="2000")
    assert wire.produce(topic, a_batch(100)).error_code == RECORD_LIST_TOO_LARGE
    assert wire.produce(topic, a_batch(5)).error_code == 0


@rule(34)
def test_timestamps_beyond_the_limits_are_refused(wire: Wire) -> None:
    topic = wire.create_topic(
        message_timestamp_after_max_ms="3600000", message_timestamp_before_max_ms="3600000"
    )
    now_ms = int(time.time() * 1000)
    year_9999 = 253_370_764_800_000
    for stamp in (year_9999, now_ms + 7_200_000, now_ms - 7_200_000):
        assert wire.produce(topic, a_batch(timestamp_ms=stamp)).error_code == INVALID_TIMESTAMP
    mixed = [Record(key=None, value=b"", timestamp_ms=stamp) for stamp in (now_ms, year_9999)]
    assert wire.produce(topic, build_batch(mixed)).error_code == INVALID_TIMESTAMP
    assert wire.produce(topic, a_batch(timestamp_ms=now_ms)).error_code == 0


@rule(34)
def test_a_batch_without_timestamps_is_taken(wire: Wire, topic: str) -> None:
    assert wire.produce(topic, broken(base_timestamp=-1, max_timestamp=-1)).error_code == 0


def new_producer_id(wire: Wire) -> int:
    request = InitProducerIdRequest(transactional_id=None, producer_id=-1, producer_epoch=-1)
    response = wire.ask(request, 4)
    assert response.error_code == 0
    return int(response.producer_id)


@rule(40)
def test_sequences_wrap(wire: Wire, topic: str) -> None:
    producer_id = new_producer_id(wire)
    for number, sequence in enumerate((2**31 - 2, 2**31 - 1, 0, 1)):
        who = Producer(producer_id=producer_id, epoch=0, base_sequence=sequence)
        written = wire.produce(topic, a_batch(producer=who))
        assert (written.error_code, written.base_offset) == (0, number)
    across = Producer(producer_id=producer_id + 1000, epoch=0, base_sequence=2**31 - 1)
    assert wire.produce(topic, a_batch(3, producer=across)).base_offset == 4
    after = Producer(producer_id=producer_id + 1000, epoch=0, base_sequence=2)
    assert wire.produce(topic, a_batch(producer=after)).base_offset == 7
    assert wire.produce(topic, a_batch(3, producer=across)).base_offset == 4


@rule(40)
def test_the_last_epoch_gives_way_to_a_new_id(wire: Wire, topic: str) -> None:
    first = new_producer_id(wire)
    who = Producer(producer_id=first, epoch=32767, base_sequence=0)
    assert wire.produce(topic, a_batch(producer=who)).error_code == 0
    again = InitProducerIdRequest(transactional_id=None, producer_id=first, producer_epoch=32767)
    bumped = wire.ask(again, 4)
    assert (bumped.error_code, bumped.producer_epoch) == (0, 0)
    assert bumped.producer_id != first


@rule(36)
def test_a_gap_and_an_old_epoch_are_refused(wire: Wire, topic: str) -> None:
    producer_id = new_producer_id(wire)

    def produce(epoch: int, sequence: int) -> int:
        who = Producer(producer_id=producer_id, epoch=epoch, base_sequence=sequence)
        return int(wire.produce(topic, a_batch(producer=who)).error_code)

    assert [produce(0, 0), produce(0, 2), produce(1, 0), produce(0, 1)] == [0, 45, 0, 47]


@rule(41)
def test_a_partition_that_is_named_twice_in_produce_is_appended_once(
    wire: Wire, topic: str
) -> None:
    request = produce_request(topic, a_batch())
    request.topic_data[0].partition_data *= 2
    request.topic_data *= 2
    response = wire.ask(request, 9)
    codes = [
        result.error_code for each in response.responses for result in each.partition_responses
    ]
    assert codes == [0, 42, 42, 42]
    assert wire.end_of(topic) == 1


@rule(41)
def test_a_partition_that_is_named_twice_in_fetch_is_read_once(wire: Wire, topic: str) -> None:
    wire.produce(topic, a_batch())
    request = fetch_request(topic)
    request.topics *= 2
    request.topics[0].partitions *= 2
    response = wire.ask(request, FETCH_VERSION)
    results = [result for each in response.responses for result in each.partitions]
    assert [len(result.records) > 0 for result in results] == [True]


@rule(20)
def test_versions_that_are_advertised_for_old_clients_close(wire: Wire, topic: str) -> None:
    wire.send_frame(struct.pack(">hhih", 0, 2, 1, 0) + struct.pack(">hii", -1, 1000, 0))
    assert wire.is_closed()
    with pytest.raises(ClosedByBrokerError):
        wire.end_of(topic)


@rule(34)
def test_a_far_future_timestamp_does_not_hide_other_records(wire: Wire, topic: str) -> None:
    wire.produce(topic, a_batch(timestamp_ms=2**62))
    wire.produce(topic, a_batch(timestamp_ms=NOW_MS))
    assert wire.offset_at(topic, NOW_MS).error_code == 0
    assert len(wire.fetch(topic, 1).records) > 0
