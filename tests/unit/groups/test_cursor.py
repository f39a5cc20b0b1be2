import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError
from service.groups.cursor import Cursor, compact_string, nullable_string, sized_bytes, uvarint


@given(st.integers(0, 2**32 - 1))
def test_an_unsigned_varint_comes_back_as_it_was(number: int) -> None:
    cursor = Cursor(uvarint(number))
    assert cursor.uvarint() == number
    cursor.finish()


def test_a_varint_without_an_end_is_corruption() -> None:
    with pytest.raises(CorruptionError):
        Cursor(b"\xff" * 6).uvarint()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_a_compact_string_comes_back_as_it_was(text: str) -> None:
    assert Cursor(compact_string(text)).compact_string() == text


def test_a_null_comes_back_as_none() -> None:
    assert Cursor(nullable_string(None)).nullable_string() is None
    assert Cursor(nullable_string("x")).nullable_string() == "x"
    assert Cursor(b"\0").compact_nullable_string() is None


def test_bytes_that_were_null_come_back_empty() -> None:
    assert Cursor(b"\xff\xff\xff\xff").sized_bytes() == b""
    assert Cursor(sized_bytes(b"ab")).sized_bytes() == b"ab"


@pytest.mark.parametrize(
    ("source", "read"),
    [
        (b"\xff\xff", Cursor.string),
        (b"\xff\xfe", Cursor.nullable_string),
        (b"\xff\xff\xff\xfe", Cursor.sized_bytes),
        (b"\0", Cursor.compact_string),
        (b"\0\2\xff\xfe", Cursor.string),
        (b"\0\0\0", Cursor.int32),
        (b"\1\0\5ab", Cursor.tagged_fields),
    ],
)
def test_what_cannot_be_read_is_corruption(source: bytes, read: object) -> None:
    with pytest.raises(CorruptionError):
        read(Cursor(source))  # type: ignore[operator]


def test_tagged_fields_come_back_by_number() -> None:
    assert Cursor(b"\2\0\2ab\7\1c").tagged_fields() == {0: b"ab", 7: b"c"}
