"""The headers of stored record batches, which clients do not show.

A client that finds a version range wanting falls back in silence, to no compression for one, and
what it reads back is still the same.
"""

import socket
import struct
from typing import NamedTuple

from tests.conformance.records import PARTITIONS

_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

_FETCH, _VERSION = 1, 4
_BYTES_MAX = 1 << 20
# A server may answer with nothing when it is not given the time to read.
_WAIT_MS_MAX = 10_000
# Base offset, length, leader epoch, magic, CRC, attributes; the producer id is further on.
_BATCH = struct.Struct(">qiibIh")
_BATCH_LENGTH_FROM = 12
_PRODUCER_ID_AT = 43


class BatchHeader(NamedTuple):
    """How a batch is stored, and by whom it was written; -1 is no idempotent producer."""

    codec: str
    producer_id: int


def read_batch_headers(leaders: dict[int, tuple[str, int]], topic: str) -> list[BatchHeader]:
    """Return the headers of the first megabyte of batches of each partition."""
    return [
        header
        for partition in range(PARTITIONS)
        for header in _headers(_fetch(leaders[partition], topic, partition))
    ]


def _fetch(leader: tuple[str, int], topic: str, partition: int) -> bytes:
    name = topic.encode()
    request = struct.pack(">hhih", _FETCH, _VERSION, 1, -1)
    request += struct.pack(">iiiibi", -1, _WAIT_MS_MAX, 1, _BYTES_MAX, 0, 1)
    request += struct.pack(f">h{len(name)}si", len(name), name, 1)
    request += struct.pack(">iqi", partition, 0, _BYTES_MAX)
    with socket.create_connection(leader) as connection, connection.makefile("rb") as answers:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", answers.read(4))
        answer = answers.read(size)
    # Correlation id, throttle time, one topic with its name, one partition.
    at = 4 + 4 + 4 + 2 + len(name) + 4
    found, error, _high, _stable, aborted = struct.unpack_from(">ihqqi", answer, at)
    assert (found, error, max(aborted, 0)) == (partition, 0, 0)
    at += struct.calcsize(">ihqqi") + 4
    assert at < len(answer)
    return answer[at:]


def _headers(batches: bytes) -> list[BatchHeader]:
    headers = []
    at = 0
    while at + _PRODUCER_ID_AT + 8 <= len(batches):
        _, length, _, magic, _, attributes = _BATCH.unpack_from(batches, at)
        assert magic == 2
        (producer_id,) = struct.unpack_from(">q", batches, at + _PRODUCER_ID_AT)
        headers.append(BatchHeader(codec=_CODECS[attributes & 7], producer_id=producer_id))
        at += _BATCH_LENGTH_FROM + length
    return headers
