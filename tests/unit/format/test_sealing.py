import struct

import crc32c
import pytest
from hypothesis import strategies as st

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.sealing import sealed, unsealed
from tests.unit.format.samples import damaged, given

BODY = b"MAGICMAG" + struct.pack("<H", 2) + b"the rest"


def opened(data: bytes) -> bytes:
    return bytes(unsealed(data, magic=b"MAGICMAG", header_bytes=12, format_max=2, what="thing"))


def test_a_sealed_body_opens() -> None:
    assert opened(sealed(BODY)) == BODY


@given(damaged(sealed(BODY)))
def test_any_damage_is_corruption(data: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        opened(data)


def test_a_later_format_is_told_apart_from_damage() -> None:
    later = sealed(b"MAGICMAG" + struct.pack("<H", 3))
    with pytest.raises(UnsupportedFormatError) as caught:
        opened(later)
    assert (caught.value.what, caught.value.found, caught.value.known) == ("thing", 3, 2)


@pytest.mark.parametrize("body", [b"MAGICMAG\0\0the rest", b"MAGICMAG\1\0", b"OTHERMAG\1\0....."])
def test_sound_bytes_that_are_something_else_are_corrupt(body: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        opened(sealed(body))


@given(st.binary(max_size=60))
def test_the_checksum_is_that_of_everything_before_it(body: bytes) -> None:
    assert sealed(body) == body + crc32c.crc32c(body).to_bytes(4, "little")
