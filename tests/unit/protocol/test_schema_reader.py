"""What hostile or broken bytes do to a reader: rows 6 to 16 of the bad-input catalogue."""

import tracemalloc
from random import Random

import pytest

from service.protocol.errors import ProtocolError
from service.protocol.messages.fetch import FetchRequest, FetchResponse
from service.protocol.messages.join_group import JoinGroupRequest
from service.protocol.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseTopic,
)
from service.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from service.protocol.messages.produce import ProduceRequest
from service.protocol.primitives import ARRAY_ELEMENTS_MAX
from service.protocol.schema import Message, reader
from tests.unit.protocol.strategies import MESSAGES, encoded, sample, versions_of

MUTATIONS_PER_VERSION = 12

every_class = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)


def mutated(frame: bytes, random: Random) -> bytes:
    """Break a frame in one of the ways that find the seams of a decoder."""
    broken = bytearray(frame)
    at = random.randrange(len(broken) + 1)
    size = random.randrange(1, 6)
    match random.randrange(5):
        case 0:
            broken[at : at + 1] = random.randbytes(1)
        case 1:
            broken[at : at + size] = b"\xff" * size
        case 2:
            broken[at : at + size] = b"\x7f\xff\xff\xff\xff"[:size]
        case 3:
            del broken[at : at + size]
        case _:
            broken[at:at] = random.randbytes(size)
    return bytes(broken)


@every_class
def test_mutated_frames_are_read_or_refused_and_nothing_else(message: type[Message]) -> None:
    random = Random(message.__name__)
    for version in [*versions_of(message)] * MUTATIONS_PER_VERSION:
        frame = mutated(encoded(sample(message, version, random), version), random)
        try:
            value, end = reader(message, version)(frame, 0)
        except ProtocolError:
            continue
        assert isinstance(value, message)
        assert end <= len(frame)


@every_class
def test_a_frame_cut_anywhere_is_refused(message: type[Message]) -> None:
    random = Random(message.__name__)
    for version in versions_of(message):
        frame = encoded(sample(message, version, random), version)
        for size in range(len(frame)):
            with pytest.raises(ProtocolError):
                reader(message, version)(frame[:size], 0)


@pytest.mark.rule("REL-5.13")
@pytest.mark.parametrize(
    ("message", "version", "text", "count"),
    [
        (MetadataRequest, 1, "7fffffff", 2**31 - 1),
        (MetadataRequest, 1, "00000003 0000 0000", 3),
        (MetadataRequest, 9, "ffffffff0f", 2**32 - 2),
        (MetadataRequest, 9, "04 0100", 3),
        (FetchRequest, 4, "00" * 17 + "00ffffff" + "00" * 30, 2**24 - 1),
    ],
)
def test_counts_beyond_the_frame_are_refused_before_anything_is_allocated(
    message: type[Message], version: int, text: str, count: int
) -> None:
    frame = bytes.fromhex(text)
    reader(message, version)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=f"a length of {count} "):
            reader(message, version)(frame, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024


@pytest.mark.rule("REL-5.13")
@pytest.mark.parametrize(
    ("message", "version", "text"),
    [
        (MetadataRequest, 0, "ffffffff"),
        (MetadataRequest, 9, "02 00 00"),
        (ProduceRequest, 8, "ffff 0001 00000000 ffffffff"),
        (ProduceRequest, 9, "00 0001 00000000 00 00"),
        (JoinGroupRequest, 6, "00" * 40),
    ],
)
def test_null_where_none_is_allowed_is_refused(
    message: type[Message], version: int, text: str
) -> None:
    with pytest.raises(ProtocolError, match=r"null is not allowed|length of -1"):
        reader(message, version)(bytes.fromhex(text), 0)


@pytest.mark.rule("REL-5.14")
@pytest.mark.parametrize(
    ("message", "version", "text", "reason"),
    [
        (MetadataRequest, 1, "fffffffe", "length of -2"),
        (MetadataRequest, 1, "80000000", "length of -2147483648"),
        (MetadataRequest, 1, "00000001 fffe", "length of -2"),
        (MetadataRequest, 1, "00000001 8000", "length of -32768"),
        (MetadataRequest, 1, "00000001 0003 6161", "length of 3"),
        (MetadataRequest, 9, "02 0561 00", "length of 4"),
        (MetadataRequest, 9, "80808080808001", "varint"),
        (MetadataRequest, 9, "ffffffff1f", "varint"),
        (MetadataRequest, 1, "00000001 0002 c328", "UTF-8"),
        (MetadataRequest, 9, "02 03c328 00 00 00 00 00", "UTF-8"),
        (ProduceRequest, 8, "fffd 0001 00000000 00000000", "length of -3"),
    ],
)
def test_lengths_and_texts_that_cannot_be_are_refused(
    message: type[Message], version: int, text: str, reason: str
) -> None:
    with pytest.raises(ProtocolError, match=reason):
        reader(message, version)(bytes.fromhex(text), 0)


@pytest.mark.rule("REL-5.11")
@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("02 00 02 0261 00 02 0261", "follows"),
        ("01 00 7f 0261", "left"),
        ("01 00 03 0261 00", "tag ends"),
        ("01 00 01 0261 00", "tag ends"),
        ("ffffffff0f", "elements"),
        ("01 00", "early"),
    ],
    ids=["twice", "beyond the frame", "value too short", "value too long", "too many", "cut"],
)
def test_broken_tags_are_refused(tags: str, reason: str) -> None:
    start = encoded(FetchRequest(), 12)[:-1]
    with pytest.raises(ProtocolError, match=reason):
        reader(FetchRequest, 12)(start + bytes.fromhex(tags), 0)


