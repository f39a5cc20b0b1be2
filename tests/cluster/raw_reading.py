"""Reads logs as they are stored, past all client libraries: what producers wrote into batches."""

import time
from dataclasses import dataclass

from everlog.records.batch import BatchHeader, walk
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from tests.cluster.cluster import Cluster
from tests.history.operations import Partition, Written
from tests.integration.bad_input.wire import FETCH_VERSION, Wire

BYTES_MAX = 1 << 20
WAIT_MS = 500
SECONDS_MAX = 120
NO_PRODUCER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLog:
    """A whole log, tier and all.

    Attributes:
        batches: What idempotent producers have written, by base offset.
    """

    high_watermark: int
    batches: dict[int, Written]


def raw_log(cluster: Cluster, partition: Partition) -> RawLog:
    """Read a log from its start to its high watermark, by way of its leader."""
    leader = cluster.view.state(partition).leader
    assert leader is not None, f"{partition} has no leader"
    deadline = time.monotonic() + SECONDS_MAX
    at, end = 0, 1
    headers: list[BatchHeader] = []
    with Wire(("127.0.0.1", cluster.brokers[leader].client_port)) as wire:
        while at < end:
            assert time.monotonic() < deadline, f"{partition} cannot be read beyond {at}"
            found = wire.ask(_request(partition, at), FETCH_VERSION).responses[0].partitions[0]
            assert found.error_code == ErrorCode.NONE, ErrorCode(found.error_code).name
            end = found.high_watermark
            headers += [header for _, header in walk(bytes(found.records or b""))]
            at = headers[-1].next_offset if headers else at
    return RawLog(high_watermark=end, batches=_written(headers))


def _written(headers: list[BatchHeader]) -> dict[int, Written]:
    return {
        each.base_offset: Written(
            each.producer_id, each.producer_epoch, each.base_sequence, each.record_count
        )
        for each in headers
        if each.producer_id != NO_PRODUCER
    }


def _request(partition: Partition, at: int) -> FetchRequest:
    wanted = FetchPartition(
        partition=partition.number, fetch_offset=at, partition_max_bytes=BYTES_MAX
    )
    topic = FetchTopic(topic=partition.topic, partitions=[wanted])
    return FetchRequest(
        max_wait_ms=WAIT_MS, min_bytes=1, max_bytes=BYTES_MAX, session_epoch=-1, topics=[topic]
    )
