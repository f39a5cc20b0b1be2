"""Records that are not what their batch says: rows 26, 27, 29, 30 and 35 of the catalogue.

A topic with ``record.validation=full`` refuses them. On others they are stored as they came, and
must not hurt anybody later.
"""

import gzip
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cramjam
import pytest

from everlog.records.batch import HEADER_BYTES, batch_crc
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.compression import Codec, compress
from everlog.records.varint import write_varint
from tests.integration.bad_input.broker_process import BrokerProcess
from tests.integration.bad_input.wire import (
    NOW_MS,
    Wire,
    a_batch,
    encoded,
    produce_request,
    serves_others,
)

INVALID_RECORD = 87
MIB = 1024 * 1024


def rule(row: int) -> pytest.MarkDecorator:
    return pytest.mark.rule(f"REL-5.{row}")


def batch_of(body: bytes, *, count: int = 1, codec: int = 0) -> bytes:
    """Return a batch whose header is good, whatever its records are."""
    batch = bytearray(a_batch(count)[:HEADER_BYTES]) + body
    struct.pack_into(">i", batch, 8, len(batch) - 12)
    struct.pack_into(">h", batch, 21, codec)
    struct.pack_into(">I", batch, 17, batch_crc(batch, 0, len(batch)))
    return bytes(batch)


def varint(value: int) -> bytes:
    out = bytearray()
    write_varint(out, value)
    return bytes(out)


def record(
    inner: bytes = b"", *, length: int | None = None, delta: int = 0, headers: bytes = b"\0"
) -> bytes:
    """Return one record with a key and a value; ``inner`` replaces what is behind the deltas."""
    fields = inner or varint(1) + b"k" + varint(1) + b"v"
    body = b"\0" + varint(0) + varint(delta) + fields + headers
    return varint(len(body) if length is None else length) + body


GOOD = record()


def headers(count: int, body: bytes = b"") -> bytes:
    return varint(count) + body


BAD_RECORDS: list[tuple[int, str, bytes, int]] = [
    (26, "too-short", record(length=5), 1),
    (26, "too-long", record(length=60), 1),
    (26, "negative", record(length=-5), 1),
    (26, "most", record(length=2**31 - 1), 1),
    (26, "beyond-any-int", varint(2**40) + GOOD, 1),
    (26, "endless-length", b"\xff" * 30, 1),
    (26, "records-left-over", GOOD + record(delta=1), 1),
    (26, "bytes-left-over", GOOD + b"\0\0\0", 1),
    (26, "record-missing", GOOD, 2),
    (26, "nothing", b"", 1),
    (26, "offsets-not-consecutive", GOOD + record(delta=5), 2),
    (26, "offsets-backward", record(delta=1) + record(delta=0), 2),
    (26, "offset-negative", record(delta=-1), 1),
    (27, "header-count", record(headers=headers(100)), 1),
    (27, "header-count-most", record(headers=headers(2**31 - 1)), 1),
    (27, "header-count-negative", record(headers=headers(-1)), 1),
    (27, "null-header-key", record(headers=headers(1, varint(-1) + varint(-1))), 1),
    (27, "negative-header-key", record(headers=headers(1, varint(-7) + varint(0))), 1),
    (27, "long-header-key", record(headers=headers(1, varint(50) + varint(0))), 1),
    (27, "long-header-value", record(headers=headers(1, varint(0) + varint(50))), 1),
    (27, "bytes-behind-headers", record(headers=headers(1, varint(0) + varint(0) + b"xx")), 1),
    (27, "negative-key", record(varint(-2) + varint(-1)), 1),
    (27, "long-key", record(varint(90) + varint(-1)), 1),
    (27, "negative-value", record(varint(-1) + varint(-2)), 1),
    (27, "long-value", record(varint(-1) + varint(2**31 - 1)), 1),
]

_ZEROS = bytes(64 * MIB)
_GOOD_GZIP = gzip.compress(GOOD)
_LZ4 = bytearray(compress(Codec.LZ4, GOOD))
_LZ4[6] ^= 1


def xerial(*blocks: tuple[int, bytes]) -> bytes:
    """Frame snappy blocks, each with the size that it claims."""
    framed = b"".join(struct.pack(">i", size) + block for size, block in blocks)
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + framed


def zstd_frame(*, window_log: int, size: int | None = None) -> bytes:
    """Return a frame of one empty block that wants a large window or claims a large content."""
    if size is None:
        return b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3]) + b"\x01\0\0"
    return b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size) + b"\x01\0\0"


