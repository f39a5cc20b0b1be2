"""A client on a raw socket: sends any bytes, and knows enough Kafka to see that all is well."""

import itertools
import socket
import struct
from typing import Any, Self

from everlog.records.builder import Record, build_batch
from service.protocol.codec import decode_response, encode_request
from service.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from service.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from service.protocol.schema import Request

TIMEOUT_SECONDS = 20.0
PRODUCE_VERSION = 9
FETCH_VERSION = 12
NOW_MS = 1_795_000_000_000
"""A time for records of topics that take any."""

_numbers = itertools.count(1)


class ClosedByBrokerError(Exception):
    """The broker has ended the connection."""


class Wire:
    """One connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are; a connection that the broker has ended takes none."""
        try:
            self._socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise ClosedByBrokerError from error

    def send_frame(self, frame: bytes) -> None:
        self.send(struct.pack(">i", len(frame)) + frame)

    def receive_frame(self) -> bytes:
        """Return the next response without its size.

        Raises:
            ClosedByBrokerError: There is none.
        """
        (size,) = struct.unpack(">i", self._receive(4))
        return self._receive(size)

    def ask(self, request: Request, version: int) -> Any:
        """Send a request and return its response."""
        self.send(encoded(request, version))
        _, response = decode_response(self.receive_frame(), request.API_KEY, version)
        return response

    def is_closed(self) -> bool:
        """Wait for the broker to end the connection; False if it answers instead."""
        try:
            self.receive_frame()
        except ClosedByBrokerError:
            return True
        return False

    def settle(self, timeout: float) -> bytes | None:
        """Return a response if one comes in time; None when the connection ends or stays silent."""
        self._socket.settimeout(timeout)
        try:
            return self.receive_frame()
        except (ClosedByBrokerError, TimeoutError):
            return None
        finally:
            self._socket.settimeout(TIMEOUT_SECONDS)

    def _receive(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            try:
                piece = self._socket.recv(size - len(out))
            except ConnectionResetError as error:
                raise ClosedByBrokerError from error
            if not piece:
                raise ClosedByBrokerError
            out += piece
        return out

    # ---- what well-behaved clients do

    def create_topic(self, *, partitions: int = 1, **settings: str) -> str:
        """Create a topic of a name of its own; settings have underscores for dots."""
        name = f"bad-input-{next(_numbers)}"
        response = self.ask(
            CreateTopicsRequest(
                topics=[
                    CreatableTopic(
                        name=name,
                        num_partitions=partitions,
                        replication_factor=1,
                        configs=[
                            CreatableTopicConfig(name=key.replace("_", "."), value=value)
                            for key, value in settings.items()
                        ],
                    )
                ],
                timeout_ms=10_000,
            ),
            5,
        )
        assert response.topics[0].error_code == 0, response
        return name

    def produce(
        self, topic: str, records: bytes | None, *, version: int = PRODUCE_VERSION, acks: int = -1
    ) -> Any:
        """Send one batch; return the result of its partition."""
        response = self.ask(produce_request(topic, records, acks=acks), version)
        return response.responses[0].partition_responses[0]

    def fetch(self, topic: str, offset: int = 0, **fields: Any) -> Any:
        """Read what there is; return the result of the partition."""
        response = self.ask(fetch_request(topic, offset, **fields), FETCH_VERSION)
        assert response.error_code == 0
        return response.responses[0].partitions[0]

    def offset_at(self, topic: str, timestamp: int) -> Any:
        """Return the result of a lookup by time, or of -1 for the end and -2 for the start."""
        wanted = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
        request = ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[wanted])]
        )
        return self.ask(request, 5).topics[0].partitions[0]

    def end_of(self, topic: str) -> int:
        found = self.offset_at(topic, -1)
        assert found.error_code == 0
        return int(found.offset)


def encoded(request: Request, version: int, *, correlation_id: int = 7) -> bytes:
    """Return a whole request, its size included."""
    buffers = encode_request(request, request.API_KEY, version, correlation_id, "bad-input")
    return b"".join(map(bytes, buffers))


def frame_of(request: Request, version: int) -> bytearray:
    """Return a request without its size, to be broken."""
    return bytearray(encoded(request, version)[4:])


def a_batch(count: int = 1, *, timestamp_ms: int | None = None, **options: Any) -> bytearray:
    """Return a good batch."""
    stamp = NOW_MS if timestamp_ms is None else timestamp_ms
    records = [
        Record(key=b"k%d" % number, value=b"v" * 20, timestamp_ms=stamp + number)
        for number in range(count)
    ]
    return build_batch(records, **options)


def produce_request(topic: str, records: bytes | None, *, acks: int = -1) -> ProduceRequest:
    data = PartitionProduceData(index=0, records=records)
    return ProduceRequest(
        acks=acks,
        timeout_ms=10_000,
        topic_data=[TopicProduceData(name=topic, partition_data=[data])],
    )


def fetch_request(topic: str, offset: int = 0, **fields: Any) -> FetchRequest:
    partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    for name in ("partition", "partition_max_bytes", "current_leader_epoch", "last_fetched_epoch"):
        if name in fields:
            setattr(partition, name, fields.pop(name))
    fields = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, **fields}
    return FetchRequest(topics=[FetchTopic(topic=topic, partitions=[partition])], **fields)


def serves_others(address: tuple[str, int], topic: str) -> None:
    """Write and read over a connection of its own."""
    with Wire(address) as other:
        written = other.produce(topic, a_batch())
        assert written.error_code == 0
        read = other.fetch(topic, written.base_offset)
        assert read.error_code == 0
        assert len(read.records) > 0
