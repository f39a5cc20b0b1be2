from typing import Any

import pytest

from service.protocol.errors import EncodeError
from service.protocol.messages.create_topics import CreateTopicsRequest
from service.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
)
from service.protocol.messages.fetch import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    ForgottenTopic,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    ReplicaState,
)
from service.protocol.messages.find_coordinator import FindCoordinatorRequest
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from service.protocol.schema import Message, reader, writer
from tests.unit.protocol.strategies import encoded


def produce(records: Any) -> ProduceRequest:
    partition = PartitionProduceData(index=1, records=records)
    return ProduceRequest(topic_data=[TopicProduceData(name="t", partition_data=[partition])])


def fetched(partition: PartitionData) -> FetchResponse:
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[partition])])


@pytest.mark.parametrize("version", [8, 9])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_records_are_passed_by_reference(kind: Any, version: int) -> None:
    records = kind(b"batch")
    head = bytearray(b"head")
    buffers = writer(ProduceRequest, version)(produce(records), head)
    assert buffers[0] is head
    assert buffers[1] is records


@pytest.mark.parametrize("version", [8, 9])
def test_several_buffers_of_records_follow_each_other_uncopied(version: int) -> None:
    parts = [b"one", memoryview(b"two"), bytearray(b"three")]
    for given in (parts, tuple(parts)):
        buffers = writer(ProduceRequest, version)(produce(given), bytearray())
        assert all(ours is theirs for ours, theirs in zip(buffers[1:4], parts, strict=True))
        read, _ = reader(ProduceRequest, version)(b"".join(buffers), 0)
        assert read.topic_data[0].partition_data[0].records == b"onetwothree"


@pytest.mark.parametrize("version", [8, 9])
@pytest.mark.parametrize("nothing", [b"", [], [b"", b""]], ids=repr)
def test_empty_records_are_no_buffer(nothing: Any, version: int) -> None:
    buffers = writer(ProduceRequest, version)(produce(nothing), bytearray())
    assert len(buffers) == 1
    read, _ = reader(ProduceRequest, version)(buffers[0], 0)
    assert read.topic_data[0].partition_data[0].records == b""


@pytest.mark.parametrize("version", [8, 9])
def test_null_records_stay_null(version: int) -> None:
    read, _ = reader(ProduceRequest, version)(encoded(produce(None), version), 0)
    assert read.topic_data[0].partition_data[0].records is None


def test_tags_of_default_values_are_one_zero_byte() -> None:
    plain = encoded(fetched(PartitionData()), 12)
    tagged = encoded(fetched(PartitionData(current_leader=LeaderIdAndEpoch(leader_id=5))), 12)
    assert len(tagged) - len(plain) == len("010900000005ffffffff00") // 2
    assert bytes.fromhex("01 01 09 00000005 ffffffff 00") in tagged


def test_tags_are_written_in_ascending_order() -> None:
    partition = PartitionData(
        current_leader=LeaderIdAndEpoch(leader_id=2), diverging_epoch=EpochEndOffset(epoch=1)
    )
    frame = encoded(fetched(partition), 12)
    first = bytes.fromhex("02 00 0d 00000001 ffffffffffffffff 00")
    assert first + bytes.fromhex("01 09 00000002 ffffffff 00") in frame


def test_a_tag_longer_than_one_varint_byte_is_written() -> None:
    response = FetchResponse(node_endpoints=[NodeEndpoint(host="h" * 300)])
    assert reader(FetchResponse, 16)(encoded(response, 16), 0)[0] == response


@pytest.mark.parametrize(("cursor", "text"), [(None, "ff"), (Cursor(topic_name="t"), "01")])
def test_a_nullable_struct_has_a_byte_before_it(cursor: Cursor | None, text: str) -> None:
    request = DescribeTopicPartitionsRequest(cursor=cursor)
    frame = encoded(request, 0)
    assert frame[5:6].hex() == text
    assert reader(DescribeTopicPartitionsRequest, 0)(frame, 0) == (request, len(frame))


@pytest.mark.parametrize("count", [126, 127, 128, 16_382, 16_383, 16_384])
@pytest.mark.parametrize("version", [3, 4])
def test_lengths_of_any_number_of_bytes_are_written(count: int, version: int) -> None:
    keys = ["k"] * count
    request = (
        FindCoordinatorRequest(coordinator_keys=keys)
        if version == 4
        else FindCoordinatorRequest(key="k" * count)
    )
    frame = encoded(request, version)
    assert reader(FindCoordinatorRequest, version)(frame, 0) == (request, len(frame))


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        (FindCoordinatorRequest(key_type=1), 0),
        (FindCoordinatorRequest(coordinator_keys=["a"]), 3),
        (MetadataRequest(allow_auto_topic_creation=False), 3),
        (FetchRequest(forgotten_topics_data=[ForgottenTopic(topic="t")]), 6),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else str(value),
)
def test_a_request_is_not_written_in_a_version_that_would_change_its_meaning(
    request_: Message, version: int
) -> None:
    with pytest.raises(EncodeError, match="cannot carry"):
        encoded(request_, version)
    assert encoded(request_, version + 1)


def test_other_fields_that_a_version_lacks_are_left_out() -> None:
    state = ReplicaState(replica_id=4, replica_epoch=9)
    assert encoded(FetchRequest(replica_state=state), 14) == encoded(FetchRequest(), 14)
    assert encoded(FetchRequest(replica_state=state), 15) != encoded(FetchRequest(), 15)


@pytest.mark.parametrize(
    ("value", "version"),
    [
        (MetadataRequest(topics=None), 0),
        (MetadataRequest(topics=[MetadataRequestTopic(name=None)]), 9),
        (MetadataRequest(topics=[MetadataRequestTopic(name="x" * 40_000)]), 8),
        (CreateTopicsRequest(timeout_ms=2**31), 7),
        (MetadataRequest(topics=[MetadataRequestTopic(name="\ud800")]), 9),
    ],
    ids=["null array", "null text", "text too long", "number too large", "no UTF-8"],
)
def test_values_that_do_not_fit_are_refused(value: Message, version: int) -> None:
    with pytest.raises(EncodeError):
        encoded(value, version)
