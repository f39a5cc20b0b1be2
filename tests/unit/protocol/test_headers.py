import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.protocol.errors import ProtocolError, UnsupportedApiError
from service.protocol.headers import (
    RequestHeader,
    decode_request_header,
    decode_response_header,
    encode_request_header,
    has_response_tags,
)

V1 = "0003 0008 0000002a 0002 6d65"  # Metadata 8, correlation id 42, client "me"
V2 = "0003 0009 0000002a 0002 6d65 00"


@pytest.mark.parametrize(("text", "version"), [(V1, 8), (V2, 9)], ids=["v1", "v2"])
def test_request_headers_have_their_golden_bytes(text: str, version: int) -> None:
    frame = bytes.fromhex(text)
    assert encode_request_header(3, version, 42, "me") == frame
    assert decode_request_header(frame) == RequestHeader(3, version, 42, "me", len(frame))


def test_the_client_id_of_a_flexible_header_keeps_its_16_bit_length_and_may_be_null() -> None:
    frame = bytes.fromhex("0003 0009 0000002a ffff 00")
    assert encode_request_header(3, 9, 42, None) == frame
    assert decode_request_header(frame) == RequestHeader(3, 9, 42, None, len(frame))


@pytest.mark.rule("REL-5.10")
def test_a_client_id_may_be_as_long_as_its_length_can_say() -> None:
    frame = encode_request_header(3, 9, 1, "x" * 32767)
    assert decode_request_header(frame).client_id == "x" * 32767


@pytest.mark.rule("REL-5.12")
def test_unknown_tags_of_a_header_are_ignored() -> None:
    frame = bytes.fromhex("0003 0009 0000002a ffff 02 0001aa 630100 ffff")
    assert decode_request_header(frame).body_position == len(frame) - 2


@pytest.mark.parametrize("correlation_id", [0, -1, -(2**31), 2**31 - 1])
def test_correlation_ids_are_any_32_bits(correlation_id: int) -> None:
    frame = encode_request_header(3, 9, correlation_id, None)
    assert decode_request_header(frame).correlation_id == correlation_id


@pytest.mark.rule("REL-5.7")
@pytest.mark.parametrize("key", [-1, 7, 999, 32767])
def test_an_unknown_api_is_refused_with_its_correlation_id(key: int) -> None:
    frame = key.to_bytes(2, "big", signed=True) + bytes.fromhex("0000 0000002a ffff")
    with pytest.raises(UnsupportedApiError) as refused:
        decode_request_header(frame)
    error = refused.value
    assert (error.api_key, error.api_version, error.correlation_id) == (key, 0, 42)


@pytest.mark.rule("REL-5.8")
@pytest.mark.parametrize(("key", "version"), [(3, -1), (3, 14), (0, 2), (1, 3), (47, 1)])
def test_a_version_that_is_not_served_is_refused(key: int, version: int) -> None:
    frame = key.to_bytes(2, "big") + version.to_bytes(2, "big", signed=True)
    with pytest.raises(UnsupportedApiError):
        decode_request_header(frame + bytes.fromhex("0000002a ffff 00"))


@pytest.mark.rule("REL-5.9")
@pytest.mark.parametrize("version", [5, 32767, -1])
def test_api_versions_passes_in_any_version(version: int) -> None:
    frame = b"\0\x12" + version.to_bytes(2, "big", signed=True)
    header = decode_request_header(frame + bytes.fromhex("0000002a 0002 6d65 00"))
    assert header[:4] == (18, version, 42, "me")


@pytest.mark.rule("REL-5.6")
@pytest.mark.parametrize("text", [V1, V2], ids=["v1", "v2"])
def test_a_cut_header_is_refused(text: str) -> None:
    frame = bytes.fromhex(text)
    for size in range(len(frame)):
        with pytest.raises(ProtocolError):
            decode_request_header(frame[:size])


@pytest.mark.rule("REL-5.11")
@pytest.mark.parametrize(
    ("client_and_tags", "reason"),
    [
        ("fffe 00", "length"),
        ("8000 00", "length"),
        ("0002 ff", "length"),
        ("0002 fffe 00", "UTF-8"),
        ("ffff ffffffff0f", "elements"),
        ("ffff ffffffffff01", "varint"),
        ("ffff 02 0100 0100", "follows"),
        ("ffff 01 01 05 00", "left"),
        ("ffff 02 0100", "early"),
        ("ffff 81", "early"),
    ],
)
def test_broken_headers_are_refused(client_and_tags: str, reason: str) -> None:
    frame = bytes.fromhex("0003 0009 0000002a" + client_and_tags)
    with pytest.raises(ProtocolError, match=reason):
        decode_request_header(frame)


@pytest.mark.parametrize(
    ("key", "version", "text"),
    [
        (3, 8, "0000002a"),
        (3, 9, "0000002a 00"),
        (18, 0, "0000002a"),
        (18, 3, "0000002a"),
        (18, 4, "0000002a"),
        (47, 0, "0000002a"),
    ],
)
def test_response_headers_have_their_golden_bytes(key: int, version: int, text: str) -> None:
    frame = bytes.fromhex(text)
    assert has_response_tags(key, version) == text.endswith(" 00")
    assert decode_response_header(frame, key, version) == (42, len(frame))


@pytest.mark.parametrize("text", ["", "000000", "0000002a", "0000002a 01"])
def test_a_cut_response_header_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode_response_header(bytes.fromhex(text), 3, 9)


@given(st.binary(max_size=24))
def test_nothing_but_protocol_errors_comes_out_of_a_header(frame: bytes) -> None:
    for buffer in (frame, bytearray(frame), memoryview(frame)):
        try:
            header = decode_request_header(buffer)
        except ProtocolError:
            continue
        assert header.body_position <= len(frame)