@pytest.mark.rule("REL-5.12")
def test_known_tags_are_read_among_unknown_ones() -> None:
    start = encoded(FetchRequest(), 12)[:-1]
    frame = start + bytes.fromhex("03 00 02 0261 07 03 aabbcc c801 00")
    value, end = reader(FetchRequest, 12)(frame, 0)
    assert value == FetchRequest(cluster_id="a")
    assert end == len(frame)


@pytest.mark.rule("REL-5.16")
def test_a_request_of_nothing_but_empty_elements_is_refused() -> None:
    count = 1_000_000
    frame = count.to_bytes(4, "big") + bytes(2 * count)
    with pytest.raises(ProtocolError, match=f"more than {ARRAY_ELEMENTS_MAX} elements"):
        reader(MetadataRequest, 1)(frame, 0)


@pytest.mark.rule("REL-5.16")
def test_elements_are_counted_over_nested_arrays_and_tags_together() -> None:
    def commit(topics: int) -> bytes:
        topic = OffsetCommitRequestTopic(partitions=[OffsetCommitRequestPartition()])
        return encoded(OffsetCommitRequest(topics=[topic] * topics), 8)

    half = ARRAY_ELEMENTS_MAX // 2
    value, _ = reader(OffsetCommitRequest, 8)(commit(half), 0)
    assert len(value.topics) == half
    with pytest.raises(ProtocolError, match="elements"):
        reader(OffsetCommitRequest, 8)(commit(half + 1), 0)
    tagged = commit(half)[:-1] + b"\x01\x00\x00"
    with pytest.raises(ProtocolError, match="elements"):
        reader(OffsetCommitRequest, 8)(tagged, 0)


def test_a_response_may_have_more_elements_than_a_request() -> None:
    count = ARRAY_ELEMENTS_MAX + 1
    frame = count.to_bytes(4, "big") + bytes(10 * count) + bytes(4)
    assert len(reader(MetadataResponse, 0)(frame, 0)[0].brokers) == count


def test_who_reads_a_response_may_bound_its_elements() -> None:
    frame = encoded(MetadataResponse(topics=[MetadataResponseTopic()] * 10), 9)
    assert len(reader(MetadataResponse, 9)(frame, 0, 10)[0].topics) == 10
    with pytest.raises(ProtocolError, match="too many"):
        reader(MetadataResponse, 9)(frame, 0, 9)
    tagged = frame[:-1] + b"\x01\x00\x00"
    with pytest.raises(ProtocolError, match="too many"):
        reader(MetadataResponse, 9)(tagged, 0, 10)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_frame_can_be_read_and_bytes_are_slices_of_it(kind: type) -> None:
    start = bytes.fromhex("00000000" + "0000" + "00000000" + "00000001")
    topic = bytes.fromhex("0001 74 00000001")
    partition = bytes.fromhex("00000005 0000" + "00" * 24 + "ffffffff ffffffff 00000003 616263")
    frame = kind(start + topic + partition)
    value, end = reader(FetchResponse, 11)(frame, 0)
    assert end == len(frame)
    records = value.responses[0].partitions[0].records
    assert isinstance(records, memoryview)
    assert bytes(records) == b"abc"
    assert records.obj is (frame.obj if isinstance(frame, memoryview) else frame)