PACKED: list[tuple[int, str, Callable[[], bytes], Codec]] = [
    (29, "gzip-bomb", lambda: compress(Codec.GZIP, _ZEROS), Codec.GZIP),
    (29, "zstd-bomb", lambda: compress(Codec.ZSTD, _ZEROS), Codec.ZSTD),
    (29, "lz4-bomb", lambda: compress(Codec.LZ4, _ZEROS), Codec.LZ4),
    (
        29,
        "snappy-bomb",
        lambda: bytes(cramjam.snappy.compress_raw(_ZEROS[: 20 * MIB])),
        Codec.SNAPPY,
    ),
    (29, "snappy-4-gib", lambda: b"\xff\xff\xff\xff\x0f" + b"a" * 30, Codec.SNAPPY),
    (29, "zstd-window", lambda: zstd_frame(window_log=31), Codec.ZSTD),
    (29, "zstd-content-size", lambda: zstd_frame(window_log=10, size=2**40), Codec.ZSTD),
    (29, "xerial-size", lambda: xerial((2**31 - 1, b"abc")), Codec.SNAPPY),
    (29, "xerial-negative", lambda: xerial((-1, b"abc")), Codec.SNAPPY),
    (30, "gzip-junk", lambda: _GOOD_GZIP + b"junk", Codec.GZIP),
    (30, "gzip-cut", lambda: _GOOD_GZIP[:-6], Codec.GZIP),
    (30, "gzip-twice", lambda: _GOOD_GZIP * 2, Codec.GZIP),
    (30, "zstd-junk", lambda: compress(Codec.ZSTD, GOOD) + b"junkjunk", Codec.ZSTD),
    (30, "zstd-cut", lambda: compress(Codec.ZSTD, GOOD)[:-2], Codec.ZSTD),
    (30, "lz4-junk", lambda: compress(Codec.LZ4, GOOD) + b"junk", Codec.LZ4),
    (30, "lz4-cut", lambda: compress(Codec.LZ4, GOOD)[:-5], Codec.LZ4),
    (30, "lz4-header-checksum", lambda: bytes(_LZ4), Codec.LZ4),
    (30, "xerial-cut", lambda: compress(Codec.SNAPPY, GOOD)[:-1], Codec.SNAPPY),
    (30, "no-frame", lambda: b"neither", Codec.ZSTD),
    (30, "empty", lambda: b"", Codec.GZIP),
]

BAD = [
    pytest.param(
        lambda body=body, count=count: batch_of(body, count=count),
        id=f"{row}-{name}",
        marks=rule(row),
    )
    for row, name, body, count in BAD_RECORDS
] + [
    pytest.param(
        cache(lambda make=make, codec=codec: batch_of(make(), codec=codec)),
        id=f"{row}-{name}",
        marks=rule(row),
    )
    for row, name, make, codec in PACKED
]

GOOD_FRAMES = {
    "gzip-members": (gzip.compress(GOOD[:3]) + gzip.compress(GOOD[3:]), Codec.GZIP),
    "xerial": (compress(Codec.SNAPPY, GOOD), Codec.SNAPPY),
    "raw-snappy": (bytes(cramjam.snappy.compress_raw(GOOD)), Codec.SNAPPY),
    "lz4": (compress(Codec.LZ4, GOOD), Codec.LZ4),
    "zstd": (compress(Codec.ZSTD, GOOD), Codec.ZSTD),
    "none": (GOOD, Codec.NONE),
}


@pytest.mark.parametrize("make", BAD)
def test_a_checked_topic_refuses_it(
    broker: BrokerProcess, wire: Wire, checked_topic: str, make: Callable[[], bytes]
) -> None:
    batch = make()
    before = broker.rss_bytes()
    refused = wire.produce(checked_topic, batch)
    assert (refused.error_code, refused.base_offset) == (INVALID_RECORD, -1)
    # The limit is 16 MiB, and two are unpacked at a time.
    assert broker.rss_bytes() - before < 48 * MIB
    assert wire.end_of(checked_topic) == 0
    assert wire.produce(checked_topic, a_batch()).base_offset == 0


@pytest.mark.parametrize("make", BAD)
def test_another_topic_keeps_it_and_nobody_is_hurt(
    broker: BrokerProcess, wire: Wire, topic: str, make: Callable[[], bytes]
) -> None:
    batch = make()
    if len(batch) > MIB:
        pytest.skip("larger than max.message.bytes")
    before = broker.rss_bytes()
    written = wire.produce(topic, batch)
    assert (written.error_code, written.base_offset) == (0, 0)
    stored = bytes(wire.fetch(topic).records)
    assert stored[16:] == batch[16:]
    assert wire.offset_at(topic, NOW_MS - 1).error_code == 0
    assert wire.offset_at(topic, NOW_MS).error_code == 0
    assert broker.rss_bytes() - before < 48 * MIB


