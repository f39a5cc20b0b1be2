import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError
from service.groups.group_record import (
    StoredGroup,
    StoredMember,
    decode_group_key,
    decode_group_value,
    encode_group_key,
    encode_group_value,
)

# Written by Apache Kafka 4.1.0's own classes.
KEY = bytes.fromhex("000200076772c3bc707065")
VALUES = {
    0: "00000008636f6e73756d657200000009000572616e676500026d310000000200026d310006636c69656e7400"
    "0a2f3132372e302e302e310000afc900000003000102000000010100026d320006636c69656e74000a2f3132"
    "372e302e302e310000afca000000030001020000000102",
    1: "00010008636f6e73756d657200000009000572616e676500026d310000000200026d310006636c69656e7400"
    "0a2f3132372e302e302e31000493e10000afc900000003000102000000010100026d320006636c69656e7400"
    "0a2f3132372e302e302e31000493e20000afca000000030001020000000102",
    2: "00020008636f6e73756d657200000009000572616e676500026d310000018bcfe569c80000000200026d3100"
    "06636c69656e74000a2f3132372e302e302e31000493e10000afc900000003000102000000010100026d3200"
    "06636c69656e74000a2f3132372e302e302e31000493e20000afca000000030001020000000102",
    3: "00030008636f6e73756d657200000009000572616e676500026d310000018bcfe569c80000000200026d3100"
    "04696e73740006636c69656e74000a2f3132372e302e302e31000493e10000afc90000000300010200000001"
    "0100026d32ffff0006636c69656e74000a2f3132372e302e302e31000493e20000afca000000030001020000"
    "000102",
    4: "000409636f6e73756d6572000000090672616e6765036d310000018bcfe569c803036d3105696e737407636c"
    "69656e740b2f3132372e302e302e31000493e10000afc904000102020100036d320007636c69656e740b2f31"
    "32372e302e302e31000493e20000afca0400010202020000",
}
EMPTY = "0003000000000000ffffffffffffffffffffffff00000000"


def _member(version: int, number: int) -> StoredMember:
    session_timeout_ms = 45_000 + number
    return StoredMember(
        member_id=f"m{number}",
        instance_id="inst" if version >= 3 and number == 1 else None,
        client_id="client",
        client_host="/127.0.0.1",
        rebalance_timeout_ms=300_000 + number if version >= 1 else session_timeout_ms,
        session_timeout_ms=session_timeout_ms,
        subscription=b"\0\1\2",
        assignment=bytes([number]),
    )


def _expected(version: int) -> StoredGroup:
    return StoredGroup(
        protocol_type="consumer",
        generation=9,
        protocol="range",
        leader="m1",
        state_changed_ms=1700000000456 if version >= 2 else None,
        members=(_member(version, 1), _member(version, 2)),
    )


def test_a_key_is_what_kafka_writes() -> None:
    assert encode_group_key("grüppe") == KEY
    assert decode_group_key(KEY) == "grüppe"


@pytest.mark.parametrize("version", VALUES)
def test_every_version_of_a_value_is_read(version: int) -> None:
    assert decode_group_value(bytes.fromhex(VALUES[version])) == _expected(version)


def test_a_value_is_written_as_kafka_writes_it() -> None:
    assert encode_group_value(_expected(3)).hex() == VALUES[3]


def test_a_group_without_anything_is_written_as_kafka_writes_it() -> None:
    empty = StoredGroup(
        protocol_type=None,
        generation=0,
        protocol=None,
        leader=None,
        state_changed_ms=None,
        members=(),
    )
    assert encode_group_value(empty).hex() == EMPTY
    assert decode_group_value(bytes.fromhex(EMPTY)) == empty


def test_a_value_of_a_version_to_come_is_not_guessed_at() -> None:
    with pytest.raises(CorruptionError, match="version 5"):
        decode_group_value(b"\0\5" + bytes.fromhex(VALUES[4])[2:])


@pytest.mark.parametrize("key", [KEY[:end] for end in range(len(KEY))] + [KEY + b"\0"])
def test_a_key_that_is_cut_or_too_long_is_corruption(key: bytes) -> None:
    with pytest.raises(CorruptionError):
        decode_group_key(key)


@pytest.mark.parametrize("version", VALUES)
def test_a_value_that_is_cut_or_too_long_is_corruption(version: int) -> None:
    value = bytes.fromhex(VALUES[version])
    for damaged in [*(value[:end] for end in range(len(value))), value + b"\0"]:
        with pytest.raises(CorruptionError):
            decode_group_value(damaged)


def test_a_count_of_members_is_not_believed() -> None:
    head = bytes.fromhex(EMPTY)[:-4]
    with pytest.raises(CorruptionError, match="does not fit"):
        decode_group_value(head + (2**31 - 1).to_bytes(4))


@given(st.binary(max_size=100))
def test_garbage_is_never_anything_but_corruption(garbage: bytes) -> None:
    for version in range(5):
        try:
            decode_group_value(bytes((0, version)) + garbage)
        except CorruptionError:
            continue
