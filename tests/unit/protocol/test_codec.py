import pytest

from service.protocol.api import SUPPORTED, VERSIONS, ApiKey
from service.protocol.codec import decode_request, decode_response, encode_request, encode_response
from service.protocol.error_codes import ErrorCode
from service.protocol.errors import EncodeError, ProtocolError
from service.protocol.headers import decode_request_header
from service.protocol.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)
from service.protocol.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from service.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from service.protocol.primitives import Buffer
from service.protocol.registry import message_classes
from tests.unit.protocol.strategies import versions_of


def body_of(buffers: list[Buffer]) -> bytearray:
    """Join the buffers of a frame, check its size, and take that off."""
    frame = bytearray(b"".join(buffers))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    return frame[4:]


def produce(records: Buffer) -> ProduceRequest:
    partition = PartitionProduceData(index=3, records=records)
    return ProduceRequest(
        acks=-1, topic_data=[TopicProduceData(name="t", partition_data=[partition])]
    )


@pytest.mark.parametrize("key", VERSIONS, ids=lambda key: key.name)
def test_every_message_travels_in_a_frame(key: ApiKey) -> None:
    request, response = message_classes(key)
    for version in versions_of(request):
        frame = body_of(encode_request(request(), key, version, 7, "me"))
        header = decode_request_header(frame)
        assert header[:4] == (key, version, 7, "me")
        assert decode_request(header, frame) == request()

        frame = body_of(encode_response(response(), key, version, 8))
        assert decode_response(frame, key, version) == (8, response())


def test_a_response_has_its_golden_bytes() -> None:
    response = HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)
    plain = b"".join(encode_response(response, ApiKey.HEARTBEAT, 3, 42))
    assert plain == bytes.fromhex("0000000a 0000002a 00000000 001b")
    flexible = b"".join(encode_response(response, ApiKey.HEARTBEAT, 4, 42))
    assert flexible == bytes.fromhex("0000000c 0000002a 00 00000000 001b 00")


def test_a_request_has_its_golden_bytes() -> None:
    request = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    frame = b"".join(encode_request(request, ApiKey.HEARTBEAT, 4, 42, "me"))
    assert frame == bytes.fromhex(
        "00000017 000c 0004 0000002a 0002 6d65 00 02 67 00000001 02 6d 00 00"
    )


@pytest.mark.rule("BP-D3")
def test_produced_records_are_a_writable_slice_of_the_frame() -> None:
    frame = body_of(encode_request(produce(b"batch"), ApiKey.PRODUCE, 9, 1, None))
    request = decode_request(decode_request_header(frame), memoryview(frame))
    assert isinstance(request, ProduceRequest)
    records = request.topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    records[0:1] = b"B"
    assert bytes(frame).count(b"Batch") == 1


@pytest.mark.rule("BP-D3")
def test_fetched_records_leave_as_the_buffers_they_came_in() -> None:
    slices: list[Buffer] = [memoryview(b"first "), b"second"]
    partition = PartitionData(partition_index=1, records=slices)
    response = FetchResponse(
        responses=[FetchableTopicResponse(topic="t", partitions=[partition, partition])]
    )
    buffers = encode_response(response, ApiKey.FETCH, 12, 1)
    assert [any(buffer is part for part in slices) for buffer in buffers] == [
        False, True, True, False, True, True, False,
    ]  # fmt: skip
    _, read = decode_response(body_of(buffers), ApiKey.FETCH, 12)
    assert isinstance(read, FetchResponse)
    assert [part.records for part in read.responses[0].partitions] == [b"first second"] * 2


@pytest.mark.rule("REL-5.9")
@pytest.mark.parametrize("version", [5, 32767])
def test_an_unknown_version_of_api_versions_is_answered_in_version_zero(version: int) -> None:
    request = bytes.fromhex("0012") + version.to_bytes(2, "big") + bytes.fromhex("0000002a ffff 00")
    header = decode_request_header(request + b"what the future sends")
    assert decode_request(header, request) == ApiVersionsRequest()

    own = SUPPORTED[ApiKey.API_VERSIONS]
    response = ApiVersionsResponse(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[
            ApiVersion(api_key=ApiKey.API_VERSIONS, min_version=own.first, max_version=own.last)
        ],
    )
    frame = b"".join(encode_response(response, ApiKey.API_VERSIONS, version, 42))
    assert frame == bytes.fromhex("00000010 0000002a 0023 00000001 0012 0000 0004")


def test_what_a_version_cannot_carry_is_not_written() -> None:
    with pytest.raises(EncodeError):
        encode_response(HeartbeatResponse(error_code=40_000), ApiKey.HEARTBEAT, 4, 1)


def test_a_version_that_does_not_exist_is_not_written() -> None:
    with pytest.raises(ProtocolError):
        encode_request(HeartbeatRequest(), ApiKey.HEARTBEAT, 5, 1, None)
    with pytest.raises(ProtocolError):
        encode_response(HeartbeatResponse(), ApiKey.HEARTBEAT, 5, 1)


@pytest.mark.rule("REL-5.16")
def test_a_response_of_more_elements_than_its_reader_allows_is_refused() -> None:
    keys = [ApiVersion(api_key=number) for number in range(3)]
    frame = body_of(encode_response(ApiVersionsResponse(api_keys=keys), ApiKey.API_VERSIONS, 3, 1))
    assert decode_response(frame, ApiKey.API_VERSIONS, 3, elements_max=3)[0] == 1
    with pytest.raises(ProtocolError):
        decode_response(frame, ApiKey.API_VERSIONS, 3, elements_max=2)


def test_a_response_that_ends_early_is_refused() -> None:
    frame = body_of(encode_response(HeartbeatResponse(), ApiKey.HEARTBEAT, 4, 1))
    for size in range(len(frame)):
        with pytest.raises(ProtocolError):
            decode_response(frame[:size], ApiKey.HEARTBEAT, 4)
