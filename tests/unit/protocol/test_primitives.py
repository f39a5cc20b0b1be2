import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.protocol.errors import ProtocolError
from service.protocol.primitives import (
    ARRAY_ELEMENTS_MAX,
    number_bytes,
    number_list,
    skip_tags,
    tag_section,
    unsigned_varint,
    varint_bytes,
)


def read_varint(text: str) -> tuple[int, int]:
    frame = memoryview(bytes.fromhex(text))
    return unsigned_varint(frame, 1, frame[0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32 - 1, "ffffffff0f")],
)
def test_varints_have_seven_bits_a_byte_low_ones_first(value: int, text: str) -> None:
    assert varint_bytes(value).hex() == text
    assert read_varint(text) == (value, len(text) // 2)


@given(st.integers(0, 2**32 - 1))
def test_every_varint_is_read_back(value: int) -> None:
    written = varint_bytes(value)
    assert read_varint(written.hex() + "ff") == (value, len(written))


def test_a_padded_varint_of_five_bytes_is_read() -> None:
    assert read_varint("8180808000") == (1, 5)


@pytest.mark.rule("REL-5.14")
@pytest.mark.parametrize("text", ["808080808000", "ffffffffffff01", "ffffffff10", "ffffffff7f"])
def test_varints_beyond_five_bytes_or_32_bits_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        read_varint(text)


def test_a_tag_section_is_read_back() -> None:
    written = tag_section([(0, bytearray(b"ab")), (200, bytearray())])
    assert written.hex() == "02" + "00026162" + "c80100"
    assert skip_tags(memoryview(written), 1, written[0], 5) == (len(written), 3)


def test_a_tag_section_of_many_is_read_back() -> None:
    written = tag_section([(tag, bytearray()) for tag in range(300)])
    assert skip_tags(memoryview(written), 1, written[0], 300) == (len(written), 0)


@pytest.mark.rule("REL-5.11")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("02 0500 0500", "follows"),
        ("02 0500 0400", "follows"),
        ("01 05ff0f 00", "left"),
        ("ffffffff0f 0000", "elements"),
    ],
    ids=["twice", "descending", "beyond the frame", "too many"],
)
def test_broken_tag_sections_are_refused(text: str, reason: str) -> None:
    frame = memoryview(bytes.fromhex(text))
    with pytest.raises(ProtocolError, match=reason):
        skip_tags(frame, 1, frame[0], ARRAY_ELEMENTS_MAX)


def test_numbers_are_big_endian() -> None:
    assert number_bytes("i", [1, -1]).hex() == "00000001ffffffff"
    assert number_list(memoryview(bytes.fromhex("aa00000001ffffffff")), 1, "i", 2) == [1, -1]
    assert number_list(memoryview(b""), 0, "q", 0) == []
