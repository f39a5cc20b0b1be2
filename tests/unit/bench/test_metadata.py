"""The one question on the wire, against an independent codec."""

import io
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kio.schema.errors import ErrorCode
from kio.schema.metadata.v1.request import MetadataRequest
from kio.schema.metadata.v1.response import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from kio.schema.request_header.v1.header import RequestHeader
from kio.schema.types import BrokerId, TopicName
from kio.serial import entity_reader, entity_writer
from kio.static.primitive import i32

from bench.errors import BenchError
from bench.metadata import Metadata, decode_response, encode_request, wait_until
from everlog.testing.ports import free_port


def partition(index: int, leader: int, error: ErrorCode = ErrorCode.none) -> object:
    return MetadataResponsePartition(
        error_code=error,
        partition_index=i32(index),
        leader_id=BrokerId(leader),
        replica_nodes=(BrokerId(1), BrokerId(2)),
        isr_nodes=(BrokerId(1),),
    )


def topic(name: str, *partitions: object) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        error_code=ErrorCode.none,
        name=TopicName(name),
        is_internal=False,
        partitions=partitions,  # type: ignore[arg-type]
    )


def body(*topics: MetadataResponseTopic, rack: str | None = None) -> bytes:
    brokers = tuple(
        MetadataResponseBroker(node_id=BrokerId(n), host="127.0.0.1", port=i32(9092), rack=rack)
        for n in (1, 2)
    )
    response = MetadataResponse(brokers=brokers, controller_id=BrokerId(1), topics=topics)
    written = io.BytesIO()
    entity_writer(MetadataResponse)(written, response)
    return struct.pack(">i", 0) + written.getvalue()


@pytest.mark.parametrize("topics", [None, [], ["a", "ü"]])
def test_a_request_is_what_the_protocol_says(topics: list[str] | None) -> None:
    frame = encode_request(topics)
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    header, header_bytes = entity_reader(RequestHeader)(frame, 4)
    request, request_bytes = entity_reader(MetadataRequest)(frame, 4 + header_bytes)
    assert 4 + header_bytes + request_bytes == len(frame)
    assert (header.request_api_key, header.request_api_version) == (3, 1)
    names = None if request.topics is None else [asked.name for asked in request.topics]
    assert names == topics


@pytest.mark.parametrize("rack", [None, "a"])
def test_an_answer_counts_brokers_and_led_partitions(rack: str | None) -> None:
    led, leaderless = partition(0, 1), partition(1, -1)
    failing = partition(2, 1, ErrorCode.leader_not_available)
    answer = body(topic("t", led, leaderless, failing), topic("none"), rack=rack)
    assert decode_response(answer) == Metadata(2, {"t": 1, "none": 0})


def test_an_answer_of_many_partitions_is_read_to_its_end() -> None:
    answer = body(topic("many", *(partition(index, 1) for index in range(1000))), topic("last"))
    assert decode_response(answer).led == {"many": 1000, "last": 0}


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """Give the port of a server that gives these answers, one a request, and then hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        link, _ = listener.accept()
        with link:
            for answer in answers:
                link.recv(4096)
                link.sendall(struct.pack(">i", len(answer)) + answer)

    server = threading.Thread(target=serve)
    server.start()
    with listener:
        yield listener.getsockname()[1]
        server.join()


def never_ends() -> None: ...


def test_it_asks_until_an_answer_is_good_enough() -> None:
    answers = [
        body(topic("t")),
        body(topic("t", partition(0, -1))),
        body(topic("t", partition(0, 1))),
    ]
    seen: list[Metadata] = []

    def holds(metadata: Metadata) -> bool:
        seen.append(metadata)
        return metadata.led == {"t": 1}

    with answering(*answers) as port:
        wait_until(port, holds, topics=None, limit_s=60, check_alive=never_ends)
    assert [metadata.led for metadata in seen] == [{"t": 0}, {"t": 0}, {"t": 1}]


def test_no_good_answer_in_time_is_an_error() -> None:
    with pytest.raises(BenchError, match="no satisfying metadata"):
        wait_until(free_port(), lambda _: True, topics=None, limit_s=0.05, check_alive=never_ends)


def test_a_server_that_has_ended_is_not_waited_for() -> None:
    def has_ended() -> None:
        raise BenchError("it ended")

    with pytest.raises(BenchError, match="it ended"):
        wait_until(free_port(), lambda _: True, topics=None, limit_s=3600, check_alive=has_ended)
