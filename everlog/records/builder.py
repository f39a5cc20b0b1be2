"""Makes record batches: for internal topics, for compaction, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.records.batch import MAGIC, BatchHeader, write_batch
from everlog.records.compression import Codec, compress
from everlog.records.varint import write_varint

_NULL_LENGTH = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as a producer means it.

    Attributes:
        offset_delta: Its place within the batch; None numbers the records from zero.
    """

    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Sequence[tuple[str, bytes | None]] = ()
    offset_delta: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """Who wrote a batch, for idempotence."""

    producer_id: int
    epoch: int
    base_sequence: int


def build_batch(
    records: Sequence[Record],
    *,
    base_offset: int = 0,
    codec: Codec = Codec.NONE,
    producer: Producer | None = None,
    attributes: int = 0,
) -> bytearray:
    """Return one batch of at least one record, with its checksum."""
    assert records, "a batch holds at least one record"
    base_timestamp = records[0].timestamp_ms
    body = bytearray()
    delta = 0
    for index, record in enumerate(records):
        delta = index if record.offset_delta is None else record.offset_delta
        _append_record(body, record, delta, base_timestamp)
    packed = compress(codec, body)
    who = producer or Producer(producer_id=-1, epoch=-1, base_sequence=-1)
    header = BatchHeader(
        base_offset=base_offset,
        length=0,
        leader_epoch=-1,
        magic=MAGIC,
        crc=0,
        attributes=attributes | codec,
        last_offset_delta=delta,
        base_timestamp=base_timestamp,
        max_timestamp=max(record.timestamp_ms for record in records),
        producer_id=who.producer_id,
        producer_epoch=who.epoch,
        base_sequence=who.base_sequence,
        record_count=len(records),
    )
    return write_batch(header, packed)


def _append_record(body: bytearray, record: Record, delta: int, base_timestamp: int) -> None:
    inner = bytearray(1)  # record attributes, unused
    write_varint(inner, record.timestamp_ms - base_timestamp)
    write_varint(inner, delta)
    _append_bytes(inner, record.key)
    _append_bytes(inner, record.value)
    write_varint(inner, len(record.headers))
    for name, value in record.headers:
        _append_bytes(inner, name.encode())
        _append_bytes(inner, value)
    write_varint(body, len(inner))
    body += inner


def _append_bytes(out: bytearray, content: bytes | None) -> None:
    if content is None:
        write_varint(out, _NULL_LENGTH)
        return
    write_varint(out, len(content))
    out += content