@rule(26)
def test_a_restart_finds_what_others_have_left_behind(own_broker: BrokerProcess) -> None:
    with Wire(own_broker.address) as wire:
        topic = wire.create_topic(segment_bytes="4000")
        made = [case.values[0] for case in BAD]
        batches = [batch for batch in (make() for make in made) if len(batch) < 4000]
        assert len(batches) > 30
        bases = [wire.produce(topic, batch).base_offset for batch in batches]
        end = wire.end_of(topic)
    own_broker.restart()
    with Wire(own_broker.address) as wire:
        assert wire.end_of(topic) == end
        for batch, base in zip(batches, bases, strict=True):
            assert bytes(wire.fetch(topic, base).records)[16 : len(batch)] == batch[16:]
        for stamp in (NOW_MS - 1, NOW_MS, NOW_MS + 1):
            assert wire.offset_at(topic, stamp).error_code == 0
        serves_others(own_broker.address, topic)
    assert "request_failed" not in own_broker.log_text()
    assert "partition_offline" not in own_broker.log_text()


@rule(30)
@pytest.mark.parametrize("name", GOOD_FRAMES)
def test_frames_that_kafka_accepts_are_accepted(wire: Wire, checked_topic: str, name: str) -> None:
    body, codec = GOOD_FRAMES[name]
    assert wire.produce(checked_topic, batch_of(body, codec=codec)).error_code == 0


@rule(34)
def test_the_record_with_the_bad_timestamp_is_named(wire: Wire) -> None:
    topic = wire.create_topic(record_validation="full", message_timestamp_after_max_ms="3600000")
    stamps = (NOW_MS, 2**55, NOW_MS, 2**55)
    bad = build_batch([Record(key=None, value=b"", timestamp_ms=stamp) for stamp in stamps])
    # A header that tells of neither: only the records show it.
    struct.pack_into(">q", bad, 35, NOW_MS)
    struct.pack_into(">I", bad, 17, batch_crc(bad, 0, len(bad)))
    refused = wire.produce(topic, bad)
    assert refused.error_code == 32
    assert [each.batch_index for each in refused.record_errors] == [1, 3]


@rule(35)
def test_a_compacted_topic_takes_no_record_without_a_key(wire: Wire) -> None:
    topic = wire.create_topic(cleanup_policy="compact")
    keys = (b"a", None, b"b", None)
    bad = build_batch([Record(key=key, value=b"v", timestamp_ms=NOW_MS) for key in keys])
    refused = wire.produce(topic, bad)
    assert refused.error_code == INVALID_RECORD
    assert [each.batch_index for each in refused.record_errors] == [1, 3]
    assert all(each.batch_index_error_message for each in refused.record_errors)
    assert wire.produce(topic, a_batch()).base_offset == 0


@rule(35)
def test_internal_topics_are_not_written_by_clients(wire: Wire) -> None:
    from service.protocol.messages.find_coordinator import (  # noqa: PLC0415
        FindCoordinatorRequest,
    )

    while wire.ask(FindCoordinatorRequest(key="g", key_type=0), 1).error_code:
        pass
    assert wire.produce("__consumer_offsets", a_batch()).error_code == 17


def test_a_wrong_greatest_timestamp_is_put_right(wire: Wire, checked_topic: str) -> None:
    batch = a_batch(3)
    struct.pack_into(">q", batch, 35, NOW_MS + 10**9)
    struct.pack_into(">I", batch, 17, batch_crc(batch, 0, len(batch)))
    assert wire.produce(checked_topic, batch).error_code == 0
    stored = bytes(wire.fetch(checked_topic).records)
    assert struct.unpack_from(">q", stored, 35) == (NOW_MS + 2,)
    assert struct.unpack_from(">I", stored, 17) == (batch_crc(stored, 0, len(stored)),)


@rule(26)
def test_batches_enter_a_checked_topic_in_the_order_of_their_arrival(
    wire: Wire, checked_topic: str
) -> None:
    """Large ones take longer to look at than small ones, and still come first."""
    sizes = [3000, 1, 2000, 1, 1] * 4
    sequence = 0
    for size in sizes:
        who = Producer(producer_id=77, epoch=0, base_sequence=sequence)
        sequence += size
        made = a_batch(size, producer=who, codec=Codec.GZIP)
        wire.send(encoded(produce_request(checked_topic, made), 9))
    for _ in sizes:
        assert wire.receive_frame()
    assert wire.end_of(checked_topic) == sum(sizes)


@rule(29)
def test_bombs_from_many_sides_are_bounded(broker: BrokerProcess, checked_topic: str) -> None:
    bomb = batch_of(compress(Codec.ZSTD, _ZEROS), codec=Codec.ZSTD)
    before = broker.rss_bytes()

    def throw(_: int) -> int:
        with Wire(broker.address) as wire:
            return int(wire.produce(checked_topic, bomb).error_code)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(throw, range(16))) == {INVALID_RECORD}
    assert broker.rss_bytes() - before < 64 * MIB
