"""What a client writes, it and every other client read, byte for byte and in order."""

import pytest

from tests.conformance.batch_headers import read_batch_headers
from tests.conformance.client import LATEST, Client
from tests.conformance.clients.catalogue import CONFLUENT, Kind
from tests.conformance.clients.confluent import ConfluentClient
from tests.conformance.records import (
    PARTITIONS,
    Record,
    Shape,
    assert_same,
    ends,
    make_records,
    record_count,
    without_timestamps,
)

_FEW = 1000


def _assert_topic_holds(
    records: tuple[Record, ...],
    topic: str,
    *,
    kind: Kind,
    client: Client,
    reference: ConfluentClient,
) -> None:
    by_reference = reference.consume(topic, len(records))
    if kind.shape.timestamps:
        assert_same(by_reference, records)
    else:
        assert_same(without_timestamps(by_reference), without_timestamps(records))
    if kind is not CONFLUENT:
        assert_same(client.consume(topic, len(records)), by_reference)
    found = {each: reference.admin.offset_at(topic, each, LATEST) for each in range(PARTITIONS)}
    assert found == ends(records)


def test_records_come_back_byte_for_byte(
    kind: Kind, codec: str, client: Client, reference: ConfluentClient, topic: str
) -> None:
    records = make_records(record_count(), kind.shape)
    client.produce(topic, records, codec=codec, idempotent=True)
    headers = read_batch_headers(reference.admin.leaders(topic), topic)
    # A batch that compression would make larger is sent as it is.
    assert {header.codec for header in headers} | {"none"} == {codec, "none"}
    assert all(header.producer_id >= 0 for header in headers)
    _assert_topic_holds(records, topic, kind=kind, client=client, reference=reference)


def test_records_of_a_producer_without_idempotence_come_back_byte_for_byte(
    kind: Kind, client: Client, reference: ConfluentClient, topic: str
) -> None:
    records = make_records(_FEW, kind.shape)
    client.produce(topic, records, codec="none", idempotent=False)
    headers = read_batch_headers(reference.admin.leaders(topic), topic)
    assert {header.producer_id for header in headers} == {-1}
    _assert_topic_holds(records, topic, kind=kind, client=client, reference=reference)


@pytest.mark.parametrize("acks", ["0", "1"])
def test_records_sent_without_waiting_for_all_replicas_come_back(
    acks: str, reference: ConfluentClient, topic: str
) -> None:
    records = make_records(_FEW, Shape())
    reference.produce(topic, records, codec="none", idempotent=False, acks=acks)
    assert_same(reference.consume(topic, len(records)), records)


def test_batches_of_all_codecs_live_in_one_partition_side_by_side(
    reference: ConfluentClient, topic: str
) -> None:
    records = make_records(_FEW, Shape())
    for number, codec in enumerate(("zstd", "none", "lz4", "snappy", "gzip")):
        part = records[number * 200 : (number + 1) * 200]
        reference.produce(topic, part, codec=codec, idempotent=False)
    assert_same(reference.consume(topic, len(records)), records)
