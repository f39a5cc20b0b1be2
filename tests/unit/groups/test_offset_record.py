import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError
from everlog.model.ids import NO_TOPIC_ID, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.groups.offset_record import (
    CommittedOffset,
    OffsetKey,
    decode_offset_key,
    decode_offset_value,
    encode_offset_key,
    encode_offset_value,
)

# Written by Apache Kafka 4.1.0's own classes.
KEY = bytes.fromhex("000100076772c3bc7070650007746f7069632d3100000007")
VALUES = {
    0: "00000000011f71fb04cb000a6e6f746520c3a9e282ac0000018bcfe5687b",
    1: "00010000011f71fb04cb000a6e6f746520c3a9e282ac0000018bcfe5687b0000018bcfe58f0f",
    2: "00020000011f71fb04cb000a6e6f746520c3a9e282ac0000018bcfe5687b",
    3: "00030000011f71fb04cb0000002a000a6e6f746520c3a9e282ac0000018bcfe5687b",
    4: "00040000011f71fb04cb0000002a0b6e6f746520c3a9e282ac0000018bcfe5687b"
    "0100100102030405060708090a0b0c0d0e0f10",
}
TOPIC_ID = TopicId(bytes(range(1, 17)))


def _expected(version: int) -> CommittedOffset:
    return CommittedOffset(
        offset=Offset(1234567890123),
        leader_epoch=LeaderEpoch(42) if version >= 3 else None,
        metadata="note é€",
        committed_ms=1700000000123,
        expires_ms=1700000009999 if version == 1 else None,
        topic_id=TOPIC_ID if version == 4 else None,
    )


def test_a_key_is_what_kafka_writes() -> None:
    assert encode_offset_key("grüppe", TopicName("topic-1"), 7) == KEY
    assert decode_offset_key(KEY) == OffsetKey("grüppe", TopicName("topic-1"), 7)


def test_the_key_of_old_brokers_is_read_too() -> None:
    assert decode_offset_key(b"\0\0" + KEY[2:]) == OffsetKey("grüppe", TopicName("topic-1"), 7)


@pytest.mark.parametrize("version", VALUES)
def test_every_version_of_a_value_is_read(version: int) -> None:
    assert decode_offset_value(bytes.fromhex(VALUES[version])) == _expected(version)


@pytest.mark.parametrize("version", [1, 3, 4])
def test_a_value_is_written_in_the_version_that_holds_it(version: int) -> None:
    assert encode_offset_value(_expected(version)).hex() == VALUES[version]


def test_a_topic_id_of_zeros_is_none() -> None:
    value = bytes.fromhex(VALUES[4])[: -len(TOPIC_ID)] + NO_TOPIC_ID
    assert decode_offset_value(value).topic_id is None


def test_unknown_tags_of_a_value_are_skipped() -> None:
    value = bytes.fromhex(VALUES[4][:66]) + b"\x01\x05\x02xy"
    assert decode_offset_value(value).offset == 1234567890123


def test_a_value_of_a_version_to_come_is_not_guessed_at() -> None:
    with pytest.raises(CorruptionError, match="version 5"):
        decode_offset_value(b"\0\5" + bytes.fromhex(VALUES[4])[2:])


@pytest.mark.parametrize("key", [KEY[:end] for end in range(len(KEY))] + [KEY + b"\0"])
def test_a_key_that_is_cut_or_too_long_is_corruption(key: bytes) -> None:
    with pytest.raises(CorruptionError):
        decode_offset_key(key)


@pytest.mark.parametrize("key", ["0001fffe0000", "0001000161fffe0000"])
def test_a_key_whose_lengths_are_negative_is_corruption(key: str) -> None:
    with pytest.raises(CorruptionError):
        decode_offset_key(bytes.fromhex(key))


@pytest.mark.parametrize("version", VALUES)
def test_a_value_that_is_cut_or_too_long_is_corruption(version: int) -> None:
    value = bytes.fromhex(VALUES[version])
    for damaged in [*(value[:end] for end in range(len(value))), value + b"\0"]:
        with pytest.raises(CorruptionError):
            decode_offset_value(damaged)


@pytest.mark.parametrize("length", ["ffff", "fff8", "8000"])
def test_a_value_whose_length_is_negative_is_corruption(length: str) -> None:
    head, tail = VALUES[3][:28], VALUES[3][32:]
    with pytest.raises(CorruptionError):
        decode_offset_value(bytes.fromhex(head + length + tail))


@given(st.binary(max_size=64))
def test_garbage_is_never_anything_but_corruption(garbage: bytes) -> None:
    for decode in (decode_offset_key, decode_offset_value):
        for version in range(5):
            try:
                decode(bytes((0, version)) + garbage)
            except CorruptionError:
                continue


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(group_id=TEXTS, topic=TEXTS, partition=st.integers(0, 2**31 - 1))
def test_a_key_comes_back_as_it_was(group_id: str, topic: str, partition: int) -> None:
    key = encode_offset_key(group_id, TopicName(topic), partition)
    assert decode_offset_key(key) == OffsetKey(group_id, TopicName(topic), partition)


@given(
    offset=st.integers(0, 2**63 - 1),
    epoch=st.none() | st.integers(0, 2**31 - 1),
    metadata=TEXTS,
    topic_id=st.none() | st.binary(min_size=16, max_size=16).filter(any),
)
def test_a_value_comes_back_as_it_was(
    offset: int, epoch: int | None, metadata: str, topic_id: bytes | None
) -> None:
    committed = CommittedOffset(
        offset=Offset(offset),
        leader_epoch=None if epoch is None else LeaderEpoch(epoch),
        metadata=metadata,
        committed_ms=1,
        topic_id=None if topic_id is None else TopicId(topic_id),
    )
    assert decode_offset_value(encode_offset_value(committed)) == committed
